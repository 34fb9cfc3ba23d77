"""How many new items a second feeds have: ``reading.rates`` in the database."""

from __future__ import annotations

from typing import Any

from peewee import Case, fn

from overheard.db.compiled import compiled
from overheard.db.database import Db
from overheard.db.models import Feed
from overheard.messages import PollTarget
from overheard.reading import rates
from overheard.reading.rates import MEMORY_SECONDS, FeedRate


def update(db: Db, target: PollTarget) -> None:
    """Update the rates of a group's feeds with what a reading found."""
    if not target.new:
        return
    found = {feed: new for feed, new in zip(target.feed_ids, target.new, strict=True) if new}
    _quiet(db, group=target.group_id, seconds=max(target.seconds, 0.0), besides=[*found, 0])
    before = {feed: FeedRate(*rate) for feed, *rate in _rates(db, feeds=[*found, 0])}
    after = {feed: rates.updated(rate, found[feed], target.seconds) for feed, rate in before.items()}
    if after:
        Feed.update(
            rate=Case(Feed.id, [(feed, rate.rate) for feed, rate in after.items()], Feed.rate),
            rate_seconds=Case(Feed.id, [(feed, rate.seconds) for feed, rate in after.items()], Feed.rate_seconds),
        ).where(Feed.id.in_(list(after))).execute(db.peewee)


@compiled
def _quiet(db: Db, group: Any, seconds: Any, besides: Any) -> Any:
    """``rates.updated`` with no new items, for all feeds at once: hardly any of a large group has news."""
    known = Case(None, [(Feed.rate.is_null(), 0.0)], db.least(Feed.rate_seconds, MEMORY_SECONDS))
    rests_on = known + seconds
    rate = Case(None, [(rests_on > 0.0, fn.coalesce(Feed.rate, 0.0) * known / rests_on)], fn.coalesce(Feed.rate, 0.0))
    quiet = (Feed.group == group) & Feed.id.not_in(besides)
    return Feed.update(rate=rate, rate_seconds=rests_on).where(quiet)


@compiled
def _rates(db: Db, feeds: Any) -> Any:
    return Feed.select(Feed.id, Feed.rate, Feed.rate_seconds).where(Feed.id.in_(feeds))
