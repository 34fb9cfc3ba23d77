"""Erasing on request: everything of an author, or of a workspace, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from overheard.bus.envelope import StrictEncoder, pack
from overheard.db import dead_letters, digests, erasure_requests, new_mentions, queries, storing
from overheard.db.budgets import DatabaseLimiter
from overheard.db.database import Db
from overheard.db.erasure import ErasedCounts
from overheard.db.models import Budget, DeadLetter, Feed, Mention, StoredItem
from overheard.db.token_rates import Rate
from overheard.messages import ComposeDigest, FetchWorkspace, Message, NotifyChannel
from tests.fixtures import Clock, Race, World

ENCODER = StrictEncoder()


@pytest.fixture
def dead_letter(db: Db) -> Callable[[Message | str], None]:
    def record(what: Message | str) -> None:
        body = what if isinstance(what, str) else ENCODER.encode(dict(pack(what).asdict())).decode()
        number = DeadLetter.select().count(db.peewee)
        dead_letters.record(
            db, message_id=str(number), stage="x", origin="nack", reason="", traceback=None, body=body, now=1.0
        )

    return record


def all_text(world: World) -> str:
    """Everything in every table."""
    from overheard.db.models import TABLES

    return str([world.rows(table) for table in TABLES]).lower()


def test_nothing_of_an_author_is_left(world: World, db: Db, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure_requests, "ERASE_BATCH_ROWS", 4)
    acme = world.workspace(channels={"now": "instant", "daily": "digest"})
    hers = [world.item(number, author="Some-One", body="her words") for number in range(1, 11)]
    other = [world.item(number, author="some-one2") for number in range(20, 23)]
    storing.store(db, world.matched(*[(item, (acme,)) for item in hers], poll="a"), clock())
    digests.compose(db, acme, clock(), clock())
    storing.store(db, world.matched(*[(item, (acme,)) for item in other], poll="b"), clock())

    counted = erasure_requests.count_author(db, "reddit", "sOME-one")
    assert counted == ErasedCounts(items=10, mentions=10, deliveries=20)
    assert world.counts()["StoredItem"] == 13, "counting erases nothing"
    erased = ErasedCounts(items=10, mentions=10, deliveries=20, digests=1)
    assert erasure_requests.erase_author(db, "reddit", "sOME-one", clock()) == erased
    assert "her words" not in all_text(world)
    assert "'some-one'" not in all_text(world)
    assert world.counts() | {"StoredItem": 3, "Mention": 3} == world.counts()
    assert erasure_requests.erase_author(db, "reddit", "sOME-one", clock()) == ErasedCounts()


@pytest.mark.parametrize(
    "name", ["Ada@mastodon.example", "did:plc:z72i7hdynmk6r22z27h6tvur", "Ärger, Øystein & Ç. 鈴木"]
)
def test_authors_of_any_source_are_found_as_their_names_are_shown(
    world: World, db: Db, clock: Clock, name: str
) -> None:
    acme = world.workspace()
    storing.store(db, world.matched((world.item(1, author=name), (acme,))), clock())
    assert erasure_requests.count_author(db, "mastodon", name).items == 0, "of this source only"
    assert erasure_requests.erase_author(db, "reddit", name, clock()).items == 1
    storing.store(db, world.matched((world.item(2, author=name.upper()), (acme,)), poll="b"), clock())
    assert world.counts()["StoredItem"] == 0
    assert name.lower() not in all_text(world)


def test_a_forgotten_author_does_not_come_back_until_it_is_undone(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    item, other = world.item(1, author="Ada"), world.item(2, author="bob")
    storing.store(db, world.matched((item, (acme,)), poll="a"), clock())
    erasure_requests.erase_author(db, "reddit", "ADA", clock())
    both = [
        (item, (acme,)),
        (other, (acme,)),
        (world.item(3, author="aDa"), (acme,)),
        (world.item(4, author=None), (acme,)),
    ]
    storing.store(db, world.matched(*both, poll="b"), clock.advance(30 * 86400))
    assert world.rows(StoredItem, "author") == [("bob",), (None,)]
    assert erasure_requests.allow_author(db, "reddit", "ada")
    assert not erasure_requests.allow_author(db, "reddit", "ada")
    storing.store(db, world.matched((world.item(5, author="Ada"), (acme,)), poll="c"), clock())
    assert ("Ada",) in world.rows(StoredItem, "author")


def test_an_author_erased_while_a_poll_stores_them_is_gone(world: World, db: Db, clock: Clock, race: Race) -> None:
    acme = world.workspace()
    for turn in range(12):
        author = f"quill{turn}"  # in no hexadecimal id
        messages = [
            world.matched(
                *[(world.item(1000 * turn + 100 * part + number, author=author), (acme,)) for number in range(20)],
                poll=f"{turn} {part}",
            )
            for part in range(4)
        ]
        storing.store(db, messages[0], clock())

        def stored(messages: Any = messages) -> None:
            for message in messages[1:]:
                storing.store(db, message, clock())

        race(stored, lambda author=author: erasure_requests.erase_author(db, "reddit", author, clock()))
        assert world.counts() | {"StoredItem": 0, "Mention": 0, "Delivery": 0} == world.counts()


def test_postgresql_erasing_an_author_waits_for_a_store_under_way(
    world: World, db: Db, clock: Clock, race: Race, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exact moment: store has checked the tombstones, and has not committed yet."""
    if db.sqlite:
        return  # SQLite has one writer at a time: this moment does not occur
    acme = world.workspace()
    looked, forgotten = threading.Event(), threading.Event()
    mentions = new_mentions.add

    def slowly(*args: Any) -> Any:
        looked.set()
        forgotten.wait(0.3)  # it cannot signal that it waits: it waits in the server
        return mentions(*args)

    monkeypatch.setattr(new_mentions, "add", slowly)

    def forget() -> ErasedCounts:
        assert looked.wait(60)
        tally = erasure_requests.erase_author(db, "reddit", "ada", clock())
        forgotten.set()
        return tally

    message = world.matched((world.item(1, author="Ada"), (acme,)))
    _, tally = race(lambda: storing.store(db, message, clock()), forget)
    assert tally.items == 1
    assert world.counts()["StoredItem"] == 0


def test_nothing_of_a_workspace_is_left(
    world: World, db: Db, clock: Clock, dead_letter: Callable[[Message | str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure_requests, "ERASE_BATCH_ROWS", 4)
    acme = world.workspace(
        "acme", subreddits=["python", "secretsub"], queries={"brand": "acmesecret"}, name="Acmename",
        channels={"now": "instant", "daily": "digest"}, url="https://example.org/secret-path",
    )  # fmt: skip
    bolt = world.workspace("bolt", subreddits=["python"], queries={"brand": "bolt"})
    limiter = DatabaseLimiter(db, {"channel": Rate(60, 1)})
    for channel in (world.channel(acme, "now"), world.channel(bolt)):
        limiter.reserve(f"channel:{channel}")
    shared, own = world.item(1), [world.item(number, body="own words") for number in range(2, 12)]
    storing.store(db, world.matched((shared, (acme, bolt)), *[(item, (acme,)) for item in own], poll="a"), clock())
    digests.compose(db, acme, clock(), clock())
    dead_letter(FetchWorkspace(workspace_id=acme, source="reddit", fresh_since=0))
    dead_letter(NotifyChannel(channel_id=world.channel(acme, "now")))
    dead_letter(ComposeDigest(workspace_id=acme, period_end=1.0))
    dead_letter(f'{{"workspace":{acme},"x":1}}')
    dead_letter('{"workspace": "acme", "x": 1}')
    dead_letter('{"workspace":"acme",')
    others = [
        NotifyChannel(channel_id=world.channel(bolt)), NotifyChannel(channel_id=10 * world.channel(acme, "now")),
        FetchWorkspace(workspace_id=10 * acme, source="reddit", fresh_since=0),
        '{"workspace": "bolt"}', '{"workspace": "acmes"}',
    ]  # fmt: skip
    for other in others:
        dead_letter(other)

    expected = erasure_requests.ErasedWorkspaceCounts(
        mentions=11, deliveries=23, items=10, letters=6, channels=2, queries=1, feeds=1
    )
    before = world.counts()
    assert erasure_requests.count_workspace(db, acme) == expected
    assert world.counts() == before
    revision = queries.revision(db)
    assert erasure_requests.erase_workspace(db, acme, clock()) == expected

    left = all_text(world)
    for secret in ("own words", "acmesecret", "secret-path", "secretsub", "acmename", "'acme'"):
        assert secret not in left, secret
    assert (
        world.counts()
        | {
            "Workspace": 1,
            "Channel": 1,
            "Query": 1,
            "StoredItem": 1,
            "Mention": 1,
            "Delivery": 1,
            "DeadLetter": len(others),
            "Budget": 1,
        }
        == world.counts()
    )
    assert world.rows(Mention, "workspace_id") == [(bolt,)]
    assert world.rows(Feed, "place") == [("python",)]
    assert world.rows(Budget, "key") == [(f"channel:{world.channel(bolt)}",)]
    assert list(queries.watches_since(db, revision)) == [(acme, None)], "match takes it out of its index"
    late = storing.store(db, world.matched((world.item(50), (bolt,)), poll="late"), clock())
    assert len(late.ages) == 1


def test_a_workspace_erased_while_store_stores_for_it_is_gone(world: World, db: Db, clock: Clock, race: Race) -> None:
    for turn in range(10):
        acme = world.workspace("acme")
        messages = [
            world.matched(*[(world.item(100 * part + number), (acme,)) for number in range(20)], poll=f"{turn} {part}")
            for part in range(5)
        ]
        storing.store(db, messages[0], clock())

        def stored(messages: Any = messages) -> None:
            for message in messages[1:]:
                storing.store(db, message, clock())

        race(stored, lambda acme=acme: erasure_requests.erase_workspace(db, acme, clock()))
        assert world.counts() | {"Workspace": 0, "Mention": 0, "Delivery": 0, "Channel": 0} == world.counts()
        StoredItem.delete().execute(db.peewee)
