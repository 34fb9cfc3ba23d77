"""``overheard query health``: which queries find nothing, too much, or what another one finds."""

from __future__ import annotations

import click

from overheard.cli import output
from overheard.cli.context import running_process
from overheard.cli.output import Column, Format, format_option, one_line
from overheard.db import workspaces
from overheard.operations import query_health
from overheard.operations.query_health import FLOOD_PER_DAY, QueryHealth

KEYS = ("workspace", "query", "state", "hits_7d", "duplicate_of")
MEANINGS = {
    "ok": "",
    "silent": "has found nothing; to see what it looks for: overheard query explain",
    "flooding": f"has found more than {FLOOD_PER_DAY} a day; to narrow it down: overheard query test … --sample",
    "links_only": "finds only addresses; -in:link leaves them out",
}


@click.command
@click.option("--workspace", "-w", metavar="WORKSPACE", help="Only the queries of this workspace.")
@format_option
@click.pass_context
def health(context: click.Context, workspace: str | None, format: Format) -> None:
    """List queries with what is wrong with them.

    \b
    silent      nothing found in 7 days, nor anything in the sample of recent items
    flooding    more than 200 found a day
    links_only  everything that it found stands in addresses
    duplicate   means the same as another query of its workspace, or finds the same
    ok          none of these

    Mentions that were stored as backfilled do not count.
    """
    with running_process(context) as running:
        states = query_health.health(
            running.db,
            now=running.clock(),
            sample_seconds=running.config.sample.seconds,
            workspace_id=None if workspace is None else workspaces.by_name(running.db, workspace).id,
        )
        output.print_listing(states, COLUMNS, format, keys=KEYS, empty="No queries.")


def _meaning(query: QueryHealth) -> str:
    if query.duplicate_of is not None:
        return f"means or finds the same as {one_line(query.duplicate_of)}"
    if query.state == "ok" and not query.hits_7d:
        return "has found nothing yet"
    return MEANINGS[query.state]


COLUMNS = (
    Column("Workspace", lambda query: query.workspace, {"style": "cyan"}),
    Column("Query", lambda query: one_line(query.query), {"style": "bold"}),
    Column("State", lambda query: query.state),
    Column("7 days", lambda query: f"{query.hits_7d:,}", {"justify": "right"}),
    Column("", _meaning, {"ratio": 1, "style": "dim"}),
)
