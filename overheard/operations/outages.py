"""Outages: a late canary, a failing source, a refused client. `status` shows them as problems, alerts report them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from overheard.db import canaries
from overheard.db.incidents import IncidentKind
from overheard.db.source_health import SourceState
from overheard.operations import reddit_clients
from overheard.operations.reddit_clients import ClientState
from overheard.sources.reddit.names import SOURCE as REDDIT

# A source that is down is tried every 30 s: by then no try has succeeded. Shorter outages end by themselves.
AWAY_SECONDS = 60.0
ALERT_SECONDS = 600.0  # an alert interrupts somebody, a status page does not


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """An outage; ``where`` is its place or reason, ``source`` the source that fails, if it is one.

    ``is_problem``, ``is_alert``: it has lasted long enough for one.
    """

    kind: IncidentKind
    since: float
    seconds: float
    where: str
    is_problem: bool
    is_alert: bool
    source: str = ""
    client: ClientState | None = None

    @property
    def place(self) -> str:
        """Return where it is, for an alert that names only its kind."""
        return f"{self.source}: {self.where}" if self.kind.startswith("source") else self.where

    @property
    def key(self) -> str:
        """Return what tells it from all others."""
        return " ".join(filter(None, [self.kind, self.source, self.client.label if self.client else ""]))


def outages(
    canary: canaries.CanaryState | None,
    sources: Mapping[str, SourceState],
    clients: Sequence[ClientState],
    now: float,
) -> Iterator[Outage]:
    """Yield the current outages; ``sources`` are those that are watched, ``clients`` those of Reddit."""
    # No grace period for the canary: ``late_since`` allows for one, and a late one means that nothing gets through.
    if canary is not None and (late_since := canary.late_since(now)) is not None:
        silent = now - max(canary.delivered_at or 0.0, canary.begun_at)
        yield Outage(
            kind="canary late", since=late_since, seconds=silent, where="canary", is_problem=True, is_alert=True
        )
    for name, state in sources.items():
        if failing := state.failing_for(now):
            yield _failing(name, state, failing, now)
    if REDDIT in sources:
        for client in reddit_clients.refused(clients):
            yield _refused(client, now)


def _failing(source: str, state: SourceState, seconds: float, now: float) -> Outage:
    kind: IncidentKind = "source login refused" if state.revoked else "source away"
    if source == REDDIT:
        kind = "reddit login refused" if state.revoked else "reddit away"
    return Outage(
        kind=kind,
        since=state.failing_since or now,
        seconds=seconds,
        where=state.reason or "no answer",
        is_problem=state.revoked or seconds > AWAY_SECONDS,
        is_alert=seconds > ALERT_SECONDS,
        source=source,
    )


def _refused(client: ClientState, now: float) -> Outage:
    since = client.refused_since or now
    return Outage(
        kind="reddit client refused",
        since=since,
        seconds=max(now - since, 0.0),
        where=client.label,
        is_problem=True,
        is_alert=now - since > ALERT_SECONDS,
        source=REDDIT,
        client=client,
    )
