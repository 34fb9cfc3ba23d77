"""The demo's output: mentions as they arrive, a line of counters, a summary. Plain lines if stdout is a pipe."""

from __future__ import annotations

import re
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from overheard.cli.highlight import highlighted_excerpt
from overheard.sources.registry import author_label, place_label
from overheard.workspaces import read

COLOURS = ("cyan", "magenta", "green", "blue")


class DemoScreen:
    """Prints the demo's output and counts deliveries. ``started`` is the start on the monotonic clock."""

    def __init__(self, registry: CollectorRegistry, started: float) -> None:
        # A pipe has no width, and rich would assume 80 columns, too few for an excerpt.
        piped = not sys.stdout.isatty()
        self.console = Console(highlight=False, soft_wrap=False, width=140 if piped else None)
        self._registry = registry
        self._started = started
        self._first: float | None = None
        self._ages: list[float] = []
        self._live: Live | None = None
        self._spinner = Spinner("dots", style="cyan")
        self._colours: dict[str, str] = {}

    def print_header(self, reddit: str, hook: str, metrics: str, workspaces: str, rate: float) -> None:
        """Print what is running, and where."""
        self.console.print(Text.assemble(("\n  Overheard", "bold"), ("  demo on a simulated Reddit\n", "dim")))
        facts = Table.grid(padding=(0, 2))
        facts.add_column(style="dim", justify="right")
        facts.add_column(overflow="fold")
        facts.add_row("reddit", f"{reddit}  {rate:g} new items per second, read by the real client (PRAW)")
        for spec in read(workspaces, "the demo"):
            names = ", ".join(query.name for query in spec.query)
            where = " ".join(place_label(source, place) for source, places, _ in spec.watches for place in places)
            facts.add_row("workspace", Text.assemble((spec.slug, self._colour(spec.slug)), f"  {names}  in {where}"))
        facts.add_row("webhook", f"{hook}  signatures verified")
        facts.add_row("metrics", metrics)
        self.console.print(facts, Text())

    @contextmanager
    def live(self) -> Iterator[None]:
        """Keep a line of counters at the bottom of the terminal during the block."""
        # In a pipe each refresh would be one more line.
        if not self.console.is_terminal:
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

    def show(self, event: dict[str, Any]) -> None:
        """Print an event as the webhook received it."""
        mention = event["data"]
        age = max(time.time() - datetime.fromisoformat(mention["created_at"]).timestamp(), 0.0)
        self._first = self._first or self._elapsed()
        self._ages.append(age)
        author, place = author_label("reddit", mention["author"]), place_label("reddit", mention["subreddit"])
        head = Text.assemble(
            (f"  {mention['workspace']:<9}", f"bold {self._colour(mention['workspace'])}"),
            (f"{place:<15}", "bold"),
            (f"{age:3.0f} s ago  ", "dim"),
            (f"{mention['kind']} by {author}  ", "dim"),
            (" ".join(f"#{name}" for name in mention["queries"]), "italic dim"),
        )
        body = Text("  " + " " * 9).append_text(self._excerpt(mention))
        self.console.print(head, body, sep="\n", overflow="ellipsis", no_wrap=True)
        self.refresh()

    def _excerpt(self, mention: dict[str, Any]) -> Text:
        """Return one line around the first match, with every match highlighted."""
        spans = mention["highlights"]
        field = spans[0][0] if spans else "title" if mention["kind"] == "post" else "body"
        return highlighted_excerpt(mention[field], spans, field, max(self.console.width - 14, 40))

    def _status(self) -> Spinner:
        counters = (
            f"{self._elapsed():.0f} s · {self._total('items_read_total')} items read · "
            f"{self._total('mentions_stored_total')} mentions · {len(self._ages)} delivered · "
            f"{self._total('reddit_requests_total')} requests · Ctrl-C stops"
        )
        self._spinner.update(text=Text(counters, style="dim"))
        return self._spinner

    def summary(self) -> None:
        """Print the totals and the next step."""
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", justify="right")
        table.add_column(style="bold" if self.console.is_terminal else "")
        first, ages = self._first, self._ages
        table.add_row("ran for", f"{self._elapsed():.0f} s")
        table.add_row("items read", str(self._total("items_read_total")))
        table.add_row("requests to Reddit", str(self._total("reddit_requests_total")))
        table.add_row(
            "mentions stored", f"{self._total('mentions_stored_total')}; those posted before the start are not sent"
        )
        table.add_row("delivered and verified", str(len(ages)))
        table.add_row("first mention", "none yet" if first is None else f"{first:.1f} s after the start")
        table.add_row("median age on arrival", f"{statistics.median(ages):.1f} s" if ages else "-")
        table.add_row("memory", f"{peak_memory_mb():.0f} MB peak, all parts in one process")
        self.console.print(Text("\n  Summary\n", style="bold"), table, sep="\n")
        self.console.print("\n  Next: put your credentials into pipeline.toml, then run: overheard run\n", style="dim")

    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def _total(self, series: str) -> int:
        """Return the sum of a counter over its labels."""
        name = f"overheard_{series}"
        samples = (sample for family in self._registry.collect() for sample in family.samples)
        return int(sum(sample.value for sample in samples if sample.name == name))

    def _colour(self, workspace: str) -> str:
        return self._colours.setdefault(workspace, COLOURS[len(self._colours) % len(COLOURS)])


def peak_memory_mb() -> float:
    """Return the peak resident memory of this process in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not getrusage: on Linux its figure starts with the parent's memory at the time of the fork.
        match = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if match is not None:
            return int(match[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
