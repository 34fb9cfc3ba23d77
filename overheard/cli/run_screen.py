"""What ``overheard run`` shows on a terminal: mentions as they are stored, and what fails."""

from __future__ import annotations

import time

from rich.text import Text

from overheard.cli.live import run_live
from overheard.cli.live.news import ChannelNews, SourceNews
from overheard.cli.live.screen import INDENT
from overheard.cli.live.workspace_screen import WorkspaceScreen
from overheard.cli.mentions import link
from overheard.db import workspaces
from overheard.embedded import Pipeline
from overheard.errors import Unavailable
from overheard.notices import PublicMention
from overheard.operations.tail import MentionTail
from overheard.operations.wording import counted
from overheard.process import RunningProcess
from overheard.sources.registry import watchable

UPDATE_SECONDS = 0.5  # between two looks at what is new
NEWS_SECONDS = 5.0
TO_BEGIN = "Nothing is watched yet. In another terminal, in this folder: overheard workspace add --help"
LOGS = "To show the logs: -v; to keep them in a file: --log-file FILE"


class RunScreen(WorkspaceScreen):
    """Prints mentions, each with its address."""

    def details(self, mention: PublicMention) -> tuple[tuple[str, str], ...]:
        return (*([("from before  ", "italic dim")] if mention.backfilled else []), *super().details(mention))

    def footer(self, mention: PublicMention) -> tuple[Text, ...]:
        return (Text(" " * INDENT + link(mention), "dim"),)

    def counters(self) -> str:
        sent = self.total("deliveries_total", outcome="sent")
        return (
            f"{counted(self.total('items_read_total'), 'item')} read · {counted(len(self.ages), 'mention')} · "
            f"{sent:,} sent · Ctrl-C stops"
        )


class Arrivals:
    """What is new in the database since the start: mentions, whichever process has stored them, and what fails."""

    def __init__(self, running: RunningProcess, screen: RunScreen) -> None:
        self.running = running
        self.screen = screen
        self._unavailable = False
        self._news_at = 0.0
        self._sources = SourceNews(running.db, watchable(), expected=False)
        self._channels = ChannelNews(running.db)
        with running.db.session():
            self._tail = MentionTail(running.db)

    def show(self) -> None:
        """Show what is new, and wait a moment. A database that does not answer is waited for, as by the pipeline."""
        try:
            with self.running.db.session():
                for mention in self._tail.new():
                    self.screen.show(mention)
                if self.screen.elapsed() >= self._news_at:
                    self._news_at = self.screen.elapsed() + NEWS_SECONDS
                    for note in (*self._sources.notes(self.screen.elapsed()), *self._channels.notes()):
                        self.screen.note(note)
            self._unavailable = False
        except Unavailable as error:
            if not self._unavailable:
                self.screen.note(str(error))
            self._unavailable = True
        self.running.stop.wait(UPDATE_SECONDS)


def show_mentions(pipeline: Pipeline, *, logs_shown: bool) -> int:
    """Run the pipeline and show its mentions until it is stopped; return its exit code."""
    running = pipeline.running
    screen = RunScreen(running.registry, time.monotonic())
    if logs_shown:
        screen.shows_counters = False  # they would be printed over each other
    arrivals = Arrivals(running, screen)  # before it says that it watches: what is stored from then on is shown
    with running.db.session():
        active, _ = workspaces.count_active_and_paused(running.db)
    screen.console.print(Text(TO_BEGIN if not active else f"Watching for {counted(active, 'workspace')}.", "dim"))
    if not logs_shown:
        screen.console.print(Text(LOGS, "dim"))
    screen.console.print()
    return run_live(pipeline, screen, arrivals.show, None)
