"""Connections to PostgreSQL that end when the server has frozen, the network drops everything, or the client has died.

TCP alone does not notice a server that is stopped (its kernel still answers), and nothing notices within minutes that
the other side is gone. So each side has limits: the server's are sent with the connection, and here a slow answer has
to come from a server that still takes connections.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import peewee
import psycopg
from psycopg import errors

CONNECT_SECONDS = 5
ANSWER_TIMEOUT_SECONDS = 10.0  # without an answer, after which we look whether the server is still there
WAIT_INTERVAL_SECONDS = 0.1  # psycopg's own

# libpq's: a host that is gone without a word is noticed within 11 seconds, data it does not confirm within 10.
CLIENT_LIMITS: dict[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

# The server's, in milliseconds where it says nothing else: what a client that has died still holds is free soon.
SERVER_LIMITS: dict[str, int] = {
    "lock_timeout": 5_000,
    "statement_timeout": 30_000,  # Db.unhurried() lifts it, and lock_timeout
    "idle_in_transaction_session_timeout": 10_000,
    "client_connection_check_interval": 5_000,
    "tcp_keepalives_idle": 5,  # seconds
    "tcp_keepalives_interval": 2,  # seconds
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that does not wait for a server that has stopped. ``again`` opens another one like it."""

    patience: float = ANSWER_TIMEOUT_SECONDS
    again: Callable[[], psycopg.Connection[Any]]

    def wait(self, gen: Any, interval: float = WAIT_INTERVAL_SECONDS, timeout: float | None = None) -> Any:
        """Raises OperationalError when there is no answer for ``patience`` seconds, and no new connection either.

        A slow statement of a server that is there goes on, up to the server's own statement_timeout.
        """
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        while True:
            try:
                return super().wait(gen, interval, self.patience)
            except errors._WaitTimeout:  # psycopg has no public name for it
                self._require_server()

    def _require_server(self) -> None:
        try:
            self.again().close()
        except errors.ConnectionTimeout:
            self.close()  # in the middle of a statement: it is of no more use
            raise psycopg.OperationalError(
                f"no answer for {self.patience:.0f} s, and no new connection within {CONNECT_SECONDS} s"
            ) from None
        except psycopg.OperationalError:
            pass  # it refuses one more connection, so it is there; should it not be, TCP tells this one


class BoundedAdapter(peewee.Psycopg3Adapter):
    """peewee's adapter, with connections of ours."""

    def connect(self, db: Any, **params: Any) -> BoundedConnection:
        params["dbname"] = db.database
        connection = BoundedConnection.connect(**params)
        connection.again = partial(psycopg.connect, **params)
        return connection


class BoundedPostgresql(peewee.PostgresqlDatabase):
    """A PostgreSQL whose connections are bounded. ``parts`` are what the URL says; its limits override these."""

    psycopg3_adapter = BoundedAdapter

    def __init__(self, name: str, parts: dict[str, Any]) -> None:
        ours = " ".join(f"-c {limit}={value}" for limit, value in SERVER_LIMITS.items())
        options = f"{ours} {parts.get('options') or ''}".strip()  # of two settings the later one counts
        limits = {"application_name": "overheard", **CLIENT_LIMITS}
        super().__init__(name, prefer_psycopg3=True, **{**limits, **parts, "options": options})
