"""The deliveries of a channel from which a claim chooses, and the choice."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from peewee import fn

from overheard.db.compiled import among, compiled
from overheard.db.database import Db
from overheard.db.delivery_conditions import OLDEST_FIRST, due, waiting
from overheard.db.models import DIGEST, MENTION, REPORT, SUMMARY, Delivery

OTHER_MAX = 100  # summaries, digests and reports that are due at the same time; there are never so many
COLUMNS = (Delivery.id, Delivery.attempts, *OLDEST_FIRST, Delivery.link)
NO_QUERY = 0  # in place of None, which equals nothing in SQL


class ClaimCandidate(msgspec.Struct, frozen=True):
    """A delivery that may be claimed. ``link`` is set for mentions only."""

    id: str
    attempts: int
    due_at: float
    created_at: float
    mention: int | None
    link: str | None

    @property
    def untried_link(self) -> str | None:
        """Return its link if it was never tried: then it may still become part of another message."""
        return self.link if self.attempts == 0 else None

    @property
    def oldest_first(self) -> tuple[float, float, int]:
        """Return the key of the order in which what is equally often tried is sent."""
        return self.due_at, self.created_at, self.mention or 0


def candidates(
    db: Db, channel_id: int, *, now: float, limit: int, singles: int, queries: Collection[int | None] | None
) -> list[ClaimCandidate]:
    """Return what ``chosen`` needs: up to ``singles`` untried mentions of ``queries`` (None: all), and all others."""
    given: dict[str, Any] = {"channel": channel_id, "now": now, "limit": limit, "singles": singles}
    if queries is None:
        rows = _candidates(db, **given)
    else:
        rows = _candidates_of(db, **given, queries=sorted(query or NO_QUERY for query in queries))
    unique = {row[0]: ClaimCandidate(*row) for row in rows}  # the most tried may be among the least tried, too
    return list(unique.values())


def chosen(found: Sequence[ClaimCandidate], limit: int, first: str | None = None) -> list[ClaimCandidate]:
    """Return up to ``limit`` of them: ``first``, then the least tried, oldest first; the last one is the most tried.

    So what the receiver keeps refusing holds up no other, and still gets its tries.
    """
    ordered = sorted(found, key=lambda each: (each.id != first, each.attempts, each.oldest_first))
    if limit < 2 or len(ordered) <= limit:
        return ordered[:limit]
    most_tried = min(ordered[limit - 1 :], key=lambda each: (-each.attempts, each.oldest_first))
    return [*ordered[: limit - 1], most_tried]


def _parts(channel: Any, now: Any, limit: Any, untried: Any) -> Any:
    rows = Delivery.select(*COLUMNS)
    tried = rows.where(due(channel, now), Delivery.kind == MENTION, Delivery.attempts > 0)
    others = rows.where(due(channel, now), Delivery.kind.in_([SUMMARY, DIGEST, REPORT]))
    return (
        untried.union_all(tried.order_by(Delivery.attempts, *OLDEST_FIRST).limit(limit))
        .union_all(tried.order_by(Delivery.attempts.desc(), *OLDEST_FIRST).limit(1))
        .union_all(others.order_by(Delivery.attempts, *OLDEST_FIRST).limit(OTHER_MAX))
    )


@compiled
def _candidates(db: Db, channel: Any, now: Any, limit: Any, singles: Any) -> Any:
    untried = Delivery.select(*COLUMNS).where(waiting(channel, now)).order_by(*OLDEST_FIRST).limit(singles)
    return _parts(channel, now, limit, untried)


@compiled
def _candidates_of(db: Db, channel: Any, now: Any, limit: Any, singles: Any, queries: Any) -> Any:
    of_queries = among(fn.coalesce(Delivery.query, NO_QUERY), queries)
    untried = Delivery.select(*COLUMNS).where(waiting(channel, now), of_queries).order_by(*OLDEST_FIRST).limit(singles)
    return _parts(channel, now, limit, untried)
