"""Mentions as they arrive, above a line of counters. Plain lines if stdout is a pipe."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from overheard.channels.rendering.view import age_text
from overheard.cli import output
from overheard.cli.durations import seconds_of
from overheard.cli.highlight import highlighted_excerpt
from overheard.cli.output import one_line
from overheard.notices import PublicMention
from overheard.sources.registry import author_label, place_label

PIPE_WIDTH_COLUMNS = 140  # a pipe has no width, and 80 columns are too few for an excerpt
INDENT = 11  # of an excerpt below its heading


class LiveScreen:
    """Prints mentions and counts them. ``started`` is the start on the monotonic clock."""

    def __init__(self, registry: CollectorRegistry, started: float) -> None:
        self.console = output.console()
        if not self.console.is_terminal:
            self.console.width = PIPE_WIDTH_COLUMNS
        self.shows_counters = self.console.is_terminal  # in a pipe each refresh would be one more line
        self.first: float | None = None
        self.ages: list[float] = []
        self._registry = registry
        self._started = started
        self._live: Live | None = None
        self._spinner = Spinner("dots", style="cyan")

    @contextmanager
    def live(self) -> Iterator[None]:
        """Keep a line of counters at the bottom of the terminal during the block."""
        if not self.shows_counters:
            yield
            return
        with Live(self._status(), console=self.console, refresh_per_second=8, transient=True) as live:
            self._live = live
            yield
        self._live = None

    def refresh(self) -> None:
        """Update the counters."""
        if self._live is not None:
            self._live.update(self._status())

    def show(self, mention: PublicMention) -> None:
        """Print a mention."""
        age = self.count(mention)
        head = Text.assemble(
            *self.tag(mention),
            (f"{one_line(place_label(mention.source, mention.place)):<15} ", "bold"),
            (f"{age_text(age):>8} ago  ", "dim"),
            (f"{mention.kind} by {one_line(author_label(mention.source, mention.author))}  ", "dim"),
            *self.details(mention),
        )
        body = Text(" " * INDENT).append_text(self._excerpt(mention))
        self.console.print(head, body, *self.footer(mention), sep="\n", overflow="ellipsis", no_wrap=True)
        self.refresh()

    def note(self, text: str) -> None:
        """Print a line about something else."""
        self.console.print(Text.assemble(("  ! ", "yellow"), one_line(text)))

    def count(self, mention: PublicMention) -> float:
        """Count a mention, and return the age of its item in seconds."""
        age = max(time.time() - seconds_of(mention.created_at), 0.0)
        self.first = self.first or self.elapsed()
        self.ages.append(age)
        return age

    def tag(self, mention: PublicMention) -> tuple[tuple[str, str], ...]:
        """Return what begins a mention's heading, in pieces of (text, style)."""
        return ()

    def details(self, mention: PublicMention) -> tuple[tuple[str, str], ...]:
        """Return what ends a mention's heading, in pieces of (text, style)."""
        return ()

    def footer(self, mention: PublicMention) -> tuple[Text, ...]:
        """Return lines below a mention's excerpt."""
        return ()

    def counters(self) -> str:
        """Return the line at the bottom, without the elapsed time before it."""
        return ""

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._started

    def total(self, series: str, **labels: str) -> int:
        """Return the sum of a counter over its series with these labels."""
        name = f"overheard_{series}"
        samples = (sample for family in self._registry.collect() for sample in family.samples)
        return int(sum(each.value for each in samples if each.name == name and labels.items() <= each.labels.items()))

    def _excerpt(self, mention: PublicMention) -> Text:
        """Return one line around the first match, with every match highlighted."""
        spans = mention.shown_highlights
        field = spans[0][0] if spans else "title" if mention.title and mention.kind == "post" else "body"
        return highlighted_excerpt(mention.text_of(field), spans, field, max(self.console.width - INDENT - 3, 40))

    def _status(self) -> Spinner:
        self._spinner.update(text=Text(f"{self.elapsed():.0f} s · {self.counters()}", style="dim"))
        return self._spinner
