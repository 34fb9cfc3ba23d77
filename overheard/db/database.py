"""The database handle: SQLite (WAL) or PostgreSQL by URL, one connection a thread, its errors turned into ours.

Queries are peewee's, built on the models and executed on the handle that is passed in: ``query.execute(db.peewee)``.
No model is bound to a database, so there is no global state.
"""

from __future__ import annotations

import math
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

BUSY_TIMEOUT_MS = 30_000  # a SQLite writer waits this long for another; chosen, not measured
# Messages of a rollback that comes too late; they hide the error before it.
NOTHING_TO_ROLL_BACK = ("no transaction is active", "the connection is closed")
LIFT_LIMITS = ("SET statement_timeout = 0", "SET lock_timeout = 0")
RESTORE_LIMITS = ("RESET statement_timeout", "RESET lock_timeout")
PING_TIMEOUT_SECONDS = 3.0  # without an answer to a ping, before a second connection is tried


class Db:
    """A database. Times in it are seconds since the epoch (UTC), as double precision.

    ``clock`` reads the database's clock without a statement: SQLite's is the machine's, PostgreSQL's is the server's as
    ``ServerClock`` follows it. ``now`` is the same clock inside a statement. Tests pass a clock of their own, which
    both follow.
    """

    def __init__(self, database: peewee.Database, *, sqlite: bool, clock: Clock | None = None) -> None:
        self.peewee = database
        self.sqlite = sqlite
        self._given = clock
        self._server = None if sqlite or clock else ServerClock()
        self.clock: Clock = clock or self._server or system_clock

    @property
    def now(self) -> Any:
        """Return an SQL expression for the database's clock, read by the database itself.

        It stands still during a statement, so that all that one statement computes from it agrees.
        """
        if self._given is not None:
            return peewee.Value(self._given(), converter=False)  # ``compiled`` gives a placeholder
        if self.sqlite:
            return (peewee.fn.julianday("now") - 2440587.5) * 86400.0  # a Julian day number; the epoch's is subtracted
        return peewee.fn.date_part("epoch", peewee.fn.statement_timestamp())

    @property
    def clock_is_given(self) -> bool:
        """Return True if ``now`` is a value, which a test sets, and not an expression of the database's own."""
        return self._given is not None

    def greatest(self, *values: Any) -> Any:
        """Return an SQL expression for the greatest of ``values``."""
        return (peewee.fn.max if self.sqlite else peewee.fn.greatest)(*values)

    def least(self, *values: Any) -> Any:
        """Return an SQL expression for the least of ``values``."""
        return (peewee.fn.min if self.sqlite else peewee.fn.least)(*values)

    def contains(self, column: Any, text: Any) -> Any:
        """Return the SQL condition that ``column`` has exactly this text in it; much faster than LIKE on megabytes."""
        return (peewee.fn.instr if self.sqlite else peewee.fn.strpos)(column, text) > 0

    def scalar_time(self, query: Any) -> float | None:
        """Return the time that ``query`` selects; None if it selects none."""
        value = query.scalar(self.peewee)
        return None if value is None else float(value)

    def locked_for_reference(self, query: Any) -> Any:
        """Return ``query`` with locks: others can change its rows, but not delete them before the transaction ends.

        So the transaction can insert rows that refer to them. SQLite has one writer at a time and needs no locks.
        """
        return query if self.sqlite else query.for_update("FOR KEY SHARE")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all or nothing. SQLite takes the write lock at once: upgrading a read lock later can deadlock."""
        with self.peewee.atomic(*(["IMMEDIATE"] if self.sqlite else [])):
            yield

    def ping(self) -> None:
        """Read the database's time. Raises Unavailable within 10 seconds if it does not answer."""
        with self.session():
            self._read_time()

    def _read_time(self) -> None:
        query = peewee.Select(columns=[self.now.alias("now")]).tuples()
        if self._server is None:
            query.execute(self.peewee)
            return
        connection: Any = self.peewee.connection()  # type: ignore[no-untyped-call]
        connection.answer_timeout, usual = PING_TIMEOUT_SECONDS, connection.answer_timeout
        self._server.synchronize(lambda: float(query.execute(self.peewee)[0][0]))
        connection.answer_timeout = usual  # after an error the session closes the connection: nothing to restore

    @contextmanager
    def without_timeouts(self) -> Iterator[None]:
        """Let statements run, and wait for locks, for as long as they need; outside of a transaction.

        For bulk work: migrations, retention, erasing, counting. A server that has stopped is still noticed.
        """
        if self.sqlite:
            yield
            return
        for statement in LIFT_LIMITS:
            self.peewee.execute_sql(statement)  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            # A connection that was lost meanwhile has nothing to reset, and the session closes it.
            with suppress(peewee.DatabaseError, peewee.InterfaceError, psycopg.Error):
                for statement in RESTORE_LIMITS:
                    self.peewee.execute_sql(statement)  # type: ignore[no-untyped-call]

    def share_lock(self, key: int) -> None:
        """Hold the advisory lock ``key``, which others may share, until the transaction ends."""
        self._lock(peewee.fn.pg_advisory_xact_lock_shared(key))

    def await_sharers(self, key: int) -> None:
        """Wait until every transaction that shares the lock now has ended. Outside of a transaction.

        Those that share it afterwards see what the caller committed before.
        """
        with self.transaction():
            self._lock(peewee.fn.pg_advisory_xact_lock(key))

    def _lock(self, lock: Any) -> None:
        # SQLite has one writer at a time and needs no lock.
        if not self.sqlite:
            peewee.Select(columns=[lock]).execute(self.peewee)

    @contextmanager
    def session(self) -> Iterator[None]:
        """Work with the database; a lost connection, a lock held too long or a dead server becomes Unavailable.

        The thread's connection is kept for the next session unless it failed.
        """
        try:
            self._connect()
            if self._server is not None and self._server.stale:
                self._read_time()
            yield
        except (peewee.OperationalError, peewee.InterfaceError, psycopg.OperationalError) as error:
            self.release()
            raise Unavailable(self._reason(error)) from error
        except peewee.DatabaseError as error:
            if isinstance(error.__context__, IdleInTransactionSessionTimeout):  # an internal error, by its class
                self.release()
                raise Unavailable(f"the database has ended the session: {_root_message(error)}") from error
            if type(error) is not peewee.DatabaseError:
                raise
            # How SQLite reports a file that is not a database, or is damaged.
            self.release()
            raise ConfigError([f"[database] url: {_root_message(error)}"]) from error

    @property
    def file(self) -> Path:
        """The path of SQLite's file."""
        return Path(self.peewee.database)

    def _reason(self, error: BaseException) -> str:
        message = f"the database does not answer: {_root_message(error)}"
        if self.sqlite and ("unable to open" in message or "readonly" in message):
            return f"{message}: {sqlite_file.obstacle(self.file) or self.file.absolute()}"
        return message

    def _connect(self) -> None:
        # Two processes that open a new SQLite file at the same time both turn on its WAL, and the second gets "locked"
        # at once: SQLite does not wait here, whatever its timeout.
        deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
        if self.sqlite and self.peewee.is_closed():
            sqlite_file.make_private(self.file)
        while True:
            try:
                self.peewee.connect(reuse_if_open=True)
                return
            except peewee.OperationalError as error:
                if not self.sqlite or "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                self.release()
                threading.Event().wait(0.02)  # turning on the WAL takes milliseconds

    def release(self) -> None:
        """Close this thread's connection."""
        if not self.peewee.is_closed():
            try:
                self.peewee.close()
            except (peewee.OperationalError, peewee.InterfaceError, psycopg.Error):
                # A dead connection cannot be closed properly: drop it, the next session opens another.
                self.peewee._state.reset()  # type: ignore[attr-defined]


def open_database(url: str, clock: Clock | None = None) -> Db:
    """Return a handle for ``sqlite:///path`` or ``postgresql://…``; it connects on first use. Raises ConfigError.

    ``clock``: for tests, which set the time; production passes none.
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
        database = peewee.SqliteDatabase(path, pragmas=pragmas, timeout=BUSY_TIMEOUT_MS / 1000)
        database.register_function(math.exp, "exp", 1)  # not every SQLite is built with it
        return Db(database, sqlite=True, clock=clock)
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        raise ConfigError(["[database] url: not a PostgreSQL URL: postgresql://user:password@host:5432/name"]) from None
    name = str(parts.pop("dbname", "") or "")
    if not name:
        raise ConfigError(["[database] url: names no database: postgresql://user:password@host:5432/name"])
    return Db(BoundedPostgresql(name, parts), sqlite=False, clock=clock)


def _root_message(error: BaseException) -> str:
    # The error may only say that there was nothing to roll back: SQLite rolls back by itself when the disk is full, and
    # a connection to PostgreSQL may be gone. The cause is the error before it.
    while any(words in str(error) for words in NOTHING_TO_ROLL_BACK) and error.__context__ is not None:
        error = error.__context__
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
