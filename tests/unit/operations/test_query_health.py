"""Which queries are worth a look."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
import pytest

from overheard.db import queries, storing
from overheard.db.database import Db
from overheard.db.models import Feed, Query, SampledItem, SampleSource
from overheard.items import Item
from overheard.messages import WorkspaceMatch
from overheard.operations import query_health
from overheard.operations.query_health import QueryHealth
from overheard.workspaces import QuerySpec
from tests.fixtures import Clock, World

DAY = 86400.0


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def states(db: Db, clock: Clock) -> Callable[..., dict[str, QueryHealth]]:
    """The health of all queries by name, of one workspace or of all."""

    def by_name(workspace_id: int | None = None) -> dict[str, QueryHealth]:
        found = query_health.health(db, now=clock(), sample_seconds=DAY, workspace_id=workspace_id)
        return {each.query: each for each in found}

    return by_name


@pytest.fixture
def found(world: World, db: Db, clock: Clock) -> Callable[..., None]:
    """Store mentions of these items by the queries of these names."""

    def store(workspace: int, names: Iterable[str], items: Iterable[Item]) -> None:
        listed = list(items)
        ids = tuple(world.query(workspace, name) for name in names)
        message = world.matched(*[(item, ()) for item in listed], poll=listed[0].id)
        match = WorkspaceMatch(workspace, ids)
        entries = tuple(msgspec.structs.replace(entry, matches=(match,)) for entry in message.items)
        storing.store(db, msgspec.structs.replace(message, items=entries), clock())

    return store


def test_what_finds_too_much_floods(
    world: World, clock: Clock, states: Callable[..., dict[str, QueryHealth]], found: Callable[..., None]
) -> None:
    acme = world.workspace(queries={"many": "acme", "some": "number"})
    clock.advance(2 * DAY)
    found(acme, ["many"], [world.item(number) for number in range(1, 402)])
    found(acme, ["some"], [world.item(number) for number in range(500, 900)])
    assert states() == {
        "many": QueryHealth("acme", "many", "flooding", 401),
        "some": QueryHealth("acme", "some", "ok", 400),
    }
    clock.advance(2 * DAY)
    assert states()["many"].state == "ok", "401 in four days are not 200 a day"
    clock.advance(6 * DAY)
    assert states()["many"] == QueryHealth("acme", "many", "silent", 0)


def test_backfilled_mentions_are_not_counted(
    world: World, states: Callable[..., dict[str, QueryHealth]], found: Callable[..., None]
) -> None:
    acme = world.workspace(queries={"a": "acme"})
    found(acme, ["a"], [world.item(number, created_at=1.0) for number in range(1, 300)])
    assert states()["a"].hits_7d == 0


def test_silence_is_judged_by_the_sample_and_without_one_after_a_week(
    world: World, db: Db, clock: Clock, states: Callable[..., dict[str, QueryHealth]]
) -> None:
    world.workspace(queries={"a": "acme", "z": "zebra"})
    clock.advance(6 * DAY)
    world.sample(world.item(1), world.item(2, title="", body="quiet"))
    assert {each.state for each in states().values()} == {"ok"}, "a sample of a moment says nothing"
    SampleSource.update(since=1.0).execute(db.peewee)
    assert {name: each.state for name, each in states().items()} == {"a": "ok", "z": "silent"}
    clock.advance(DAY)
    assert {name: each.state for name, each in states().items()} == {"a": "ok", "z": "silent"}
    SampledItem.delete().execute(db.peewee)
    assert {each.state for each in states().values()} == {"silent"}


def test_what_is_found_in_addresses_alone(
    world: World, states: Callable[..., dict[str, QueryHealth]], found: Callable[..., None]
) -> None:
    acme = world.workspace(queries={"links": "acme", "both": "blog", "title": "news"})
    items = [
        world.item(1, title="news", body="see https://blog.example.org/acme and [this](https://acme.org/)", url=""),
        world.item(2, title="news", body="", url="https://acme.org/blog"),
        world.item(3, title="", body="a blog", url=""),
    ]
    found(acme, ["links", "title"], items[:1])
    found(acme, ["links", "both"], items[1:2])
    found(acme, ["both"], items[2:])
    assert {name: each.state for name, each in states().items()} == {"links": "links_only", "both": "ok", "title": "ok"}


def test_near_copies_are_duplicates_of_the_older_query(
    world: World, states: Callable[..., dict[str, QueryHealth]], found: Callable[..., None]
) -> None:
    acme = world.workspace(
        queries={"first": "acme number", "same": "acme AND number", "near": "think acme", "half": "acme", "few": "of"}
    )
    bolt = world.workspace("bolt", queries={"elsewhere": "acme number"})
    found(acme, ["first", "same", "near", "half"], [world.item(number) for number in range(1, 20)])
    found(acme, ["first", "same"], [world.item(20)])
    found(acme, ["half", "few"], [world.item(number) for number in range(30, 34)])
    found(bolt, ["elsewhere"], [world.item(1)])
    assert {name: each.duplicate_of for name, each in states().items()} == {
        "first": None, "same": "first", "near": "first", "half": None, "few": None, "elsewhere": None,
    }  # fmt: skip
    assert states()["near"].state == "duplicate"
    assert states(bolt).keys() == {"elsewhere"}


def test_a_query_that_cannot_be_read_stops_no_other(
    world: World, db: Db, states: Callable[..., dict[str, QueryHealth]], found: Callable[..., None]
) -> None:
    acme = world.workspace(queries={"a": "acme", "b": "number"})
    Query.update(text='"never closed', revision=queries.next_revision(db)).where(Query.name == "a").execute(db.peewee)
    found(acme, ["b"], [world.item(1)])
    assert states() == {"a": QueryHealth("acme", "a", "ok", 0), "b": QueryHealth("acme", "b", "ok", 1)}


def test_queries_with_different_limits_are_no_copies(
    world: World, db: Db, states: Callable[..., dict[str, QueryHealth]]
) -> None:
    limits = [("python", ("python",)), ("rust", ("rust",)), ("everywhere", ()), ("again", ("rust",))]
    specs = tuple(QuerySpec(name, "acme", places=places) for name, places in limits)
    world.save(msgspec.structs.replace(world.spec(subreddits=["python", "rust"]), query=specs))
    world.sample(world.item(1, place="rust"))
    SampleSource.update(since=1.0).execute(db.peewee)
    Feed.update(created_at=1.0).execute(db.peewee)
    assert {name: (each.state, each.duplicate_of) for name, each in states().items()} == {
        "python": ("silent", None), "rust": ("ok", None), "everywhere": ("ok", None), "again": ("duplicate", "rust"),
    }  # fmt: skip
