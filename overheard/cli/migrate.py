"""``overheard migrate``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from overheard.cli.context import configuration
from overheard.cli.output import line
from overheard.db import migrate as migrations
from overheard.process import RunningProcess

BEHIND = 3  # not 1, which is for all that fails: who asks must not take a fault for an answer


@click.command
@click.option("--check", is_flag=True, help=f"Only say what is to be done: exit code {BEHIND} when there is something.")
@click.pass_context
def migrate(context: click.Context, check: bool) -> None:
    """Bring the database up to date, after an upgrade. A SQLite database is copied first.

    `overheard run` does it by itself on SQLite; no other command changes a database that is there.
    """
    program = RunningProcess(configuration(context))
    try:
        if check:
            sys.exit(_say_what_is_pending(program))
        program.require_usable_file()
        applied = migrations.migrate(program.db, _say_where_the_copy_is)
    finally:
        program.db.release()
    for name in applied:
        line(("✓ ", "green"), "applied ", (name, "bold"))
    line("The database is up to date." if applied else "The database was up to date already.")


def _say_where_the_copy_is(copy: Path) -> None:
    line(("✓ ", "green"), "copied to ", (str(copy), "bold"), (" (delete it when all is well)", "dim"))


def _say_what_is_pending(program: RunningProcess) -> int:
    """The exit code. A file of SQLite that is not there yet is not made."""
    if program.config.database.embedded and not program.db.file.exists():
        line("The database is empty: it is made at the first start.")
        return BEHIND
    with program.db.session():
        pending, first = migrations.pending(program.db), migrations.is_empty(program.db)
    if not pending:
        line("The database is up to date.")
        return 0
    state = "empty" if first else f"{len(pending)} migration(s) behind"
    line(f"The database is {state}: ", (", ".join(pending), "bold"))
    return BEHIND
