"""Connections to PostgreSQL that end when the server is frozen, the network drops everything, or the client has died.

TCP alone does not notice a server that is stopped (its kernel still answers), and nothing notices within minutes that
the other side is gone. So both sides have limits: the server's are sent with the connection; on this side, a server
that answers slowly has to accept a new connection.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import peewee
import psycopg
from psycopg import errors

CONNECT_SECONDS = 5
ANSWER_TIMEOUT_SECONDS = 10.0  # without an answer, before a second connection shows whether the server still runs
WAIT_INTERVAL_SECONDS = 0.1  # psycopg's default

# libpq's: a host that vanishes is noticed within 11 seconds (5 + 3 × 2), unacknowledged data within 10.
CLIENT_LIMITS: dict[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

# The server's, in milliseconds where nothing else is written: they free soon what a dead client still holds.
SERVER_LIMITS: dict[str, int] = {
    "lock_timeout": 5_000,
    "statement_timeout": 30_000,  # Db.without_timeouts() lifts it, and lock_timeout
    "idle_in_transaction_session_timeout": 10_000,
    "client_connection_check_interval": 5_000,
    "tcp_keepalives_idle": 5,  # seconds
    "tcp_keepalives_interval": 2,  # seconds
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that does not wait for a server that has stopped. ``reconnect`` opens another one like it."""

    answer_timeout: float = ANSWER_TIMEOUT_SECONDS
    reconnect: Callable[[], psycopg.Connection[Any]]

    def wait(self, gen: Any, interval: float = WAIT_INTERVAL_SECONDS, timeout: float | None = None) -> Any:
        """Raise OperationalError after ``answer_timeout`` seconds without an answer if a new connection fails, too.

        A slow statement of a running server goes on, up to the server's own statement_timeout.
        """
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        while True:
            try:
                return super().wait(gen, interval, self.answer_timeout)
            except errors._WaitTimeout:  # psycopg has no public name for it
                self._require_server()

    def _require_server(self) -> None:
        try:
            self.reconnect().close()
        except errors.ConnectionTimeout:
            self.close()  # it is in the middle of a statement and cannot be used any more
            raise psycopg.OperationalError(
                f"no answer for {self.answer_timeout:.0f} s, and no new connection within {CONNECT_SECONDS} s"
            ) from None
        except psycopg.OperationalError:
            pass  # the server refuses one more connection, so it runs; if it does not, TCP ends this connection


class BoundedAdapter(peewee.Psycopg3Adapter):
    """peewee's adapter, opening bounded connections."""

    def connect(self, db: Any, **params: Any) -> BoundedConnection:
        params["dbname"] = db.database
        connection = BoundedConnection.connect(**params)
        connection.reconnect = partial(psycopg.connect, **params)
        return connection


class BoundedPostgresql(peewee.PostgresqlDatabase):
    """A PostgreSQL database with bounded connections. ``parts`` are those of the URL; limits given there win."""

    psycopg3_adapter = BoundedAdapter

    def __init__(self, name: str, parts: dict[str, Any]) -> None:
        limit_options = " ".join(f"-c {limit}={value}" for limit, value in SERVER_LIMITS.items())
        options = f"{limit_options} {parts.get('options') or ''}".strip()  # of two settings the later one counts
        limits = {"application_name": "overheard", **CLIENT_LIMITS}
        super().__init__(name, prefer_psycopg3=True, **{**limits, **parts, "options": options})
