"""Workspace specs: save a workspace as its owner writes it, and load it back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

import msgspec
from peewee import EXCLUDED

from overheard.db import channels, groups, mutes, queries, refreshes
from overheard.db.compiled import among, compiled, inserted, not_among
from overheard.db.database import Db
from overheard.db.models import PENDING, Channel, Delivery, Feed, Query, Watch, Workspace
from overheard.errors import InvalidInput
from overheard.items import KINDS_IN
from overheard.routing import HELD_BY_QUIET_HOURS
from overheard.schedule import span_seconds, span_text
from overheard.workspaces import KINDS, ChannelMode, ChannelSpec, QuerySpec, WatchedFeed, WorkspaceSpec, watch_fields

CHANNEL_COLUMNS = (
    Channel.name,
    Channel.url,
    Channel.mode,
    Channel.secret,
    Channel.min_gap,
    Channel.max_per_hour,
    Channel.summary_every,
    Channel.queries,
)
_NAMES = msgspec.json.Decoder(tuple[str, ...])
STATEMENT_ROWS = 400  # well under every database's limit of parameters


def save(
    db: Db,
    spec: WorkspaceSpec,
    now: float,
    *,
    following: Callable[[str, str], float],
    secret: Callable[[ChannelSpec], str | None],
    internal: bool = False,
) -> bool:
    """Create the workspace, or change the existing one to ``spec``; return True if it is new.

    ``following(schedule, timezone)`` gives the next due time; ``secret(channel)`` the signing secret of a new channel.
    What stays the same keeps its history: watches their beginning, channels their deliveries. ``internal``: the
    workspace and its feeds are Overheard's own.
    """
    with db.transaction():
        rows = _workspace_named(db, slug=spec.slug)
        values = {name: getattr(spec, name) for name in ("name", "timezone", "every", "digest", "quiet", "working")}
        if rows:
            workspace_id, *former = rows[0]
            _reschedule(db, workspace_id, former, spec, values, following)
        else:
            ((workspace_id,),) = _insert_workspace(
                db,
                slug=spec.slug,
                internal=internal,
                created_at=now,
                next_due_at=now,  # a new user sees something happen at once
                next_digest_at=following(spec.digest, spec.timezone),
                **values,
            )
        # Channels before feeds: store locks them in this order.
        _save_channels(db, workspace_id, spec.channel, now, secret)
        mutes.save(db, workspace_id, spec.mute, spec.timezone)
        watches_changed = _save_watches(db, workspace_id, spec.feeds, now, internal)
        refreshes.sync_sources(db, workspace_id)
        revision = queries.next_revision(db)  # late, as concurrent saves wait from here on
        _save_queries(db, workspace_id, spec.query, now, revision)
        if watches_changed:
            queries.watches_changed(db, workspace_id, revision)
    return not rows


@compiled
def _workspace_named(db: Db, slug: Any) -> Any:
    columns = (Workspace.id, Workspace.timezone, Workspace.every, Workspace.digest, Workspace.next_digest_at)
    return Workspace.select(*columns).where(Workspace.slug == slug)


@compiled
def _insert_workspace(db: Db, **values: Any) -> Any:
    return Workspace.insert(**values).returning(Workspace.id)


def _reschedule(
    db: Db,
    workspace_id: int,
    former: Sequence[Any],
    spec: WorkspaceSpec,
    values: dict[str, str],
    following: Callable[[str, str], float],
) -> None:
    timezone, every, digest, next_digest_at = former
    due: dict[str, float] = {}
    if (every, timezone) != (spec.every, spec.timezone):
        due["next_due_at"] = following(spec.every, spec.timezone)
    if (digest, timezone) != (spec.digest, spec.timezone) or next_digest_at is None:
        due["next_digest_at"] = following(spec.digest, spec.timezone)
    Workspace.update(**values, **due).where(Workspace.id == workspace_id).execute(db.peewee)


def _save_watches(db: Db, workspace_id: int, feeds: Sequence[WatchedFeed], now: float, internal: bool) -> bool:
    """Make the workspace watch exactly these feeds, of all sources; return True if that changed anything."""
    kinds: dict[int, str] = {}
    for source, group in groupby(sorted(feeds), key=lambda feed: feed.source):  # one order of locks for all saves
        of_source = list(group)
        for start in range(0, len(of_source), STATEMENT_ROWS):
            kinds |= _feeds(db, source, of_source[start : start + STATEMENT_ROWS], now, internal)
    of_workspace = Watch.workspace == workspace_id
    had = dict(_watches(db, workspace=workspace_id))
    Watch.delete().where(of_workspace, Watch.feed.in_(had.keys() - kinds.keys())).execute(db.peewee)
    changed = {feed for feed in had.keys() & kinds.keys() if had[feed] != kinds[feed]}
    for new_kinds in sorted({kinds[feed] for feed in changed}):
        alike = [feed for feed in changed if kinds[feed] == new_kinds]
        Watch.update(kinds=new_kinds).where(of_workspace, Watch.feed.in_(alike)).execute(db.peewee)
    new = sorted(kinds.keys() - had.keys())
    for start in range(0, len(new), STATEMENT_ROWS):
        watches = [
            {"workspace": workspace_id, "feed": feed, "created_at": now, "kinds": kinds[feed]}
            for feed in new[start : start + STATEMENT_ROWS]
        ]
        _insert_watches(db, rows=watches)
    # A feed that other workspaces watch already is read again soon, so that this one gets its latest page, too.
    Feed.update(fresh_at=0).where(Feed.id.in_(new), Feed.fresh_at.is_null() | (Feed.fresh_at > 0)).execute(db.peewee)
    return had != kinds


@compiled
def _watches(db: Db, workspace: Any) -> Any:
    return Watch.select(Watch.feed, Watch.kinds).where(Watch.workspace == workspace)


@compiled
def _insert_watches(db: Db, rows: Any) -> Any:
    return inserted(Watch, rows)


def _feeds(db: Db, source: str, feeds: Sequence[WatchedFeed], now: float, internal: bool) -> dict[int, str]:
    """Return the ids of a source's feeds, creating missing ones, each with the kinds that are watched."""
    wanted = {(feed.kind, feed.place): " ".join(feed.kinds) for feed in feeds}
    places = sorted({feed.place for feed in feeds})
    while True:  # again if retention has deleted some between the two statements
        kept = _feeds_of(db, source=source, places=places)
        found = {(kind, place): feed for feed, kind, place in kept if (kind, place) in wanted}
        missing = sorted(wanted.keys() - found.keys())
        if not missing:
            return {feed: wanted[key] for key, feed in found.items()}
        for kind, of_kind in groupby(missing, key=lambda key: key[0]):
            new = [place for _, place in of_kind]
            rows = [
                {"source": source, "kind": kind, "place": place, "created_at": now, "group": group}
                | {"internal": internal}
                for place, group in zip(new, groups.make(db, source, kind, len(new), now), strict=True)
            ]
            _insert_feeds(db, rows=rows)


@compiled
def _feeds_of(db: Db, source: Any, places: Any) -> Any:
    feeds = Feed.select(Feed.id, Feed.kind, Feed.place).where(Feed.source == source, among(Feed.place, places))
    return db.locked_for_reference(feeds.order_by(Feed.id))


@compiled
def _insert_feeds(db: Db, rows: Any) -> Any:
    return inserted(Feed, rows).on_conflict_ignore()


def save_queries(db: Db, workspace_id: int, wanted: Sequence[QuerySpec], now: float) -> None:
    """Make these the workspace's queries. Those that stay the same are not loaded again."""
    with db.transaction():
        _save_queries(db, workspace_id, wanted, now, queries.next_revision(db))


def _save_queries(db: Db, workspace_id: int, wanted: Sequence[QuerySpec], now: float, revision: int) -> None:
    names = [query.name for query in wanted]
    _remove_other_queries(db, workspace=workspace_id, names=names, at=now, revision=revision)
    own = {"workspace": workspace_id, "revision": revision}
    rows = [
        {"name": query.name, "text": query.text, "scope": queries.scope_column(query.scope), **own} for query in wanted
    ]
    for start in range(0, len(rows), STATEMENT_ROWS):
        _upsert_queries(db, rows=rows[start : start + STATEMENT_ROWS])


@compiled
def _remove_other_queries(db: Db, workspace: Any, names: Any, at: Any, revision: Any) -> Any:
    gone = (Query.workspace == workspace) & not_among(Query.name, names) & Query.removed_at.is_null()
    return Query.update(removed_at=at, revision=revision).where(gone)


@compiled
def _upsert_queries(db: Db, rows: Any) -> Any:
    # An unchanged query keeps its revision: the matching index does not reload it.
    changed = (Query.text != EXCLUDED.text) | (Query.scope != EXCLUDED.scope) | Query.removed_at.is_null(False)
    update = {
        Query.text: EXCLUDED.text,
        Query.scope: EXCLUDED.scope,
        Query.removed_at: None,
        Query.revision: EXCLUDED.revision,
    }
    target = [Query.workspace, Query.name]
    return inserted(Query, rows).on_conflict(conflict_target=target, update=update, where=changed)


def rename_query(db: Db, workspace_id: int, name: str, new_name: str) -> bool:
    """Rename a query where it is named: its mentions, mutes and the channels that hear of it follow.

    Return False if another one has, or had, the new name: its mentions keep it.
    """
    with db.transaction():
        of_workspace = Query.workspace == workspace_id
        if Query.select(Query.id).where(of_workspace, Query.name == new_name).exists(db.peewee):
            return False
        Query.update(name=new_name).where(of_workspace, Query.name == name).execute(db.peewee)
        mutes.rename_query(db, workspace_id, name, new_name)
        for channel, queries_of in _named_queries(db, workspace_id):
            if name in queries_of:
                _hear(db, channel, [new_name if each == name else each for each in queries_of])
    return True


def leave_out_query(db: Db, workspace_id: int, name: str) -> tuple[list[str], int]:
    """Take a query that is removed out of its channels' lists, and delete its mutes.

    Return the names of these channels, and how many mutes. No list may become empty: that would mean all queries.
    """
    with db.transaction():
        changed = {channel: each for channel, each in _named_queries(db, workspace_id) if name in each}
        for channel, queries_of in changed.items():
            _hear(db, channel, [each for each in queries_of if each != name])
        rows = Channel.select(Channel.name).where(Channel.id.in_(list(changed))).order_by(Channel.id)
        return [name for (name,) in rows.tuples().execute(db.peewee)], mutes.remove_query(db, workspace_id, name)


def _named_queries(db: Db, workspace_id: int) -> list[tuple[int, list[str]]]:
    rows = Channel.select(Channel.id, Channel.queries).where(Channel.workspace == workspace_id)
    return [(channel, msgspec.json.decode(names)) for channel, names in rows.tuples().execute(db.peewee)]


def _hear(db: Db, channel_id: int, names: Sequence[str]) -> None:
    Channel.update(queries=msgspec.json.encode(names).decode()).where(Channel.id == channel_id).execute(db.peewee)


def _save_channels(
    db: Db,
    workspace_id: int,
    wanted: Iterable[ChannelSpec],
    now: float,
    secret: Callable[[ChannelSpec], str | None],
) -> None:
    _remove_other_channels(db, workspace=workspace_id, names=[channel.name for channel in wanted])
    for channel in wanted:
        save_channel(db, workspace_id, channel, now, secret)


@compiled
def _remove_other_channels(db: Db, workspace: Any, names: Any) -> Any:
    return Channel.delete().where(Channel.workspace == workspace, not_among(Channel.name, names))


def save_channel(
    db: Db, workspace_id: int, channel: ChannelSpec, now: float, secret: Callable[[ChannelSpec], str | None]
) -> None:
    """Add a channel to the workspace, or change the one of its name, which enables it."""
    same = (Channel.workspace == workspace_id) & (Channel.name == channel.name)
    row = next(iter(_channel_named(db, workspace=workspace_id, name=channel.name)), None)
    values = {
        "url": channel.url,
        "mode": channel.mode,
        "min_gap": span_seconds(channel.min_gap),
        "max_per_hour": channel.max_per_hour,
        "summary_every": span_seconds(channel.summary_every),
        "queries": msgspec.json.encode(channel.queries).decode(),
    }
    if row is None:
        _insert_channel(db, workspace=workspace_id, name=channel.name, created_at=now, secret=secret(channel), **values)
    else:
        generated = secret(channel)  # None: this kind of channel signs nothing, and has no secret
        kept = channel.secret or (generated and (row[0] or generated))
        # A wait by the former pace or hours ends; the sweep finds what waited for it.
        changes = {**channels.HEALTHY, Channel.wake_at: 0}
        Channel.update(changes, secret=kept, **values).where(same).execute(db.peewee)
        _end_quiet_hours(db, channel=row[1], now=now)
        if row[2] is not None:
            channels.enable(db, row[1], now)


@compiled
def _end_quiet_hours(db: Db, channel: Any, now: Any) -> Any:
    """Make due what quiet hours hold: the next claim holds it again if they still do."""
    return Delivery.update(due_at=now).where(
        Delivery.channel == channel,
        Delivery.state == PENDING,
        Delivery.held_by == HELD_BY_QUIET_HOURS,
        Delivery.due_at > now,
    )


@compiled
def _channel_named(db: Db, workspace: Any, name: Any) -> Any:
    columns = (Channel.secret, Channel.id, Channel.disabled_at)
    return Channel.select(*columns).where(Channel.workspace == workspace, Channel.name == name)


@compiled
def _insert_channel(db: Db, **values: Any) -> Any:
    return Channel.insert(**values)


def remove_channel(db: Db, workspace_id: int, name: str) -> bool:
    """Delete a channel with its deliveries; return False if it was removed already."""
    same = (Channel.workspace == workspace_id) & (Channel.name == name)
    return bool(Channel.delete().where(same).execute(db.peewee))


def load(db: Db, workspace_id: int, *, secrets: bool) -> WorkspaceSpec:
    """Return the workspace as its owner would write it; without ``secrets``, its secrets are left out."""
    row = Workspace.select().where(Workspace.id == workspace_id).get(db.peewee)
    watches = (
        Watch.select(Feed.source, Feed.place, Watch.kinds)
        .join(Feed, on=(Watch.feed == Feed.id))
        .where(Watch.workspace == workspace_id)
        .order_by(Feed.source, Feed.place)
    )
    watched = (
        (source, place, [word for word in KINDS if KINDS_IN[word][0] in kinds.split()])
        for source, place, kinds in watches.tuples().execute(db.peewee)
    )
    query_rows = (
        Query.select(Query.name, Query.text, Query.scope)
        .where(Query.workspace == workspace_id, Query.removed_at.is_null())
        .order_by(Query.id)
    )
    channel_rows = Channel.select(*CHANNEL_COLUMNS).where(Channel.workspace == workspace_id).order_by(Channel.id)
    return WorkspaceSpec(
        slug=row.slug,
        name=row.name,
        timezone=row.timezone,
        every=row.every,
        digest=row.digest or "",
        quiet=row.quiet,
        working=row.working,
        query=tuple(
            QuerySpec(name, text, **msgspec.structs.asdict(queries.scope_of(scope)))
            for name, text, scope in query_rows.tuples().execute(db.peewee)
        ),
        channel=tuple(_channel_spec(*row, secrets=secrets) for row in channel_rows.tuples().execute(db.peewee)),
        mute=mutes.load(db, workspace_id),
        **watch_fields(watched),
    )


def _channel_spec(
    name: str, url: str, mode: ChannelMode, secret: str | None, min_gap: float, *pace: Any, secrets: bool
) -> ChannelSpec:
    max_per_hour, summary_every, queries = pace
    return ChannelSpec(
        name=name,
        url=url,
        mode=mode,
        secret=secret if secrets else None,
        min_gap=span_text(min_gap),
        max_per_hour=max_per_hour,
        summary_every=span_text(summary_every),
        queries=_NAMES.decode(queries),
    )


def set_active(db: Db, workspace_id: int, active: bool) -> None:
    """Pause or resume a workspace."""
    with db.transaction():
        Workspace.update(active=active).where(Workspace.id == workspace_id).execute(db.peewee)
        Query.update(revision=queries.next_revision(db)).where(
            Query.workspace == workspace_id, Query.removed_at.is_null()
        ).execute(db.peewee)


def remove(db: Db, workspace_id: int) -> None:
    """Delete the workspace with everything that is its own. Feeds stay: other workspaces may watch them."""
    with db.transaction():
        changed = Workspace.delete().where(Workspace.id == workspace_id).execute(db.peewee)
        if changed != 1:
            raise InvalidInput(f"workspace {workspace_id} was removed already")
        queries.watches_changed(db, workspace_id, queries.next_revision(db))
