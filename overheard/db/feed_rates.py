"""How many new items a second feeds have: ``reading.rates`` in the database."""

from __future__ import annotations

from typing import Any

from peewee import Case, fn

from overheard.db import freshness
from overheard.db.compiled import among, compiled
from overheard.db.database import Db
from overheard.db.models import Feed
from overheard.messages import PollTarget
from overheard.reading import rates
from overheard.reading.rates import MEMORY_SECONDS, FeedRate


def current(db: Db, group_fresh_at: Any = None) -> Any:
    """Return the SQL expression of a feed's new items a second, None before its first reading.

    It is what ``rates.updated`` makes of the time since the last reading with news, in which there were none.
    ``group_fresh_at``: that of the feed's group, in a statement that joins it, which is faster for many feeds.
    """
    until = freshness.group_fresh_at() if group_fresh_at is None else group_fresh_at
    since = db.greatest(fn.COALESCE(until, 0.0) - Feed.rated_at, 0.0)
    known = Feed.rate_seconds + 1e-9  # never zero
    average = known / (known + since)
    # PostgreSQL calls it an error when exp() is too small for a number.
    return Feed.rate * db.least(average, fn.exp(db.greatest(since / -MEMORY_SECONDS, -100.0)))


def update(db: Db, target: PollTarget, fresh_before: float, fresh: float) -> None:
    """Store what a reading found: rates of the feeds with news, and first rates.

    Those of the others follow from the time since. ``fresh_before``, ``fresh``: the group's ``fresh_at``.
    """
    counted = max(target.seconds, 0.0) if target.new else 0.0
    if 0.0 < fresh_before < fresh - 2.0 * counted:
        # A gap, or a poll that was resumed: nobody knows what was new meanwhile.
        _pass_over(db, group=target.group_id, seconds=fresh - fresh_before - counted)
    if not target.new:
        return
    found = {feed: new for feed, new in zip(target.feed_ids, target.new, strict=True) if new}
    after = {}
    for feed, rate, known, rated_at in _rates(db, feeds=[*found, 0]):
        before = FeedRate(rate, known)
        quiet = before if rate is None else rates.updated(before, 0, fresh - counted - rated_at)
        after[feed] = rates.updated(quiet, found[feed], target.seconds)
    if after:
        Feed.update(
            rate=Case(Feed.id, [(feed, rate.rate) for feed, rate in after.items()], Feed.rate),
            rate_seconds=Case(Feed.id, [(feed, rate.seconds) for feed, rate in after.items()], Feed.rate_seconds),
            rated_at=fresh,
        ).where(Feed.id.in_(list(after))).execute(db.peewee)
    _first_rates(db, group=target.group_id, seconds=counted, fresh=fresh)


@compiled
def _rates(db: Db, feeds: Any) -> Any:
    return Feed.select(Feed.id, Feed.rate, Feed.rate_seconds, Feed.rated_at).where(among(Feed.id, feeds))


@compiled
def _pass_over(db: Db, group: Any, seconds: Any) -> Any:
    """Let a time count for no feed's rate."""
    rated = Feed.rate.is_null(False)
    return Feed.update({Feed.rated_at: Feed.rated_at + seconds}).where(Feed.group == group, rated)


@compiled
def _first_rates(db: Db, group: Any, seconds: Any, fresh: Any) -> Any:
    quiet = Feed.update(rate=0.0, rate_seconds=seconds, rated_at=fresh)
    return quiet.where(Feed.group == group, Feed.rate.is_null())
