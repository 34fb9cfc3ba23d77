"""The output of ``overheard listen``: mentions, notes, a summary, and the workspace file that makes it permanent."""

from __future__ import annotations

import click
from prometheus_client import CollectorRegistry
from rich.text import Text

from overheard.cli import output
from overheard.cli.live.screen import INDENT, LiveScreen
from overheard.cli.mentions import link
from overheard.cli.output import one_line
from overheard.notices import PublicMention
from overheard.operations.wording import counted
from overheard.sources.registry import place_label
from overheard.workspaces import WorkspaceSpec, write

TO_KEEP = """
# To go on listening, save these lines as {slug}.toml, with a channel to be notified. Then:
#   overheard import {slug}.toml
#   overheard run
"""
A_CHANNEL = """
  # [[workspace.channel]]
  # name = "team"
  # url = "https://…"     # as copied from Slack, Discord or Teams, or any webhook
"""


class ListenScreen(LiveScreen):
    """Prints to stdout; ``as_json``: mentions there, as JSON lines, and all else to stderr."""

    def __init__(self, registry: CollectorRegistry, started: float, spec: WorkspaceSpec, *, as_json: bool) -> None:
        super().__init__(registry, started)
        if as_json:
            self.console = output.console(stderr=True)
        self.searched = 0
        self._as_json = as_json
        self._spec = spec

    def print_header(self) -> None:
        """Print what is listened to."""
        places = "  ".join(
            one_line(place_label(source, place)) for source, places, _ in self._spec.watches for place in places
        )
        query = one_line(self._spec.query[0].text)
        self.console.print(
            Text.assemble(("\n  Listening for ", "dim"), (query, "bold"), ("  in ", "dim"), places, "\n")
        )

    def show(self, mention: PublicMention) -> None:
        if not self._as_json:
            super().show(mention)
            return
        output.print_json(mention)
        self.count(mention)

    def details(self, mention: PublicMention) -> tuple[tuple[str, str], ...]:
        thread = one_line(mention.thread_title)
        return (
            *([("from before  ", "italic dim")] if mention.backfilled else []),
            *([(f"on: {thread}", "dim")] if thread else []),
        )

    def footer(self, mention: PublicMention) -> tuple[Text, ...]:
        return (Text(" " * INDENT + link(mention), "dim"),)

    def counters(self) -> str:
        return f"{counted(self.items_read(), 'item')} read · {len(self.ages)} matched · Ctrl-C stops"

    def items_read(self) -> int:
        """Return how many items were read, those of the last hour included."""
        return self.total("items_read_total") + self.searched

    def print_summary(self) -> None:
        """Print the totals, and how to make it permanent: all after the first line is TOML."""
        hour = f", {self.searched:,} of them from the last hour" if self.searched else ""
        totals = (
            f"{counted(self.items_read(), 'item')} read in {self.elapsed():.0f} s{hour}; {len(self.ages):,} matched."
        )
        self.console.print(Text(f"\n  {totals}", "bold"))
        if not self.ages:
            self.console.print(Text(f"  {self._what_to_try()}", "dim"))
        file = write([self._spec], ascii_only=not output.is_utf8()).rstrip("\n")
        channel = A_CHANNEL if output.is_utf8() else A_CHANNEL.replace("…", "...")
        click.echo(f"{TO_KEEP.format(slug=self._spec.slug)}\n{file}\n{channel}", nl=False, err=self._as_json)

    def _what_to_try(self) -> str:
        if not self.items_read():
            return "Nothing could be read: is there a connection to the internet? `overheard check` tries each server."
        return (
            "Nothing matched: listen for longer, in more places (--source bluesky, --feed URL), or for more words"
            " (a OR b); `overheard query test` explains a query."
        )
