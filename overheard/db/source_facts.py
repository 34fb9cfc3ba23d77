"""What the database knows of each source: its reading's age, and its open gaps."""

from __future__ import annotations

from peewee import fn

from overheard.db import visibility
from overheard.db.database import Db
from overheard.db.gaps import OPEN
from overheard.db.models import Feed, Gap, Watch, Workspace
from overheard.items import FeedKind


def oldest_fresh(db: Db, now: float) -> dict[str, float]:
    """Return when each source's least recently read healthy feed of an active workspace was read.

    Feeds that were never read are left out, and those that their source does not want to be read yet.
    """
    watched = (
        Watch.select(Watch.feed)
        .join(Workspace, on=(Watch.workspace == Workspace.id))
        .where(Watch.feed == Feed.id, Workspace.active)
    )
    query = (
        Feed.select(Feed.source, fn.min(Feed.fresh_at))
        .where(
            visibility.IS_PUBLIC_FEED, Feed.failures == 0, Feed.fresh_at > 0, Feed.retry_at <= now, fn.EXISTS(watched)
        )
        .group_by(Feed.source)
    )
    return dict(query.tuples().execute(db.peewee))


def open_gaps(db: Db) -> dict[str, int]:
    """Return the number of open gaps of each source that has any."""
    query = Gap.select(Feed.source, fn.count(Gap.id)).join(Feed, on=(Gap.feed == Feed.id)).where(Gap.state == OPEN)
    return dict(query.group_by(Feed.source).tuples().execute(db.peewee))


def watched_places(db: Db, source: str) -> list[tuple[FeedKind, str]]:
    """Return (kind, place) of the source's feeds that an active workspace watches, in order."""
    rows = (
        Feed.select(Feed.kind, Feed.place)
        .join(Watch, on=(Watch.feed == Feed.id))
        .join(Workspace, on=(Watch.workspace == Workspace.id))
        .where(Feed.source == source, Workspace.active)
        .distinct()
        .order_by(Feed.place, Feed.kind)
    )
    return list(rows.tuples().execute(db.peewee))
