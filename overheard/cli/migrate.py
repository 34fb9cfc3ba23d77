"""``overheard migrate``: upgrade the database schema."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from overheard.cli.context import configuration
from overheard.cli.output import print_line
from overheard.db import migrate as migrations
from overheard.operations.wording import counted
from overheard.process import RunningProcess

MIGRATIONS_PENDING_EXIT_CODE = 3  # not 1: deploy/upgrade must tell pending migrations from a failed check


@click.command
@click.option(
    "--check",
    is_flag=True,
    help=f"Only list pending migrations; exit code {MIGRATIONS_PENDING_EXIT_CODE} if there are any.",
)
@click.pass_context
def migrate(context: click.Context, check: bool) -> None:
    """Upgrade the database schema after an upgrade of Overheard. A SQLite database is copied first.

    `overheard run` does this itself on SQLite; no other command changes the schema of an existing database.
    """
    running = RunningProcess(configuration(context))
    try:
        if check:
            sys.exit(_print_pending(running))
        running.require_usable_file()
        applied = migrations.migrate(running.db, _print_copy)
    finally:
        running.db.release()
    for name in applied:
        print_line(("✓ ", "green"), "applied ", (name, "bold"))
    print_line("The database is up to date." if applied else "The database was already up to date.")


def _print_copy(copy: Path) -> None:
    print_line(("✓ ", "green"), "copied to ", (str(copy), "bold"), (" (delete it when everything works)", "dim"))


def _print_pending(running: RunningProcess) -> int:
    """Print pending migrations; return the exit code. A missing SQLite file is not created."""
    if running.config.database.embedded and not running.db.file.exists():
        print_line("The database is empty: it is created at the first start.")
        return MIGRATIONS_PENDING_EXIT_CODE
    with running.db.session():
        pending, is_empty = migrations.pending(running.db), migrations.is_empty(running.db)
    if not pending:
        print_line("The database is up to date.")
        return 0
    state = "empty" if is_empty else f"{counted(len(pending), 'migration')} behind"
    print_line(f"The database is {state}: ", (", ".join(pending), "bold"))
    return MIGRATIONS_PENDING_EXIT_CODE
