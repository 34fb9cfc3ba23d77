"""Outages: a late canary or an unreachable Reddit. `status` shows them as problems, and alerts report them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from overheard.db import canaries, source_health
from overheard.db.incidents import IncidentKind

REDDIT_AWAY_SECONDS = 180.0  # Reddit's short outages end by themselves; chosen, not measured
REDDIT_ALERT_SECONDS = 600.0  # an alert interrupts somebody, a status page does not


class Outage(msgspec.Struct, frozen=True):
    """An outage; ``where`` is its place or reason. ``is_problem``, ``is_alert``: it has lasted long enough for one."""

    kind: IncidentKind
    since: float
    seconds: float
    where: str
    is_problem: bool
    is_alert: bool


def outages(canary: canaries.CanaryState | None, reddit: source_health.SourceState, now: float) -> Iterator[Outage]:
    """Yield the current outages."""
    # No grace period for the canary: ``late_since`` allows for one, and a late one means that nothing gets through.
    if canary is not None and (late_since := canary.late_since(now)) is not None:
        silent = now - max(canary.delivered_at or 0.0, canary.begun_at)
        yield Outage("canary late", late_since, silent, "canary", is_problem=True, is_alert=True)
    if failing := reddit.failing_for(now):
        yield Outage(
            "reddit login refused" if reddit.revoked else "reddit away",
            since=reddit.failing_since or now,
            seconds=failing,
            where=reddit.reason or "no answer",
            is_problem=reddit.revoked or failing > REDDIT_AWAY_SECONDS,
            is_alert=failing > REDDIT_ALERT_SECONDS,
        )
