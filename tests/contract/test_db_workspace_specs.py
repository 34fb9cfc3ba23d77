"""Workspaces that watch several sources: what is saved is what they watch, and nothing else changes."""

from __future__ import annotations

import msgspec
import pytest

from overheard.db import queries, retention, storing, workspace_specs, workspaces
from overheard.db.database import Db
from overheard.db.models import Channel, Delivery, Feed, Query, Watch
from overheard.db.retention import DAY_SECONDS, RetentionAges
from overheard.matching.language.query_scope import QueryScope
from overheard.workspaces import QuerySpec, WatchSpec, WorkspaceSpec, validated
from tests.fixtures import Clock, Race, World

BOTH = ("posts", "comments")
REPLAY, REDDIT = WatchSpec("replay", ("python",), BOTH), WatchSpec("reddit", ("python",), ("posts",))


def watched(world: World, workspace_id: int) -> list[tuple[str, str, str, str]]:
    """(source, kind, place, kinds watched) of each of its feeds."""
    rows = (
        Watch.select(Feed.source, Feed.kind, Feed.place, Watch.kinds)
        .join(Feed, on=(Watch.feed == Feed.id))
        .where(Watch.workspace == workspace_id)
    )
    return sorted(rows.tuples().execute(world.db.peewee))


@pytest.mark.parametrize(
    "watch",
    [
        (REDDIT, REPLAY),
        (REPLAY,),
        (WatchSpec("reddit", ("linux",), BOTH), WatchSpec("reddit", ("python",), ("comments",))),
        (WatchSpec("replay", ("all",), ("posts",)), WatchSpec("replay", ("python",), ("comments",)), REDDIT),
    ],
)
def test_watches_come_back_as_they_were_written(world: World, db: Db, watch: tuple[WatchSpec, ...]) -> None:
    spec = validated(world.spec(subreddits=(), watch=watch))
    found = workspace_specs.load(db, world.save(spec), secrets=False)
    assert (found.subreddits, sorted(found.watch, key=str)) == ((), sorted(watch, key=str))
    assert workspace_specs.load(db, world.save(found), secrets=False) == found


def test_a_mixed_listing_is_one_feed_with_the_watched_kinds(world: World) -> None:
    acme = world.workspace(subreddits=(), watch=(WatchSpec("replay", ("Python",), ("comments",)), REDDIT))
    assert watched(world, acme) == [("reddit", "posts", "python", "post"), ("replay", "items", "python", "comment")]


def test_a_place_of_one_name_in_two_sources_is_two_feeds(world: World, db: Db) -> None:
    world.workspace(subreddits=["python"])
    bolt = world.workspace("bolt", subreddits=(), watch=(REPLAY,))
    assert len(world.rows(Feed)) == 2
    world.workspace("bolt", subreddits=["rust"])
    assert watched(world, bolt) == [("reddit", "posts", "rust", "post")]


def test_a_file_with_reddit_only_ends_this_workspace_s_other_watches(world: World, db: Db) -> None:
    acme = world.workspace(subreddits=["python"], watch=(REPLAY,))
    bolt = world.workspace("bolt", subreddits=(), watch=(REPLAY,))
    world.workspace(subreddits=["python"])
    assert watched(world, acme) == [("reddit", "posts", "python", "post")]
    assert watched(world, bolt) == [("replay", "items", "python", "post comment")]


def test_changed_kinds_keep_the_watch_s_beginning_and_reach_the_index(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(subreddits=(), watch=(REPLAY,))
    began, before = clock(), queries.revision(db)
    Feed.update(fresh_at=began).execute(db.peewee)
    clock.advance(1000)
    world.workspace(subreddits=(), watch=(WatchSpec("replay", ("python",), ("posts",)),))
    assert world.rows(Watch, "created_at", "kinds") == [(began, "post")]
    assert list(queries.watches_since(db, before)) == [(acme, (("replay", "post", "python"),))]
    assert world.rows(Feed, "fresh_at") == [(began,)], "the feed is read already"


def test_a_scope_comes_back_and_its_change_is_a_change_of_the_query(world: World, db: Db) -> None:
    def save(*scopes: dict[str, tuple[str, ...]]) -> WorkspaceSpec:
        query = tuple(QuerySpec(f"q{number}", "acme", **scope) for number, scope in enumerate(scopes))
        spec = validated(msgspec.structs.replace(world.spec(subreddits=["python", "rust"]), query=query))
        found = workspace_specs.load(db, world.save(spec), secrets=False)
        assert found.query == query
        return found

    save({"places": ("python",), "sources": ("reddit",), "kinds": ("posts",)}, {})
    before = queries.revision(db)
    save({"places": ("rust",)}, {})
    [(_, _, text, scope)] = queries.changed_since(db, before)
    assert (text, scope) == ("acme", QueryScope(places=("rust",)))
    assert [scope for *_, scope in queries.all_texts(db)] == [QueryScope(places=("rust",)), QueryScope()]
    before = queries.revision(db)
    save({"places": ("rust",)}, {})
    assert list(queries.changed_since(db, before)) == [], "unchanged queries keep their revision"
    save({}, {})
    assert [scope for *_, scope in queries.changed_since(db, before)] == [QueryScope()]


def test_saving_queries_changes_nothing_else(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(queries={"brand": "acme", "other": "x"})
    Channel.update(disabled_at=1.0).execute(db.peewee)
    before, spec = queries.revision(db), workspace_specs.load(db, acme, secrets=False)
    [brand, other] = spec.query
    with db.transaction():
        workspaces.lock(db, acme)
        workspace_specs.save_queries(db, acme, (QuerySpec("new", "y", kinds=("posts",)), brand), clock())
    assert workspace_specs.load(db, acme, secrets=False) == msgspec.structs.replace(
        spec, query=(brand, QuerySpec("new", "y", kinds=("posts",)))
    )
    assert [text for _, _, text, _ in queries.changed_since(db, before)] == [None, "y"]
    assert world.rows(Channel, "disabled_at") == [(1.0,)]
    assert other.name == "other"


def test_queries_added_at_the_same_time_are_all_kept(world: World, db: Db, clock: Clock, race: Race) -> None:
    acme = world.workspace(queries={})

    def add(name: str) -> None:
        with db.transaction():
            workspaces.lock(db, acme)
            had = workspace_specs.load(db, acme, secrets=False).query
            workspace_specs.save_queries(db, acme, (*had, QuerySpec(name, "acme")), clock())

    race(*[lambda name=name: add(name) for name in "abcdef"])
    found = workspace_specs.load(db, acme, secrets=False).query
    assert sorted(query.name for query in found) == list("abcdef")


def test_a_query_that_is_added_again_reuses_its_row(world: World, db: Db) -> None:
    acme = world.workspace(queries={"brand": "acme"})
    row = world.query(acme)
    world.workspace(queries={"other": "x"})
    [(removed_at,)] = Query.select(Query.removed_at).where(Query.id == row).tuples().execute(db.peewee)
    assert removed_at is not None
    world.workspace(queries={"brand": "acme OR acmedb"})
    assert (world.query(acme), world.rows(Query, "text", "removed_at")[0]) == (row, ("acme OR acmedb", None))


def test_a_removed_query_goes_with_the_last_mention_that_names_it(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(queries={"brand": "acme", "unused": "x", "kept": "y"})
    storing.store(db, world.matched((world.item(), (acme,))), clock())
    Delivery.update(state="sent").execute(db.peewee)
    world.workspace(queries={"kept": "y"})

    def left(days: float) -> list[str]:
        retention.prune(db, RetentionAges(mentions=90, deliveries=30, dead_letters=60), clock() + days * DAY_SECONDS)
        return [name for (name,) in world.rows(Query, "name")]

    assert left(0.5) == ["brand", "unused", "kept"], "it may be named again"
    assert left(2) == ["brand", "kept"]
    assert left(91) == ["kept"]
