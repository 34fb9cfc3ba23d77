"""The demo's output: what is running, mentions as they arrive, a summary."""

from __future__ import annotations

import re
import resource
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.table import Table
from rich.text import Text

from overheard.cli.demo.next_steps import next_steps
from overheard.cli.live.workspace_screen import WorkspaceScreen
from overheard.sources.registry import place_label
from overheard.workspaces import WorkspaceSpec


class DemoScreen(WorkspaceScreen):
    """Prints the demo's output and counts deliveries."""

    def print_header(
        self, reddit: str, hook: str, metrics: str, workspaces: Iterable[WorkspaceSpec], rate: float
    ) -> None:
        """Print what is running, and where."""
        self.console.print(Text.assemble(("\n  Overheard", "bold"), ("  demo on a simulated Reddit\n", "dim")))
        facts = Table.grid(padding=(0, 2))
        facts.add_column(style="dim", justify="right")
        facts.add_column(overflow="fold")
        facts.add_row("reddit", f"{reddit}  {rate:g} new items per second, read by the real client (PRAW)")
        for spec in workspaces:
            names = ", ".join(query.name for query in spec.query)
            where = " ".join(place_label(source, place) for source, places, _ in spec.watches for place in places)
            facts.add_row("workspace", Text.assemble((spec.slug, self.colour(spec.slug)), f"  {names}  in {where}"))
        facts.add_row("webhook", f"{hook}  signatures verified")
        facts.add_row("metrics", metrics)
        self.console.print(facts, Text())

    def counters(self) -> str:
        return (
            f"{self.total('items_read_total')} items read · {self.total('mentions_stored_total')} mentions · "
            f"{len(self.ages)} delivered · {self.total('reddit_requests_total')} requests · Ctrl-C stops"
        )

    def summary(self) -> None:
        """Print the totals and the next step."""
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", justify="right")
        table.add_column(style="bold" if self.console.is_terminal else "")
        first, ages = self.first, self.ages
        table.add_row("ran for", f"{self.elapsed():.0f} s")
        table.add_row("items read", str(self.total("items_read_total")))
        table.add_row("requests to Reddit", str(self.total("reddit_requests_total")))
        table.add_row(
            "mentions stored", f"{self.total('mentions_stored_total')}; those posted before the start are not sent"
        )
        table.add_row("delivered and verified", str(len(ages)))
        table.add_row("first mention", "none yet" if first is None else f"{first:.1f} s after the start")
        table.add_row("median age on arrival", f"{statistics.median(ages):.1f} s" if ages else "-")
        table.add_row("memory", f"{peak_memory_mb():.0f} MB peak, all parts in one process")
        self.console.print(Text("\n  Summary\n", style="bold"), table, sep="\n")
        self.console.print(Text("\n  Next, without credentials; copy one line after another:\n", style="bold"))
        for what, command in next_steps():
            self.console.print(Text(f"  # {what}", style="dim"))
            # Whole, however narrow the terminal is: a line that is folded cannot be copied.
            self.console.print(f"  {command}", soft_wrap=True)
        self.console.print()


def peak_memory_mb() -> float:
    """Return the peak resident memory of this process in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not getrusage: on Linux its figure starts with the parent's memory at the time of the fork.
        match = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if match is not None:
            return int(match[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
