"""The database handle: SQLite (WAL) or PostgreSQL by URL, one connection a thread, faults turned into our errors.

Queries are peewee's, built on the models and executed on the handle that is passed in: ``query.execute(db.peewee)``.
No model is bound to a database, so that nothing is global.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import peewee
import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import IdleInTransactionSessionTimeout

from overheard.clock import Clock, system_clock
from overheard.db import sqlite_file
from overheard.db.clock import ServerClock
from overheard.db.postgres import BoundedPostgresql
from overheard.errors import ConfigError, Unavailable

BUSY_TIMEOUT_MS = 30_000  # ms that a SQLite writer waits for another
NOTHING_TO_ROLL_BACK = ("no transaction is active", "the connection is closed")
LIFT_LIMITS = ("SET statement_timeout = 0", "SET lock_timeout = 0")
RESTORE_LIMITS = ("RESET statement_timeout", "RESET lock_timeout")
PING_TIMEOUT_SECONDS = 3.0  # without an answer to a ping, after which a new connection has to work


class Db:
    """A database. Times in it are seconds since the epoch (UTC), as double precision, by its own ``clock``.

    ``clock`` costs no statement: SQLite's is the machine's, PostgreSQL's the server's as we know it (``ServerClock``).
    Tests pass one that they can set; ``now`` follows it.
    """

    def __init__(self, database: peewee.Database, *, sqlite: bool, clock: Clock | None = None) -> None:
        self.peewee = database
        self.sqlite = sqlite
        self._given = clock
        self._server = None if sqlite or clock else ServerClock()
        self.clock: Clock = clock or self._server or system_clock

    @property
    def now(self) -> Any:
        """An SQL expression for the database's clock, as ``clock``, read by the database itself.

        It stands still during a statement, so that what a statement computes twice from it agrees.
        """
        if self._given is not None:
            return peewee.Value(self._given())
        if self.sqlite:
            return (peewee.fn.julianday("now") - 2440587.5) * 86400.0
        return peewee.fn.date_part("epoch", peewee.fn.statement_timestamp())

    def greatest(self, *values: Any) -> Any:
        """An SQL expression for the greatest of ``values``."""
        return (peewee.fn.max if self.sqlite else peewee.fn.greatest)(*values)

    def holds(self, column: Any, text: str) -> Any:
        """An SQL condition: ``column`` contains exactly this text. Much quicker than LIKE on texts of megabytes."""
        return (peewee.fn.instr if self.sqlite else peewee.fn.strpos)(column, text) > 0

    def moment(self, query: Any) -> float | None:
        """Return the time that ``query`` finds; None where it finds none."""
        value = query.scalar(self.peewee)
        return None if value is None else float(value)

    def kept(self, query: Any) -> Any:
        """``query``, whose rows others can change but not delete until the transaction ends: they may be referred to.

        SQLite has one writer at a time and needs nothing.
        """
        return query if self.sqlite else query.for_update("FOR KEY SHARE")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. On SQLite it takes the write lock at once: upgrading a read lock later can deadlock."""
        with self.peewee.atomic(*(["IMMEDIATE"] if self.sqlite else [])):
            yield

    def ping(self) -> None:
        """Ask the database for the time. Raises Unavailable within 10 seconds when it does not answer."""
        with self.session():
            self._ask_for_the_time()

    def _ask_for_the_time(self) -> None:
        ask = peewee.Select(columns=[self.now.alias("now")]).tuples()
        if self._server is None:
            ask.execute(self.peewee)
            return
        connection: Any = self.peewee.connection()  # type: ignore[no-untyped-call]
        connection.patience, patience = PING_TIMEOUT_SECONDS, connection.patience
        self._server.ask(lambda: float(ask.execute(self.peewee)[0][0]))
        connection.patience = patience  # one that gave no answer is given up

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        """Let statements, and their waiting for locks, take as long as they need; outside of a transaction.

        For what reads or changes much at once: migrations, retention, erasing, counting. A server that has stopped is
        noticed all the same.
        """
        if self.sqlite:
            yield
            return
        for statement in LIFT_LIMITS:
            self.peewee.execute_sql(statement)  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            # On a connection that was lost meanwhile there is nothing to reset, and the session gives it up.
            with suppress(peewee.DatabaseError, peewee.InterfaceError, psycopg.Error):
                for statement in RESTORE_LIMITS:
                    self.peewee.execute_sql(statement)  # type: ignore[no-untyped-call]

    def announce_writer(self, table: Any) -> None:
        """Let ``await_writers`` wait for this transaction from here on, not only from its first change to the table."""
        self._lock(table, "IN ROW EXCLUSIVE MODE")

    def await_writers(self, table: Any) -> None:
        """Wait until who is writing to the table has committed: from then on, what is committed now is seen by all."""
        with self.transaction():
            self._lock(table, "IN SHARE MODE")

    def _lock(self, table: Any, mode: str) -> None:
        # SQLite has one writer at a time and needs nothing.
        if not self.sqlite:
            lock = (peewee.SQL("LOCK TABLE"), table._meta.entity, peewee.SQL(mode))
            self.peewee.execute(peewee.NodeList(lock))  # type: ignore[no-untyped-call]

    @contextmanager
    def session(self) -> Iterator[None]:
        """Work with the database; a lost connection, a lock held too long or a dead server becomes Unavailable.

        The thread's connection is kept for the next session unless it failed.
        """
        try:
            self._connect()
            if self._server is not None and self._server.stale:
                self._ask_for_the_time()
            yield
        except (peewee.OperationalError, peewee.InterfaceError, psycopg.OperationalError) as error:
            self.release()
            raise Unavailable(self._reason(error)) from error
        except peewee.DatabaseError as error:
            if isinstance(error.__context__, IdleInTransactionSessionTimeout):  # an internal error, by its class
                self.release()
                raise Unavailable(f"the database has ended the session: {_first_line(error)}") from error
            if type(error) is not peewee.DatabaseError:
                raise
            # SQLite's own word for a file that is something else, or damaged.
            self.release()
            raise ConfigError([f"[database] url: {_first_line(error)}"]) from error

    @property
    def file(self) -> Path:
        """SQLite's file."""
        return Path(self.peewee.database)

    def _reason(self, error: BaseException) -> str:
        said = f"the database does not answer: {_first_line(error)}"
        if self.sqlite and ("unable to open" in said or "readonly" in said):
            return f"{said}: {sqlite_file.obstacle(self.file) or self.file.absolute()}"
        return said

    def _connect(self) -> None:
        # Two processes that open a new SQLite file at the same moment both turn on its WAL, and the one that comes
        # second is told "locked" at once: SQLite does not wait for that, however long its timeout.
        patience = time.monotonic() + BUSY_TIMEOUT_MS / 1000
        if self.sqlite and self.peewee.is_closed():
            sqlite_file.make_private(self.file)
        while True:
            try:
                self.peewee.connect(reuse_if_open=True)
                return
            except peewee.OperationalError as error:
                if not self.sqlite or "locked" not in str(error) or time.monotonic() > patience:
                    raise
                self.release()
                threading.Event().wait(0.02)

    def release(self) -> None:
        """Close this thread's connection."""
        if not self.peewee.is_closed():
            try:
                self.peewee.close()
            except (peewee.OperationalError, peewee.InterfaceError, psycopg.Error):
                # A connection that died cannot be closed politely; forget it, the next session opens another.
                self.peewee._state.reset()  # type: ignore[attr-defined]


def open_database(url: str, clock: Clock | None = None) -> Db:
    """A handle for ``sqlite:///path`` or ``postgresql://…``; connects on first use. Raises ConfigError.

    ``clock``: tests set the time; production passes none.
    """
    if url.startswith("sqlite:///"):
        path = url.removeprefix("sqlite:///")
        if not path or path == ":memory:":
            raise ConfigError(["[database] url: SQLite needs a file: sqlite:///overheard.db"])
        pragmas = {
            "journal_mode": "wal",
            "synchronous": "normal",
            "foreign_keys": 1,
            "busy_timeout": BUSY_TIMEOUT_MS,
            "cache_size": -8_000,
        }
        return Db(
            peewee.SqliteDatabase(path, pragmas=pragmas, timeout=BUSY_TIMEOUT_MS / 1000), sqlite=True, clock=clock
        )
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        raise ConfigError(["[database] url: not a PostgreSQL URL: postgresql://user:password@host:5432/name"]) from None
    name = str(parts.pop("dbname", "") or "")
    if not name:
        raise ConfigError(["[database] url: names no database: postgresql://user:password@host:5432/name"])
    return Db(BoundedPostgresql(name, parts), sqlite=False, clock=clock)


def _first_line(error: BaseException) -> str:
    # What is raised is that there was nothing left to be rolled back: SQLite does so by itself when the disk is full,
    # and a connection to PostgreSQL may be gone. The reason came before.
    while any(words in str(error) for words in NOTHING_TO_ROLL_BACK) and error.__context__ is not None:
        error = error.__context__
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
