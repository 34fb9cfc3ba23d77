"""What is broken as a whole: status calls it a problem, and the operator is alerted to it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from overheard.db import canaries, source_health
from overheard.db.incidents import IncidentKind

REDDIT_AWAY_SECONDS = 180.0  # until then a passing fault, which passes by itself
REDDIT_ALERT_SECONDS = 600.0  # an alert reaches people elsewhere: it waits longer than a screen does


class Outage(msgspec.Struct, frozen=True):
    """``where`` it is, or its reason, as incidents have it. ``is_problem``, ``is_alert``: it has lasted long enough."""

    kind: IncidentKind
    since: float
    seconds: float
    where: str
    is_problem: bool
    is_alert: bool


def outages(canary: canaries.CanaryState | None, reddit: source_health.SourceState, now: float) -> Iterator[Outage]:
    """Find what has stopped altogether, from what the database knows."""
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
