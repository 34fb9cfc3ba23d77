"""The canary's workspace in the database: the first process creates it, and no listing has it."""

from __future__ import annotations

import msgspec
import pytest

from overheard import canary
from overheard.db import (
    canaries,
    channels,
    deliveries,
    feeds,
    groups,
    heartbeats,
    mentions,
    queries,
    schedules,
    storing,
    workspace_specs,
    workspaces,
)
from overheard.db.database import Db
from overheard.db.mention_filter import MentionFilter
from overheard.db.models import Channel, Delivery, Feed, Mention, Query, StoredItem, Workspace
from overheard.errors import InvalidInput
from overheard.messages import ItemsMatched, MatchedItem, PollPart, WorkspaceMatch
from overheard.sources import ReadRequest
from overheard.sources.canary import CanarySource
from tests.fixtures import Clock, Race, World


def keep(db: Db, clock: Clock, interval: int = 300) -> None:
    canaries.ensure(db, interval, clock(), lambda text, timezone: clock() + 300)


def arrive(world: World, *, sent: bool = True) -> str:
    """Store a canary as the stages do, and deliver it."""
    db, now = world.db, world.clock()
    workspace = workspaces.by_name(db, canary.WORKSPACE).id
    (item,) = CanarySource(clock=world.clock).read(ReadRequest(kind="posts", places=(canary.PLACE,)), budget=None).items  # type: ignore[arg-type]
    entry = MatchedItem(item, (WorkspaceMatch(workspace, (world.query(workspace, "canary"),)),))
    message = ItemsMatched(part=PollPart(poll=item.id, part=0, parts=1), items=(entry,))
    stored = storing.store(db, message, now)
    assert list(stored.channels.values()) == [canary.WORKSPACE]
    assert (stored.mentions, stored.ages) == (0, ()), "no user wrote it"
    ((channel_id, _),) = stored.channels.items()
    (claimed,) = deliveries.claim(db, channel_id, now=now, limit=5, lease=60).deliveries
    if sent:
        deliveries.mark_sent(db, claimed.id, now)
    return str(item.id)


def test_the_canary_is_due_at_once_and_follows_a_changed_interval(world: World, db: Db, clock: Clock) -> None:
    assert canaries.state(db) is None
    keep(db, clock)
    assert canaries.state(db) == canaries.CanaryState(300, clock(), None)
    assert [due.slug for due in schedules.claim_due(db, clock(), 5, lambda due: clock() + 300)] == [canary.WORKSPACE]
    begun = clock.advance(1000)
    keep(db, clock, 60)
    assert canaries.state(db) == canaries.CanaryState(60, begun, None)
    assert world.counts()["Workspace"] == 1
    assert world.rows(Feed, "source", "kind", "place") == [("canary", "posts", canary.PLACE)]
    assert world.rows(Channel, "url", "mode") == [("null://", "instant")]
    ((_, places),) = queries.watches_since(db, 0)
    assert places == ((canary.SOURCE, "post", canary.PLACE),)


def test_a_paused_canary_is_matched_again(world: World, db: Db, clock: Clock) -> None:
    keep(db, clock)
    workspace_specs.set_active(db, workspaces.by_name(db, canary.WORKSPACE).id, False)
    before = queries.revision(db)
    keep(db, clock)
    assert [text for _, _, text, _ in queries.changed_since(db, before)] == [canary.QUERY]


def test_concurrent_ticks_create_one_canary(world: World, db: Db, clock: Clock, race: Race) -> None:
    race(*[lambda: keep(db, clock) for _ in range(4)])
    assert world.counts() | {"Workspace": 1, "Channel": 1, "Query": 1, "Feed": 1, "Watch": 1} == world.counts()


def test_concurrent_ticks_remove_the_canary_completely(world: World, db: Db, clock: Clock, race: Race) -> None:
    acme = world.workspace()
    keep(db, clock)
    arrive(world)
    canaries.record_delivered(db)
    removed = race(*[lambda: canaries.remove(db, clock()) for _ in range(4)])
    assert removed.count(True) == 1
    assert canaries.state(db) is None
    assert heartbeats.last_at(db, canaries.BEAT) is None
    assert world.rows(Workspace, "id") == [(acme,)]
    left = world.counts()
    assert (left["StoredItem"], left["Mention"], left["Delivery"], left["Feed"], left["Query"]) == (0, 0, 0, 1, 1)
    assert canaries.remove(db, clock()) is False


def test_the_canary_is_late_after_three_intervals_without_a_delivery(world: World, db: Db, clock: Clock) -> None:
    keep(db, clock)
    state = canaries.state(db)
    assert state is not None
    assert state.late_since(clock() + 900) is None
    assert state.late_since(clock() + 901) == clock() + 900
    clock.advance(2000)
    arrive(world, sent=False)
    canaries.record_delivered(db)
    state = canaries.state(db)
    assert state is not None
    assert state.delivered_at is None, "stored is not delivered"
    arrived = clock.advance(1)
    arrive_again = Delivery.update(state="sent", sent_at=arrived)
    arrive_again.execute(db.peewee)
    canaries.record_delivered(db)
    state = canaries.state(db)
    assert state is not None
    assert (state.delivered_at, state.late_since(arrived + 900)) == (arrived, None)


def test_when_it_was_last_delivered_outlives_the_rows(world: World, db: Db, clock: Clock) -> None:
    keep(db, clock)
    arrived = clock()
    arrive(world)
    canaries.record_delivered(db)
    clock.advance(86_401)
    assert canaries.prune(db, clock() - canaries.DAY_SECONDS) == 1
    assert world.counts() | {"StoredItem": 0, "Mention": 0, "Delivery": 0} == world.counts()
    canaries.record_delivered(db)
    assert heartbeats.last_at(db, canaries.BEAT) == arrived
    assert canaries.prune(db, clock() - canaries.DAY_SECONDS) == 0


def test_only_canary_items_are_pruned(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    keep(db, clock)
    storing.store(db, world.matched((world.item(), (acme,))), clock())
    arrive(world)
    canaries.prune(db, clock() + 1)
    assert [name for (name,) in world.rows(StoredItem, "ref")] == [world.item().id]
    assert world.counts()["Mention"] == 1


def test_no_listing_or_count_has_the_canary(world: World, db: Db, clock: Clock) -> None:
    keep(db, clock)
    name = arrive(world)
    assert workspaces.overview(db) == []
    assert workspaces.count_active_and_paused(db) == (0, 0)
    assert channels.listing(db) == []
    assert list(mentions.listing(db)) == []
    assert feeds.states(db) == {"ok": 0, "failing": 0, "new": 0}
    Feed.update(fresh_at=5, failures=1).execute(db.peewee)
    assert (feeds.oldest_fresh(db, clock()), feeds.failing(db, 9)) == (None, [])
    # It shows when named.
    assert [mention.item for _, mention in mentions.listing(db, MentionFilter(workspace=canary.WORKSPACE))] == [name]
    assert [channel.name for channel in channels.listing(db, canary.WORKSPACE)] == ["null"]
    assert workspaces.by_name(db, canary.WORKSPACE).slug == canary.WORKSPACE


def test_the_canary_s_feed_joins_no_other(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    keep(db, clock)
    (own,) = feeds.stale_of(db, acme, "reddit", now=clock(), fresh_since=clock())
    group = groups.Group(0, own.source, own.kind, None, 0.0, 0.0, None)
    assert [other.places for other in feeds.never_read(db, group, now=clock(), room=9)] == [("python",)]
    group = msgspec.structs.replace(group, source=canary.SOURCE)
    assert [other.places for other in feeds.never_read(db, group, now=clock(), room=9)] == [(canary.PLACE,)]


def test_a_user_s_workspace_with_the_canary_s_slug_is_left_alone(world: World, db: Db, clock: Clock) -> None:
    world.workspace(canary.WORKSPACE)
    with pytest.raises(InvalidInput, match=f"a workspace of yours has its slug, {canary.WORKSPACE}"):
        keep(db, clock)
    assert not canaries.remove(db, clock())
    assert world.rows(Query, "text") == [("acme",)]
    assert world.counts()["Mention"] == 0
    assert workspace_specs.load(db, workspaces.by_name(db, canary.WORKSPACE).id, secrets=False).subreddits == (
        "python",
    )
    assert Mention.select().count(db.peewee) == 0
