"""Migrations: the history of the schema, applied in order, once, by whichever process starts first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import peewee
from playhouse.migrations import Runner
from psycopg.errors import InsufficientPrivilege

from overheard.db import sqlite_file
from overheard.db.database import Db
from overheard.errors import ConfigError
from overheard.observability.log import get_logger

log = get_logger(__name__)

DIRECTORY = Path(__file__).parent / "migrations"
OWNER_HINT = (
    "migrate as the owner of the tables (overheard_owner, see docs/security.md): give its URL in"
    " OVERHEARD_DATABASE__URL or …_URL_FILE for this one command"
)
ADVISORY_LOCK_KEY = 0x07E4_4EA4D  # spells "overheard"; any number that nothing else locks


def pending(db: Db) -> list[str]:
    """Return the names of migrations that are not applied yet. Raises ConfigError if the database has newer ones."""
    rows = Runner(db.peewee, str(DIRECTORY)).status()
    unknown = [row.name for row in rows if row.path is None]
    if unknown:
        raise ConfigError(
            [f"the database was made by a newer Overheard (migration {unknown[-1]}): install that version or newer"]
        )
    return [row.name for row in rows if not row.applied]


def is_empty(db: Db) -> bool:
    """Return True if no migration was ever applied: the database has nothing to lose."""
    return not _applied(db)


def _applied(db: Db) -> list[str]:
    return [row.name for row in Runner(db.peewee, str(DIRECTORY)).status() if row.applied]


def _log_backup(copy: Path) -> None:
    log.info("database copied before it is migrated", path=str(copy))


def migrate(db: Db, backed_up: Callable[[Path], object] = _log_backup) -> list[str]:
    """Bring the schema up to date; return the migrations applied. Of several processes one migrates, the others wait.

    A SQLite database that has something to lose is copied first; ``backed_up`` is called with the copy's path.
    (PostgreSQL's backups are the operator's: deploy/upgrade makes one.)
    """
    with db.session():
        if db.sqlite:
            with _foreign_keys_off(db), db.transaction():
                # This transaction has the write lock: nothing changes between the copy and the migration.
                if pending(db) and (applied := _applied(db)):
                    backed_up(sqlite_file.back_up(db.file, applied[-1]))
                return _apply(db)
        # Another process may have the lock for as long as it migrates, and a large table takes long.
        with db.without_timeouts():
            return _apply_locked(db)


def _apply_locked(db: Db) -> list[str]:
    peewee.Select(columns=[peewee.fn.pg_advisory_lock(ADVISORY_LOCK_KEY)]).execute(db.peewee)
    try:
        return _apply(db)
    except peewee.ProgrammingError as error:
        if not isinstance(error.__context__, InsufficientPrivilege):
            raise
        raise ConfigError([f"[database] url: this role may not change the schema; {OWNER_HINT}"]) from None
    finally:
        peewee.Select(columns=[peewee.fn.pg_advisory_unlock(ADVISORY_LOCK_KEY)]).execute(db.peewee)


@contextmanager
def _foreign_keys_off(db: Db) -> Iterator[None]:
    """Turn foreign keys off; no transaction may be open.

    SQLite changes a table by making a new one: rows that refer to the old one must not go with it.
    """
    db.peewee.execute_sql("PRAGMA foreign_keys = OFF")  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        db.peewee.execute_sql("PRAGMA foreign_keys = ON")  # type: ignore[no-untyped-call]


def _apply(db: Db) -> list[str]:
    if not pending(db):
        return []
    return list(Runner(db.peewee, str(DIRECTORY)).up())


def require_current(db: Db) -> None:
    """Raise ConfigError, with the command to run, unless the schema is up to date."""
    with db.session():
        behind = pending(db)
    if behind:
        raise ConfigError(
            [f"the database is {len(behind)} migration(s) behind ({behind[0]} …): run `overheard migrate`"]
        )
