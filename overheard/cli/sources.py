"""``overheard source``: list sources, and check whether they answer."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import click

from actors.wiring import limiter
from overheard.cli import output
from overheard.cli.context import configuration
from overheard.cli.output import Column, Format, format_option, print_line
from overheard.cli.root import WrongUsage
from overheard.cli.source_plan import plan
from overheard.cli.source_table import JSON_KEYS, as_json, source_columns, terminal_columns
from overheard.db.database import Db
from overheard.errors import DatabaseMissing, InvalidInput
from overheard.operations import source_checks
from overheard.operations.source_reports import SourceReport, source_reports
from overheard.permits import AnyPermit, Permit, UnlimitedPermit
from overheard.process import RunningProcess

PIPED_COLUMNS = (
    Column("Can", lambda row: ", ".join(row.capabilities)),
    Column("Deletions", lambda row: row.deletions),
)


@click.group
def source() -> None:
    """List sources, check whether they answer, and show how they are read."""


source.add_command(plan)


@source.command("list")
@format_option
@click.pass_context
def list_(context: click.Context, format: Format) -> None:
    """List the sources: whether they are read, and what they can do.

    STATE is off for a source that no active workspace watches, or that lacks a setting; failing while it does not
    answer; revoked while it refuses the login. DELETIONS says how Overheard learns of them.
    """
    with _process(context) as (running, db):
        now = running.clock()
        wide = (*source_columns(now), *PIPED_COLUMNS)
        columns = terminal_columns(now) if output.console().is_terminal else wide
        _print(source_reports(db, running.config, now), format, columns)


@source.command
@click.argument("name", required=False)
@format_option
@click.pass_context
def check(context: click.Context, name: str | None, format: Format) -> None:
    """Ask sources whether they answer: NAME, or all that are watched.

    NAME is a source, or a place that a workspace watches (a feed's URL, r/python). Sources whose places are on servers
    of their own (feeds, mastodon) are asked for each watched place; Reddit for all of them at once, or for the one that
    NAME says. Nothing is changed or stored.

    The exit code is 0 if all answer, 1 if one does not, 2 if there is no such source or place.
    """
    with _process(context) as (running, db):

        def budget(key: str) -> AnyPermit:
            # Without a database there is no budget to share, and a single request exceeds none.
            if db is None:
                return UnlimitedPermit()
            shared = limiter(running.config, db)
            return Permit(shared, key, wait=running.stop.wait, on_wait=lambda seconds: None)

        try:
            reports = list(source_checks.check(running, db, name, budget))
        except InvalidInput as error:
            raise WrongUsage(str(error)) from None
        _print(reports, format, source_columns(running.clock()))
        if not reports and format == "table":
            print_line(("No source is watched yet. To ask one: overheard source check hackernews", "dim"))
    sys.exit(0 if all(report.state == "ok" for report in reports) else 1)


def _print(reports: Iterable[SourceReport], format: Format, columns: Iterable[Column]) -> None:
    if format == "json":
        for report in reports:
            output.print_json(as_json(report))
    elif format == "csv":
        output.print_csv((as_json(report) for report in reports), JSON_KEYS)
    elif rows := list(reports):
        output.print_table(output.table(rows, columns))


@contextmanager
def _process(context: click.Context) -> Iterator[tuple[RunningProcess, Db | None]]:
    """Yield this process, and its database in a session; None if there is none yet: these commands create none."""
    running = RunningProcess(configuration(context))
    try:
        try:
            running.require_database()
        except DatabaseMissing:
            yield running, None
            return
        with running.db.session(), running.db.without_timeouts():
            yield running, running.db
    finally:
        running.db.release()
