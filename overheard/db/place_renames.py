"""Follow a place that its source has renamed: its feeds, watches, and what names it in the workspaces that watch it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from overheard.db import incidents, queries
from overheard.db.database import Db
from overheard.db.models import Feed, FeedGroup, Gap, Mute, Query, Watch
from overheard.items import place_key
from overheard.sources.registry import place_label

READABLE = {"failures": 0, "reason": None, "retry_at": 0}


def rename(db: Db, source: str, old: str, name: str, now: float) -> bool:
    """Let everything that watches the place ``old`` (a key) watch ``name`` instead; its cursors stay.

    Where the new place is watched already, the two become one. Return False if nothing was changed, because a poll
    holds one of the feeds.
    """
    new = place_key(name)
    with db.transaction():
        if _held(db, source, (old, new), now):
            return False
        moving = list(
            Feed.select().where(Feed.source == source, Feed.place == old).order_by(Feed.id).execute(db.peewee)
        )
        if not moving:
            return True  # another process has done it
        workspaces = _watching(db, source, old)
        _rename_mutes(db, workspaces, old, new)
        for feed in moving:
            _move(db, feed, new)
        revision = queries.next_revision(db)
        _rename_in_scopes(db, workspaces, old, name, revision)
        for workspace in workspaces:
            queries.watches_changed(db, workspace, revision)
        incidents.record(db, "place renamed", f"{place_label(source, old)} is now {place_label(source, name)}", now)
    return True


def _watching(db: Db, source: str, place: str) -> list[int]:
    rows = (
        Watch.select(Watch.workspace)
        .join(Feed, on=(Watch.feed == Feed.id))
        .where(Feed.source == source, Feed.place == place)
        .distinct()
        .order_by(Watch.workspace)
    )
    return [workspace for (workspace,) in rows.tuples().execute(db.peewee)]


def _held(db: Db, source: str, places: Collection[str], now: float) -> bool:
    """Lock the groups of these places; return True if a poll holds one: store will write about its feeds."""
    of_places = Feed.select(Feed.group).where(Feed.source == source, Feed.place.in_(list(places)))
    rows: Any = FeedGroup.select(FeedGroup.lease_until).where(FeedGroup.id.in_(of_places)).order_by(FeedGroup.id)
    rows = rows if db.sqlite else rows.for_update()
    return any(lease_until >= now for (lease_until,) in rows.tuples().execute(db.peewee))


def _move(db: Db, feed: Any, new: str) -> None:
    same = (Feed.source == feed.source) & (Feed.kind == feed.kind) & (Feed.place == new)
    other = Feed.select().where(same).first(db.peewee)
    kept, dropped = feed, other
    if other is not None:
        # The one whose news go back further, of those that were read: the other's lie above its cursor.
        if _began_at(db, other) < _began_at(db, feed):
            kept, dropped = other, feed
        _merge(db, kept.id, dropped.id)
    # At once: the workspaces of the other have not seen what this one is about to read again.
    Feed.update(place=new, fresh_at=0, **READABLE).where(Feed.id == kept.id).execute(db.peewee)


def _began_at(db: Db, feed: Any) -> tuple[bool, float]:
    """Return a sort key: feeds that were never read come last."""
    row = FeedGroup.select(FeedGroup.cursor.is_null(), FeedGroup.began_at).where(FeedGroup.id == feed.group_id)
    unread, began_at = row.tuples().execute(db.peewee)[0]
    return bool(unread), began_at


def _merge(db: Db, kept: int, dropped: int) -> None:
    """Move the watches and gaps of one feed to another, and delete it."""
    watching = {workspace for (workspace,) in _watches(db, kept, Watch.workspace)}
    for workspace, kinds, created_at in _watches(db, dropped, Watch.workspace, Watch.kinds, Watch.created_at):
        if workspace in watching:
            _join(db, workspace, kept, kinds, created_at)
    alone = Watch.workspace.not_in(Watch.select(Watch.workspace).where(Watch.feed == kept))
    Watch.update(feed=kept).where(Watch.feed == dropped, alone).execute(db.peewee)
    Gap.update(feed=kept).where(Gap.feed == dropped).execute(db.peewee)
    Feed.delete().where(Feed.id == dropped).execute(db.peewee)


def _watches(db: Db, feed: int, *columns: Any) -> list[tuple[Any, ...]]:
    rows = Watch.select(*columns).where(Watch.feed == feed).order_by(Watch.workspace)
    return list(rows.tuples().execute(db.peewee))


def _join(db: Db, workspace: int, kept: int, kinds: str, created_at: float) -> None:
    """Add to a workspace's watch of one feed what its watch of the other wants."""
    own = (Watch.workspace == workspace) & (Watch.feed == kept)
    (before, began), *_ = Watch.select(Watch.kinds, Watch.created_at).where(own).tuples().execute(db.peewee)
    words = dict.fromkeys((*before.split(), *kinds.split()))
    Watch.update(kinds=" ".join(words), created_at=min(began, created_at)).where(own).execute(db.peewee)


def _rename_mutes(db: Db, workspaces: Collection[int], old: str, new: str) -> None:
    of_workspaces = Mute.workspace.in_(list(workspaces))
    Mute.update(place=new).where(of_workspaces, Mute.place == old).execute(db.peewee)


def _rename_in_scopes(db: Db, workspaces: Collection[int], old: str, name: str, revision: int) -> None:
    """Let queries that are limited to the place follow it."""
    of_workspaces = Query.workspace.in_(list(workspaces)) & Query.removed_at.is_null()
    rows = Query.select(Query.id, Query.scope).where(of_workspaces, Query.scope != queries.UNLIMITED_COLUMN)
    for query, column in list(rows.order_by(Query.id).tuples().execute(db.peewee)):
        scope = queries.scope_of(column)
        places = tuple(dict.fromkeys(name if place_key(each) == old else each for each in scope.places))
        if places != scope.places:
            changed = msgspec.structs.replace(scope, places=places)
            Query.update(scope=queries.scope_column(changed), revision=revision).where(Query.id == query).execute(
                db.peewee
            )
