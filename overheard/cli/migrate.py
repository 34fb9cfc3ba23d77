"""``overheard migrate``."""

from __future__ import annotations

import click

from overheard.cli.opening import configuration
from overheard.cli.output import line
from overheard.db import migrate as migrations
from overheard.program import Program


@click.command
@click.pass_context
def migrate(context: click.Context) -> None:
    """Bring the database up to date. SQLite does it by itself; for PostgreSQL, run this after each upgrade."""
    program = Program(configuration(context))
    try:
        applied = migrations.migrate(program.db)
    finally:
        program.db.release()
    for name in applied:
        line(("✓ ", "green"), "applied ", (name, "bold"))
    line("The database is up to date." if applied else "The database was up to date already.")
