"""``overheard listen``: a query on live sources, in this terminal, without any setup."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import click
from msgspec.structs import replace
from pydantic import SecretStr

from overheard import config as configuration
from overheard import process
from overheard.cli.durations import DurationParam
from overheard.cli.listen.last_hour import LastHour
from overheard.cli.listen.screen import ListenScreen
from overheard.cli.listen.watching import DEFAULT_SOURCE, spec_of
from overheard.cli.live import run_live
from overheard.cli.live.news import SourceNews
from overheard.cli.root import WrongUsage
from overheard.config import Config
from overheard.config.loading import load
from overheard.embedded import Pipeline
from overheard.errors import InvalidInput
from overheard.matching.language import QuerySyntaxError, parse
from overheard.observability import log
from overheard.operations import workspaces
from overheard.operations.tail import MentionTail
from overheard.process import RunningProcess
from overheard.workspaces import WorkspaceSpec

LIVE_EVERY = "3s"  # HN has an item every eight seconds; chosen, not measured
REQUEST_MAX_SECONDS = 8.0  # the end waits for requests under way; chosen, not measured
UPDATE_SECONDS = 0.2  # between two looks at what is new


@click.command
@click.argument("query")
@click.option(
    "--source",
    "-s",
    "sources",
    multiple=True,
    metavar="SOURCE[:PLACE]",
    help=f"A source: hackernews, bluesky, mastodon:mastodon.social/#tag. Repeatable.  [default: {DEFAULT_SOURCE}]",
)
@click.option("--feed", "feeds", multiple=True, metavar="URL", help="An RSS, Atom or JSON feed, too. Repeatable.")
@click.option("--for", "seconds", type=DurationParam(), help="How long to listen: 30s, 2m.  [default: until Ctrl-C]")
@click.option("--limit", "-n", type=click.IntRange(min=1), help="Stop after so many mentions.")
@click.option("--format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def listen(
    context: click.Context,
    query: str,
    sources: tuple[str, ...],
    feeds: tuple[str, ...],
    seconds: float | None,
    limit: int | None,
    format: Literal["text", "json"],
) -> None:
    """Listen for QUERY on Hacker News and other sources, live, in this terminal.

    It needs no setup, and leaves no file behind. It begins with the last hour, where a source can be searched, and ends
    with the workspace file that makes it permanent. With --format json, stdout has one mention per line, as in
    `overheard mentions`; all else is on stderr. Of pipeline.toml and the environment, only [sources] applies.

    \b
      overheard listen '"acme db" OR acmedb'
      overheard listen postgres --source bluesky --feed https://lobste.rs/rss
    """
    spec = _spec(query, sources, feeds)
    settings = load(context.obj["config"], os.environ).sources
    sys.exit(process.exit_code(lambda: _listen(spec, settings, seconds, limit, format)))


def _spec(query: str, sources: tuple[str, ...], feeds: tuple[str, ...]) -> WorkspaceSpec:
    """Return the workspace to watch. Raises WrongUsage: before anything starts."""
    try:
        parse(query)
        return spec_of(query, sources, feeds)
    except (QuerySyntaxError, InvalidInput) as error:
        raise WrongUsage(str(error)) from None


def _listen(
    spec: WorkspaceSpec,
    settings: configuration.SourcesSettings,
    seconds: float | None,
    limit: int | None,
    format: Literal["text", "json"],
) -> int:
    started = time.monotonic()
    # Log lines between the mentions would hide them; the screen says what concerns the user.
    log.configure("ERROR", style="auto")
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="overheard-listen-"))
        running = RunningProcess(_configuration(Path(folder), settings))
        running.stop_on_signals()
        # A closed terminal ends it as well, instead of the process alone, which would leave its folder.
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
        running.ready_database()
        stack.callback(running.db.release)
        with running.db.session():
            workspaces.save(running, replace(spec, every=LIVE_EVERY))
        pipeline = Pipeline(running)
        stack.callback(pipeline.close)
        screen = ListenScreen(running.registry, started, spec, as_json=format == "json")
        screen.print_header()
        last_hour = stack.enter_context(LastHour(running, pipeline.wiring.sources, spec.slug))
        with running.db.session():
            tail = MentionTail(running.db)
            news = SourceNews(running.db, {feed.source for feed in spec.feeds}, expected=True)

        def update() -> None:
            with running.db.session():
                for note in [*news.notes(screen.elapsed()), *last_hour.notes()]:
                    screen.note(note)
                screen.searched = last_hour.items
                for mention in tail.new():
                    screen.show(mention)
                    if limit is not None and len(screen.ages) >= limit:
                        running.stop.set()
                        return
            running.stop.wait(UPDATE_SECONDS)

        until = None if seconds is None else started + seconds
        return run_live(pipeline, screen, update, until, at_end=screen.print_summary)


def _configuration(folder: Path, sources: configuration.SourcesSettings) -> Config:
    """Return the default configuration with the user's sources, a database in ``folder``, and faster schedules."""
    return Config(
        database=configuration.DatabaseSettings(url=SecretStr(f"sqlite:///{folder}/listen.db")),
        sources=_with_short_timeouts(sources),
        tick=configuration.TickSettings(interval=0.5, jitter=0),
        fetch=configuration.FetchSettings(fresh_for=1),
        notify=configuration.NotifySettings(threads=1),
        sample=configuration.SampleSettings(items_per_source=0),
    )


def _with_short_timeouts(sources: configuration.SourcesSettings) -> configuration.SourcesSettings:
    shortened = {
        name: settings.model_copy(update={"timeout": min(settings.timeout, REQUEST_MAX_SECONDS)})
        for name, settings in sources
        if hasattr(settings, "timeout")
    }
    return sources.model_copy(update=shortened)
