"""What the database knows of each source: its open gaps, and the places that are watched."""

from __future__ import annotations

from peewee import fn

from overheard.db.database import Db
from overheard.db.gaps import OPEN
from overheard.db.models import Feed, Gap, Watch, Workspace
from overheard.items import FeedKind


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
