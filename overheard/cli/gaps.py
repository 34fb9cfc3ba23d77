"""``overheard gap``: what could not be read."""

from __future__ import annotations

import click

from overheard.cli import output
from overheard.cli.context import open_app
from overheard.cli.durations import rfc3339
from overheard.cli.output import Column, Format, format_option
from overheard.db import gaps
from overheard.operations.wording import ago

KEYS = (
    *("source", "kind", "place", "from_item", "from_at", "to_item", "to_at"),
    *("reason", "found_at", "filled_at", "state"),
)
REASONS = {
    "horizon": "more news than the source lists",
    "anchor": "the place where the reading was has disappeared",
    "pages": "[fetch] max_pages",
}


@click.group
def gap() -> None:
    """Gaps: what lay between two readings of a feed and could not be read any more."""


@gap.command("list")
@click.option("--place", help="Only this place's, e.g. python.")
@click.option("--state", type=click.Choice(["open", "filled", "lost"]), help="Only those in this state.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000), help="So many at most.")
@format_option
@click.pass_context
def list_(context: click.Context, place: str | None, state: str | None, limit: int, format: Format) -> None:
    """List gaps, the last found first.

    From and to are the items on both sides, which were read, and when they were created.
    """
    with open_app(context) as program:
        now = program.clock()
        rows = gaps.listing(program.db, place=place, state=state, limit=limit)
        columns = (
            Column("FOUND", lambda row: ago(row.found_at, now)),
            Column("FEED", lambda row: f"{row.source} {row.place} {row.kind}"),
            Column("FROM", lambda row: _edge(row.from_item, row.from_at)),
            Column("TO", lambda row: _edge(row.to_item, row.to_at)),
            Column("STATE", lambda row: row.state),
            Column("REASON", lambda row: REASONS.get(row.reason, row.reason)),
        )
        output.show(rows, columns, format, keys=KEYS, empty="There are no gaps: everything that was listed was read.")


def _edge(item: str | None, at: float | None) -> str:
    return " ".join(each for each in (item, rfc3339(at)) if each) or "–"
