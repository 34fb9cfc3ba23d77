"""``overheard gap``: list the gaps in what was read."""

from __future__ import annotations

import click

from overheard.cli import output
from overheard.cli.context import running_process
from overheard.cli.durations import rfc3339
from overheard.cli.output import Column, Format, format_option
from overheard.db import gaps
from overheard.operations.wording import ago

KEYS = (
    *("source", "kind", "place", "from_item", "from_at", "to_item", "to_at"),
    *("reason", "found_at", "filled_at", "state"),
)
REASON_LABELS = {
    "hole": "numbers that had no item",
    "jump": "a jump in the numbers, which probably holds none",
    "outdated": "the source no longer had it",
    "horizon": "more new items than the source lists",
    "anchor": "the item read last has disappeared from the listing",
    "pages": "more pages than [fetch] max_pages",
}


@click.group
def gap() -> None:
    """List gaps: items between two polls of a feed that could not be read."""


@gap.command("list")
@click.option("--place", help="Only gaps of this place, e.g. python.")
@click.option("--state", type=click.Choice(["open", "filled", "lost"]), help="Only gaps in this state.")
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(1, 100_000), help="Maximum number of rows."
)
@format_option
@click.pass_context
def list_(context: click.Context, place: str | None, state: str | None, limit: int, format: Format) -> None:
    """List gaps, newest first.

    FROM and TO are the items just before and after the gap, which were read, and the times of their creation. Gaps of
    Reddit are filled from spare budget; a lost one has the reason for that, too.
    """
    with running_process(context) as running:
        now = running.clock()
        rows = gaps.listing(running.db, place=place, state=state, limit=limit)
        columns = (
            Column("FOUND", lambda row: ago(row.found_at, now)),
            Column("FEED", lambda row: f"{row.source} {row.place} {row.kind}"),
            Column("FROM", lambda row: _edge(row.from_item, row.from_at)),
            Column("TO", lambda row: _edge(row.to_item, row.to_at)),
            Column("STATE", lambda row: row.state),
            Column("REASON", lambda row: _reason(row.reason)),
        )
        output.print_listing(
            rows, columns, format, keys=KEYS, empty="No gaps: everything that was listed has been read."
        )


def _reason(reason: str) -> str:
    word, comma, why_lost = reason.partition(",")
    return REASON_LABELS.get(word, word) + comma + why_lost


def _edge(item: str | None, at: float | None) -> str:
    return " ".join(part for part in (item, rfc3339(at)) if part) or "–"
