"""Erasing items everywhere at once and permanently, also while others store, send and erase."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from overheard.db import deliveries, digests, erasure, erasure_requests, rechecks, retention, storing
from overheard.db.database import Db
from overheard.db.erasure import ErasedCounts
from overheard.db.models import Delivery, Erased, Mention, StoredItem
from overheard.db.rechecks import RECHECK_LEASE_SECONDS, RecheckBatch
from overheard.db.retention import DAY_SECONDS, RetentionAges
from overheard.errors import NotFound
from overheard.items import Item
from overheard.messages import ItemsMatched, MatchedItem, PollPart, WorkspaceMatch
from tests.fixtures import Clock, Race, World

ROUNDS = 15


@pytest.fixture
def told(world: World, db: Db, clock: Clock) -> Callable[..., int]:
    """Store so many items for a workspace; return the workspace."""

    def store(count: int = 1, slug: str = "acme", first: int = 1, **fields: Any) -> int:
        channels = fields.pop("channels", {"team": "instant"})
        acme = int(world.workspace(slug, channels=channels))
        items = [(world.item(number, **fields), (acme,)) for number in range(first, first + count)]
        storing.store(db, world.matched(*items, poll=f"{slug} {first}"), clock())
        return acme

    return store


def ids(db: Db, *names: str) -> list[int]:
    rows = (
        StoredItem.select(StoredItem.id)
        .where(StoredItem.ref.in_(names))
        .order_by(StoredItem.ref)
        .tuples()
        .execute(db.peewee)
    )
    return [item_id for (item_id,) in rows]


# -- an item


def test_an_item_is_erased_with_its_mentions_and_deliveries_in_every_state(
    world: World, db: Db, clock: Clock, told: Callable[..., int]
) -> None:
    acme = told(4, channels={"now": "instant", "daily": "digest"})
    told(2, slug="bolt")
    for number, state in enumerate(("pending", "sent", "failed")):
        its = Delivery.select(Delivery.id).join(Mention).where(Mention.item == ids(db, f"t3_{number + 1}")[0])
        Delivery.update(state=state, error="acme number 1").where(
            Delivery.id.in_(its), Delivery.channel == world.channel(acme, "now")
        ).execute(db.peewee)
    gone = erasure.erase_items(db, ids(db, "t3_1", "t3_2", "t3_3"), clock())
    assert gone == ErasedCounts(items=3, mentions=5, deliveries=8)
    assert world.rows(StoredItem, "ref") == [("t3_4",)]
    assert world.counts() | {"Mention": 1, "Delivery": 2, "Erased": 3} == world.counts()
    assert erasure.erase_items(db, [1, 2, 3, 99], clock()) == ErasedCounts(), "a second time nothing is left to do"


def test_an_item_is_erased_from_an_unsent_digest_and_an_empty_one_is_deleted(
    world: World, db: Db, clock: Clock, told: Callable[..., int]
) -> None:
    acme = told(3, channels={"daily": "digest"})
    daily = world.channel(acme, "daily")
    digests.compose(db, acme, clock(), clock())
    Delivery.update(error="acme number 1").where(Delivery.period_end == 1.0).execute(db.peewee)
    told(1, first=10, channels={"daily": "digest"})
    assert erasure.erase_items(db, ids(db, "t3_1"), clock()).digests == 0
    [digest] = deliveries.claim(db, daily, now=clock(), limit=5, lease=60).deliveries
    contents = deliveries.contents(db, digest)
    assert contents is not None
    assert [mention.item for mention in contents.notice.mentions] == ["t3_2", "t3_3"]
    assert world.row(Delivery, digest.id).error is None, "a failed try may have quoted it"
    assert erasure.erase_items(db, ids(db, "t3_2", "t3_3"), clock()).digests == 1
    assert deliveries.contents(db, digest) is None
    assert digests.compose(db, acme, clock(), clock()) == [daily], "held mentions go into the next digest as usual"


def test_a_digest_that_was_sent_stays_sent(world: World, db: Db, clock: Clock, told: Callable[..., int]) -> None:
    acme = told(1, channels={"daily": "digest"})
    digests.compose(db, acme, clock(), clock())
    Delivery.update(state="sent").where(Delivery.period_end == clock()).execute(db.peewee)
    assert erasure.erase_items(db, ids(db, "t3_1"), clock()).digests == 0
    assert world.rows(Delivery, "state") == [("sent",)]
    assert digests.compose(db, acme, clock(), clock()) == [], "the period has had its digest"


# -- a post's title in other people's comments


def below(world: World, number: int, post: str, **fields: Any) -> Any:
    link = f"https://www.reddit.com/r/Python/comments/{post}/her_secret/{number}/"
    given = {"author": "eve", "thread": f"t3_{post}", "thread_title": "Her secret", "permalink": link} | fields
    return world.item(number, kind="comment", **given)


@pytest.mark.parametrize("way", ["erase", "forget"])
def test_a_post_s_title_is_erased_from_the_comments_below_it(world: World, db: Db, clock: Clock, way: str) -> None:
    acme = world.workspace()
    post = world.item(1, title="Her secret", author="ada")
    link = "https://www.reddit.com/comments/1/"
    comments = [
        below(world, 2, "1"),
        below(world, 3, "1", permalink=link),
        below(world, 4, "11", thread_title="Another"),
    ]
    other = world.item(5, title="Her secret?", permalink="https://www.reddit.com/r/Python/comments/1/her_secret/")
    storing.store(db, world.matched(*[(item, (acme,)) for item in (post, other, *comments)]), clock())
    if way == "erase":
        erasure.erase_items(db, ids(db, "t3_1"), clock())
    else:
        erasure_requests.erase_author(db, "reddit", "Ada", clock())
    rows = {row["ref"]: row for row in world.rows(StoredItem)}
    assert rows.keys() == {"t1_2", "t1_3", "t1_4", "t3_5"}
    first, bare, another, post_too = rows["t1_2"], rows["t1_3"], rows["t1_4"], rows["t3_5"]
    assert (first["thread_title"], first["author"]) == ("", "eve")
    assert first["permalink"] == "https://www.reddit.com/r/Python/comments/1/_/2/"
    assert (bare["thread_title"], bare["permalink"]) == ("", link)
    assert (another["thread_title"], another["permalink"]) == ("Another", comments[2].permalink), (
        "it is below another post"
    )
    assert post_too["title"] == "Her secret?"


def test_a_late_comment_is_stored_without_the_erased_title(
    world: World, db: Db, clock: Clock, told: Callable[..., int]
) -> None:
    acme = told(1)
    erasure.erase_items(db, ids(db, "t3_1"), clock())
    late = world.matched((below(world, 2, "1"), (acme,)), (below(world, 3, "11"), (acme,)), poll="late")
    storing.store(db, late, clock())
    assert world.rows(StoredItem, "ref", "thread_title") == [("t1_2", ""), ("t1_3", "Her secret")]
    assert "her_secret" not in world.rows(StoredItem, "permalink")[0][0]


@pytest.mark.parametrize("late", [False, True])
def test_what_was_found_in_an_erased_title_is_forgotten(world: World, db: Db, clock: Clock, late: bool) -> None:
    acme = world.workspace(kinds=("posts", "comments"))
    query = world.query(acme)
    match = WorkspaceMatch(
        acme,
        (query,),
        highlights=(("body", 0, 1), ("thread", 4, 10)),
        why=((query, "secret", "thread", 4, 10), (query, "b", "body", 0, 1)),
    )
    part = PollPart(poll="c", part=0, parts=1)
    comment = ItemsMatched(part=part, items=(MatchedItem(below(world, 2, "1"), (match,)),))
    storing.store(db, world.matched((world.item(1), (acme,))), clock())
    if not late:
        storing.store(db, comment, clock())
    erasure.erase_items(db, ids(db, "t3_1"), clock())
    if late:
        storing.store(db, comment, clock())
    assert world.rows(Mention, "highlights", "why") == [('[["body",0,1]]', f'[[{query},"b","body",0,1]]')]


def test_a_recheck_does_not_restore_an_erased_title(
    world: World, db: Db, clock: Clock, told: Callable[..., int]
) -> None:
    acme = told(1)
    comment = below(world, 2, "1")
    storing.store(db, world.matched((comment, (acme,)), poll="c"), clock())
    erasure.erase_items(db, ids(db, "t3_1"), clock())
    [batch] = rechecks.claim(db, "reddit", size=100, before=clock(), now=clock(), requests=1)
    [stored], _ = rechecks.take_over(db, batch, clock())
    assert rechecks.as_edited(stored, comment, clock()) is None
    edit = rechecks.as_edited(stored, msgspec.structs.replace(comment, body="other words"), clock())
    assert edit is not None
    storing.store(db, world.matched((edit, ()), poll="recheck"), clock())
    [row] = world.rows(StoredItem)
    assert (row["body"], row["thread_title"]) == ("other words", "")
    assert row["permalink"] == "https://www.reddit.com/r/Python/comments/1/_/2/"


@pytest.mark.parametrize("days", [0, 30])
def test_an_edit_does_not_restore_an_erased_title(world: World, db: Db, clock: Clock, days: int) -> None:
    acme = world.workspace(kinds=("posts", "comments"))
    query = world.query(acme)
    comments = [below(world, 2, "1"), below(world, 3, "11", permalink="https://www.reddit.com/r/a/comments/11/_/3/")]
    storing.store(db, world.matched(*[(each, (acme,)) for each in (world.item(1), *comments)], poll="c"), clock())
    erasure.erase_items(db, ids(db, "t3_1"), clock())
    clock.advance(days * DAY_SECONDS)
    Erased.delete().where(Erased.at < clock() - erasure.TOMBSTONE_SECONDS).execute(db.peewee)
    match = WorkspaceMatch(acme, (query,), highlights=(("body", 0, 1), ("thread", 4, 10)))
    edited = [msgspec.structs.replace(each, body="new words", edited_at=clock()) for each in comments]
    part = PollPart(poll="e", part=0, parts=1)
    storing.store(db, ItemsMatched(part=part, items=tuple(MatchedItem(each, (match,)) for each in edited)), clock())
    assert world.rows(StoredItem, "ref", "body", "thread_title") == [
        ("t1_2", "new words", ""),
        ("t1_3", "new words", "Her secret"),
    ]
    assert "her_secret" not in world.rows(StoredItem, "permalink")[0][0]
    assert world.rows(Mention, "highlights") == [('[["body",0,1]]',), ('[["body",0,1],["thread",4,10]]',)]


def test_comments_below_a_post_are_found_by_an_index(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    comments = [(below(world, 1000 + number, f"{number}"), (acme,)) for number in range(300)]
    storing.store(db, world.matched(*comments), clock())
    query = StoredItem.select(StoredItem.id).where(
        StoredItem.source == "reddit", StoredItem.thread.in_(["t3_7", "t3_8"])
    )
    assert "item_source_thread" in plan(db, query)


def plan(db: Db, query: Any) -> str:
    """Return the plan that the database would use with many rows."""
    sql, params = db.peewee.get_sql_context().sql(query).query()  # type: ignore[no-untyped-call]
    if not db.sqlite:
        db.peewee.execute_sql("ANALYZE item")
        db.peewee.execute_sql("SET enable_seqscan = off")  # so few rows are read quicker as they stand
    explain = "EXPLAIN QUERY PLAN" if db.sqlite else "EXPLAIN"
    return str(db.peewee.execute_sql(f"{explain} {sql}", params).fetchall())


# -- it does not come back


def test_a_late_copy_on_the_bus_is_not_stored_again(
    world: World, db: Db, clock: Clock, told: Callable[..., int]
) -> None:
    acme = told(2)
    erasure.erase_items(db, ids(db, "t3_1"), clock())
    late = world.matched(*[(world.item(number), (acme,)) for number in (1, 2, 3)], poll="late")
    stored = storing.store(db, late, clock())
    assert sorted(name for (name,) in world.rows(StoredItem, "ref")) == ["t3_2", "t3_3"]
    assert len(stored.ages) == 1
    later = clock.advance(8 * DAY_SECONDS)
    retention.prune(db, RetentionAges(90, 90, 90), later)
    assert world.counts()["Erased"] == 0, "after a week nothing holds a copy any more"


def test_an_item_older_than_retention_is_not_stored(world: World, db: Db, clock: Clock) -> None:
    """A quiet subreddit's listing still has items that retention deleted: they must not come back again and again."""
    acme = world.workspace()
    old, young = (
        world.item(1, created_at=clock() - 7 * DAY_SECONDS - 1),
        world.item(2, created_at=clock() - 7 * DAY_SECONDS),
    )
    stored = storing.store(
        db, world.matched((old, (acme,)), (young, (acme,))), clock(), kept_for=lambda source: 7 * DAY_SECONDS
    )
    assert world.rows(StoredItem, "ref") == [("t3_2",)]
    assert stored.mentions == 1


def test_an_item_erased_while_it_is_stored_again_is_gone(
    world: World, db: Db, clock: Clock, race: Race, told: Callable[..., int]
) -> None:
    """In either order, the item is gone in the end."""
    acme = told(0)
    for turn in range(ROUNDS):
        items = [(world.item(100 * turn + number), (acme,)) for number in range(1, 31)]
        storing.store(db, world.matched(*items, poll=f"{turn}"), clock())
        stored = [item_id for (item_id,) in world.rows(StoredItem, "id")]
        patient(race,
            lambda items=items, turn=turn: storing.store(db, world.matched(*items, poll=f"{turn} again"), clock()),
            lambda stored=stored: erasure.erase_items(db, stored, clock()),
            lambda stored=stored: erasure.erase_items(db, stored[::-1], clock()),
        )  # fmt: skip
        assert world.counts() | {"StoredItem": 0, "Mention": 0, "Delivery": 0} == world.counts()


def patient(race: Race, *functions: Callable[[], Any]) -> list[Any]:
    """As the bus does, retry after a deadlock or a server's failure."""

    def again(function: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> Any:
            for _ in range(20):
                try:
                    return function()
                except Exception as error:
                    if "deadlock" not in str(error):
                        raise
            raise AssertionError("it met nothing but deadlocks")

        return run

    return list(race(*[again(function) for function in functions]))


def test_postgresql_erasing_waits_for_store_which_has_looked_already(
    world: World, db: Db, clock: Clock, race: Race, told: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exact moment: store has checked the tombstones, and has stored nothing yet."""
    if db.sqlite:
        return  # SQLite has one writer at a time: this moment does not occur
    acme = told(1)
    looked, erased = threading.Event(), threading.Event()
    items = storing._items

    def slowly(*args: Any) -> Any:
        looked.set()
        erased.wait(0.3)  # it cannot signal that it waits: it waits in the server
        return items(*args)

    monkeypatch.setattr(storing, "_items", slowly)

    def erase() -> ErasedCounts:
        assert looked.wait(60)
        tally = erasure.erase_items(db, ids(db, "t3_1"), clock())
        erased.set()
        return tally

    again, other, comment = world.item(1), world.item(2), below(world, 3, "1")
    message = world.matched((again, (acme,)), (other, (acme,)), (comment, (acme,)), poll="late")
    _, tally = race(lambda: storing.store(db, message, clock()), erase)
    assert tally == ErasedCounts(items=1, mentions=1, deliveries=1)
    assert world.rows(StoredItem, "ref", "thread_title") == [("t1_3", ""), ("t3_2", "")], "nor is its title left"


def test_postgresql_erasing_does_not_wait_for_a_vacuum(
    db: Db, clock: Clock, race: Race, told: Callable[..., int]
) -> None:
    """PostgreSQL cancels most vacuums that a lock waits for, so a table that is locked often is never vacuumed."""
    if db.sqlite:
        return  # it has no vacuum that runs by itself
    told(2)
    vacuuming, erased = threading.Event(), threading.Event()

    def vacuum() -> None:
        with db.transaction():
            db.peewee.execute_sql("LOCK TABLE item IN SHARE UPDATE EXCLUSIVE MODE")  # type: ignore[no-untyped-call]
            vacuuming.set()
            assert erased.wait(60)

    def erase() -> ErasedCounts:
        assert vacuuming.wait(60)
        try:
            return erasure.erase_keys(db, [("reddit", "t3_1")], clock())
        finally:
            erased.set()

    _, counts = race(vacuum, erase)
    assert counts.items == 1


def test_an_item_erased_while_its_channel_sends_is_not_sent(
    world: World, db: Db, clock: Clock, race: Race, told: Callable[..., int]
) -> None:
    """Contents are read right before sending: after erasure there is nothing to send."""
    acme = told(0)
    for turn in range(ROUNDS):
        told(20, first=100 * turn + 1)
        stored = [item_id for (item_id,) in world.rows(StoredItem, "id")]

        def send() -> list[int]:
            sent_mentions = []
            for claimed in deliveries.claim(db, world.channel(acme), now=clock(), limit=20, lease=60).deliveries:
                contents = deliveries.contents(db, claimed)
                sent_mentions.append(-1 if contents is None else len(contents.notice.mentions))
                deliveries.mark_sent(db, claimed.id, clock())
            return sent_mentions

        sent_mentions, tally = patient(race, send, lambda stored=stored: erasure.erase_items(db, stored, clock()))
        assert tally.items == 20
        assert set(sent_mentions) <= {1, 0, -1}
        assert world.counts() | {"StoredItem": 0, "Delivery": 0} == world.counts()
        clock.advance(100)


def test_erasing_and_folding_never_wait_for_each_other_s_rows(world: World, db: Db, clock: Clock, race: Race) -> None:
    """Both change many deliveries of several channels: without an order of their locks PostgreSQL ends one of them."""
    pace = {"max_per_hour": 6}
    acme = world.workspace("acme", channels={"a": "instant", "b": "instant", "c": "digest"}, pace=pace)
    channels = [world.channel(acme, name) for name in "abc"]
    for turn in range(ROUNDS):
        items = [(world.item(1000 * turn + number), (acme,)) for number in range(1, 121)]
        storing.store(db, world.matched(*items, poll=f"{turn}"), clock())
        clock.advance(60)
        stored = [item_id for (item_id,) in world.rows(StoredItem, "id")]

        def claim(channel: int) -> None:
            claimed = deliveries.claim(db, channel, now=clock(), limit=20, lease=60).deliveries
            ids, until = [each.id for each in claimed], clock() + 60
            deliveries.extend(db, ids, until, until + 1)
            deliveries.resume(db, channel, until + 1, now=clock(), lease=62)
            deliveries.release(db, ids, until + 2, clock())

        race(
            lambda: claim(channels[0]),
            lambda: claim(channels[1]),
            lambda stored=stored: erasure.erase_items(db, stored[::-2], clock()),
            lambda: digests.compose(db, acme, clock(), clock()),
        )
        clock.advance(600)


# -- an author


def test_a_deleted_account_s_name_is_removed_everywhere(world: World, db: Db, told: Callable[..., int]) -> None:
    told(2, author="Ada")
    told(1, slug="bolt", first=10, author="ADA")
    told(1, slug="coil", first=20, author="Adam")
    assert erasure.erase_items(db, [], 5.0, nameless=[("reddit", "aDa")]) == ErasedCounts()
    assert world.rows(StoredItem, "author") == [(None,), (None,), (None,), ("Adam",)]
    assert world.counts()["Mention"] == 4


# -- claims


def test_each_item_is_claimed_once(world: World, db: Db, clock: Clock, race: Race, told: Callable[..., int]) -> None:
    told(1000)
    for _ in range(4):
        now = clock.advance(DAY_SECONDS)
        results = race(*[lambda now=now: rechecks.claim(db, "reddit", size=100, before=now, now=now, requests=4)] * 4)
        claimed = [item_id for batches in results for batch in batches for item_id in batch.item_ids]
        assert len(claimed) == len(set(claimed))
        assert len(claimed) >= 400
        assert all(batch.held_until == now + RECHECK_LEASE_SECONDS for batches in results for batch in batches)


def test_a_recheck_claim_is_taken_over_once(
    world: World, db: Db, clock: Clock, race: Race, told: Callable[..., int]
) -> None:
    told(150)
    for _ in range(5):
        now = clock.advance(DAY_SECONDS)
        one, two = rechecks.claim(db, "reddit", size=100, before=now, now=now, requests=2)
        ways = [lambda batch=batch, now=now: rechecks.take_over(db, batch, now)[0] for batch in (one, one, one, two)]
        results = race(*ways)
        assert sorted(len(stored) for stored in results[:3]) == [0, 0, len(one.item_ids)]
        assert len(results[3]) == len(two.item_ids)


def test_the_oldest_come_first_and_only_when_they_are_due(
    world: World, db: Db, clock: Clock, told: Callable[..., int]
) -> None:
    told(5)
    clock.advance(100)
    told(200, slug="bolt", first=1000)
    now = clock.advance(100)
    [batch] = rechecks.claim(db, "reddit", size=100, before=now - 150, now=now, requests=3)
    stored, held_until = rechecks.take_over(db, batch, now)
    assert sum(each.checked_at == now - 200 for each in stored) == 5
    assert len(stored) == 100
    assert rechecks.claim(db, "reddit", size=100, before=now - 201, now=now, requests=3) == []
    assert rechecks.due(db, "reddit", now - 100, now)
    assert not rechecks.due(db, "reddit", now - 101, now)
    rechecks.postpone(db, list(batch.item_ids), held_until, now + 30)
    assert len(rechecks.claim(db, "reddit", size=100, before=now - 150, now=now + 31, requests=1)) == 1


def test_the_result_of_a_recheck_is_stored(world: World, db: Db, clock: Clock, told: Callable[..., int]) -> None:
    told(3)
    first, second, third = ids(db, "t3_1", "t3_2", "t3_3")
    now = clock.advance(100)
    rechecks.mark_absent(db, [first, second], now, now)
    rechecks.mark_absent(db, [first], clock.advance(100), clock())
    rechecks.mark_present(db, [second], clock())
    rechecks.mark_unknown(db, [third], clock())
    assert world.rows(StoredItem, "absent_since", "checked_at") == [(now, clock()), (None, clock()), (None, clock())]
    assert rechecks.overdue(db, ["reddit"], clock() - 1) == 0
    assert rechecks.overdue(db, ["reddit"], clock()) == 3


def test_a_requested_recheck_comes_first(world: World, db: Db, clock: Clock, told: Callable[..., int]) -> None:
    told(3)
    batch = rechecks.claim_requested(db, "reddit", "t3_2", clock())
    assert batch == RecheckBatch("reddit", (ids(db, "t3_2")[0],), clock() + RECHECK_LEASE_SECONDS)
    assert rechecks.overdue(db, ["reddit"], 0.0) == 1
    for name in ("t3_9", "t3_\x00", "\ud800"):
        with pytest.raises(NotFound):
            rechecks.claim_requested(db, "reddit", name, clock())


def test_a_changed_item_is_rechecked_early(world: World, db: Db, clock: Clock, told: Callable[..., int]) -> None:
    told(3)
    one, two, three = ids(db, "t3_1", "t3_2", "t3_3")
    rechecks.mark_present(db, [one, two, three], clock())
    StoredItem.update(checked_at=5.0).where(StoredItem.id == three).execute(db.peewee)
    before = clock() - 100
    unknown = [f"t3_x{number}" for number in range(1000)]
    rechecks.hurry(db, "reddit", ["t3_2", *unknown, "t3_3"], before)
    rechecks.hurry(db, "hackernews", ["t3_1"], before)
    assert world.rows(StoredItem, "id", "checked_at") == [(one, clock()), (two, before), (three, 5.0)]


def test_what_a_source_shows_in_another_way_is_an_edit(
    world: World, db: Db, clock: Clock, told: Callable[..., int]
) -> None:
    told(1)
    item = world.item(1)
    [batch] = rechecks.claim(db, "reddit", size=100, before=clock(), now=clock(), requests=1)
    [stored], _ = rechecks.take_over(db, batch, clock())

    def edit(**fields: Any) -> Item | None:
        return rechecks.as_edited(stored, msgspec.structs.replace(item, **fields), clock())

    assert edit() is None
    assert edit(title="", url="", edited_at=clock() - 9) is None, "an answer may lack fields; a date alone says nothing"
    for fields in ({"permalink": "https://x/"}, {"body": ""}, {"texts": {"flair": "Help"}}, {"nsfw": True}):
        assert edit(**fields) == msgspec.structs.replace(item, **fields, edited_at=clock())
    assert edit(body="new", edited_at=5.0) == msgspec.structs.replace(item, body="new", edited_at=5.0)
    stored = msgspec.structs.replace(stored, edited_at=clock() + 60)
    assert edit(body="new", edited_at=5.0) == msgspec.structs.replace(item, body="new", edited_at=clock() + 61)


def test_only_its_own_items_are_claimed_for_a_source(
    world: World, db: Db, clock: Clock, told: Callable[..., int]
) -> None:
    acme = told(2)
    other = world.item(1, source="replay")
    storing.store(db, world.matched((other, (acme,)), poll="other"), clock())
    now = clock.advance(100)
    batches = rechecks.claim(db, "reddit", size=1, before=now, now=now, requests=9)
    assert [(batch.source, len(batch.item_ids)) for batch in batches] == [("reddit", 1), ("reddit", 1)]
    assert rechecks.overdue(db, ["reddit"], now) == 2
    assert not rechecks.due(db, "reddit", now, now)
    replayed = [row["id"] for row in world.rows(StoredItem) if row["source"] == "replay"]
    assert rechecks.take_over(db, RecheckBatch("reddit", tuple(replayed), 0.0), now)[0] == [], "by whatever message"
    query = (
        StoredItem.select(StoredItem.id).where(StoredItem.source == "reddit").order_by(StoredItem.checked_at).limit(100)
    )
    assert "item_source_checked_at" in plan(db, query), "however many items there are of others"


# -- what its source says is deleted


def test_a_part_s_gone_items_are_erased_in_their_source_only(
    world: World, db: Db, clock: Clock, told: Callable[..., int]
) -> None:
    acme = told(2)
    twin = world.item(1, source="replay")
    storing.store(db, world.matched((twin, (acme,)), poll="twin"), clock())
    third, late = world.item(3), world.item(4)
    part = msgspec.structs.replace(
        world.matched((third, (acme,)), (late, (acme,)), poll="gone"), gone=(("reddit", "t3_1"), ("reddit", "t3_4"))
    )
    stored = storing.store(db, part, clock())
    assert (stored.erased, stored.mentions) == (1, 1)
    assert set(world.rows(StoredItem, "source", "ref")) == {("reddit", "t3_2"), ("reddit", "t3_3"), ("replay", "t3_1")}
    assert world.counts() | {"Mention": 2, "Delivery": 2} == world.counts(), "no workspace watches the replay"
    storing.store(db, world.matched((world.item(1), (acme,)), (late, (acme,)), poll="again"), clock())
    assert world.counts()["StoredItem"] == 3, "late copies are refused"
    assert storing.store(db, part, clock()).erased == 0, "a second time nothing is left to do"


def test_the_title_of_a_post_that_was_never_stored_is_erased_too(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    storing.store(db, world.matched((below(world, 2, "1"), (acme,))), clock())
    storing.store(db, msgspec.structs.replace(world.matched(poll="gone"), gone=(("reddit", "t3_1"),)), clock())
    assert world.rows(StoredItem, "ref", "thread_title") == [("t1_2", "")]


def test_a_deletion_reported_twice_in_one_part_is_one(
    world: World, db: Db, clock: Clock, told: Callable[..., int]
) -> None:
    told(2)
    part = msgspec.structs.replace(world.matched(poll="gone"), gone=(("reddit", "t3_1"), ("reddit", "t3_1")))
    assert storing.store(db, part, clock()).erased == 1
    assert world.rows(StoredItem, "ref") == [("t3_2",)]


def test_an_item_gone_while_it_is_stored_is_erased(world: World, db: Db, clock: Clock, race: Race) -> None:
    """In either order, the item is gone in the end: its source reports the deletion only once."""
    acme = world.workspace()
    for turn in range(ROUNDS):
        items = [(world.item(100 * turn + number), (acme,)) for number in range(1, 31)]
        gone = tuple(item.key for item, _ in items)
        patient(race,
            lambda items=items, turn=turn: storing.store(db, world.matched(*items, poll=f"{turn}"), clock()),
            lambda gone=gone: erasure.erase_keys(db, gone, clock()),
            lambda gone=gone: erasure.erase_keys(db, gone[::-1], clock()),
        )  # fmt: skip
        assert world.counts() | {"StoredItem": 0, "Mention": 0, "Delivery": 0} == world.counts()


def test_a_forgotten_author_stays_forgotten(world: World, db: Db, clock: Clock) -> None:
    erasure_requests.erase_author(db, "reddit", "Ada", clock())
    retention.prune(db, RetentionAges(90, 90, 90), clock.advance(30 * DAY_SECONDS))
    storing.store(db, world.matched((world.item(1, author="ada"), (world.workspace(),))), clock())
    assert world.counts()["StoredItem"] == 0


def test_an_account_that_is_gone_takes_what_it_wrote_until_then(
    world: World, db: Db, clock: Clock, told: Callable[..., int]
) -> None:
    acme = told(2, author="Leaving")
    told(1, first=3, author="other")
    twin = world.item(1, source="replay", author="leaving")
    later = world.item(4, author="leaving", created_at=clock() + 10)
    storing.store(db, world.matched((twin, (acme,)), (later, (acme,)), poll="more"), clock())
    gone = msgspec.structs.replace(world.matched(poll="gone"), gone_authors=(("reddit", "leaving", clock() + 5),))
    assert storing.store(db, gone, clock()).erased == 2
    left = {("reddit", "t3_3"), ("reddit", "t3_4"), ("replay", "t3_1")}
    assert set(world.rows(StoredItem, "source", "ref")) == left
    storing.store(db, world.matched((world.item(1, author="leaving"), (acme,)), poll="late copy"), clock())
    assert set(world.rows(StoredItem, "source", "ref")) == left, "a late copy is refused"
    back = world.item(5, author="leaving")
    storing.store(db, world.matched((back, (acme,)), poll="back"), clock())
    assert ("reddit", "t3_5") in world.rows(StoredItem, "source", "ref"), "the account may come back"
