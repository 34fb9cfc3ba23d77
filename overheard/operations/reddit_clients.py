"""The clients of Reddit, where there are several: what is left of their budgets, and which of them Reddit refuses."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from overheard.config import Config
from overheard.db import budgets, source_health
from overheard.db.database import Db
from overheard.sources.reddit.names import client_key


class ClientState(msgspec.Struct, frozen=True):
    """One of ``count`` clients; ``number`` is its position in the configuration, from 1.

    ``remaining``: requests left by the server's last count, None if unknown. ``booked``: seconds until its budget has a
    free slot. ``refused_since``: since when Reddit refuses its login; None if it does not.
    """

    number: int
    count: int
    remaining: float | None
    booked: float
    refused_since: float | None

    @property
    def label(self) -> str:
        """Return ``client 2 of 3``: its id is not for logs and metrics."""
        return f"client {self.number} of {self.count}"


def clients(db: Db, config: Config) -> list[ClientState]:
    """Return the configured clients, in the order of the configuration; an only client is never ``refused_since``.

    The state of the source itself is that of an only client.
    """
    configured = config.sources.reddit.clients
    return [_client(db, app.client_id, number, len(configured)) for number, app in enumerate(configured, 1)]


def refused(states: Sequence[ClientState]) -> list[ClientState]:
    """Return the refused clients; none if all are, since then the source itself is."""
    found = [each for each in states if each.refused_since is not None]
    return found if len(found) < len(states) else []


def remaining(states: Sequence[ClientState]) -> float | None:
    """Return how many requests are left of all budgets; None if that of none is known."""
    known = [each.remaining for each in states if each.remaining is not None]
    return sum(known) if known else None


def booked(states: Sequence[ClientState]) -> float:
    """Return the seconds until one of the clients that can be used has a free slot."""
    usable = [each.booked for each in states if each.refused_since is None]
    return min(usable or [each.booked for each in states], default=0.0)


def _client(db: Db, client_id: str, number: int, count: int) -> ClientState:
    key = client_key(client_id)
    left, seconds = budgets.usage(db, key)
    state = source_health.state(db, key)
    # However long ago: a client that is not used any more was last seen refused.
    return ClientState(number, count, left, seconds, state.failing_since if state.revoked else None)
