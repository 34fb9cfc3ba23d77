"""The sample of recent items on both databases: who is in it, what it stands for, and that its texts go in time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest

from overheard.db import erasure, erasure_requests, rechecks, retention, sampling, storing, workspace_specs
from overheard.db.database import Db
from overheard.db.models import Mention, SampledItem, SampleSource, StoredItem
from overheard.db.sampling import SampleQuota, SampleState
from overheard.items import Item
from overheard.messages import ItemsMatched, SampleDraw
from overheard.workspaces import WatchSpec
from tests.fixtures import Clock, Race, World

HOUR = 3600.0
DAY = 24 * HOUR
ROUNDS = 10


@pytest.fixture
def key() -> bytes:
    """The installation's key; always the same, as a sample's numbers are within their bounds only nearly always."""
    return b"0123456789abcdef"


@pytest.fixture
def message(world: World, key: bytes) -> Callable[..., ItemsMatched]:
    """A part as match sends it: of each item the draw under this share, or as given."""

    def made(
        items: Iterable[Item],
        workspaces: tuple[int, ...] = (),
        *,
        share: float = 1.0,
        poll: str = "poll",
        priorities: Iterable[float] | None = None,
    ) -> ItemsMatched:
        listed = list(items)
        matched = world.matched(*[(item, workspaces) for item in listed], poll=poll)
        given = [sampling.priority(key, item) for item in listed] if priorities is None else list(priorities)
        draws = [SampleDraw(priority, share) if priority < share else None for priority in given]
        entries = zip(matched.items, draws, strict=True)
        return msgspec.structs.replace(
            matched, items=tuple(msgspec.structs.replace(entry, sample=draw) for entry, draw in entries)
        )

    return made


@pytest.fixture
def sample(world: World, db: Db, clock: Clock, message: Callable[..., ItemsMatched]) -> Callable[..., list[Item]]:
    """Store so many items, none of which matches; return them."""

    def store(
        count: int = 1, first: int = 1, *, priorities: Iterable[float] | None = None, **fields: Any
    ) -> list[Item]:
        items = [world.item(number, **fields) for number in range(first, first + count)]
        storing.store(db, message(items, poll=f"p{first} {clock()}", priorities=priorities), clock())
        return items

    return store


@pytest.fixture
def grown(db: Db, clock: Clock) -> None:
    """Let the source have been sampled for so long that its quota applies in full."""
    SampleSource.insert(source="reddit", since=clock() - sampling.GROWTH_SECONDS).execute(db.peewee)


def names(world: World) -> list[str]:
    return [name for (name,) in world.rows(StoredItem, "ref")]


# -- who is in it


def test_priorities_are_uniform_and_belong_to_the_installation(world: World, key: bytes) -> None:
    items = [world.item(number) for number in range(1, 4001)]
    of_key = [sampling.priority(key, item) for item in items]
    of_another = [sampling.priority(b"another", item) for item in items]
    assert of_key == [sampling.priority(key, world.item(number, body="edited")) for number in range(1, 4001)]
    for priorities in (of_key, of_another):
        assert all(0 <= each < 1 for each in priorities)
        assert abs(sum(priorities) / 4000 - 0.5) < 0.02
        assert abs(sum(each < 0.1 for each in priorities) - 400) < 100
    # Nothing can be learned from one installation about another.
    both = sum(a < 0.5 and b < 0.5 for a, b in zip(of_key, of_another, strict=True))
    assert abs(both - 1000) < 150
    assert sampling.priority(key, world.item(1, source="hackernews")) != of_key[0]


def test_an_item_that_matches_nothing_is_stored_for_the_sample_alone(
    world: World, db: Db, clock: Clock, message: Callable[..., ItemsMatched]
) -> None:
    world.workspace()
    item = world.item()
    result = storing.store(db, message([item], priorities=[0.25]), clock())
    assert result == storing.StoreResult(sampled={"reddit": 1})
    assert world.counts() | {"StoredItem": 1, "SampledItem": 1, "Mention": 0, "Delivery": 0} == world.counts()
    [row] = world.rows(SampledItem)
    assert (row["source"], row["place"], row["priority"], row["share"], row["at"]) == (
        "reddit", "python", 0.25, 1.0, clock(),
    )  # fmt: skip
    assert world.rows(SampleSource) == [{"source": "reddit", "share": 1.0, "since": clock()}]


def test_an_item_that_matches_is_in_the_sample_too(
    world: World, db: Db, clock: Clock, message: Callable[..., ItemsMatched]
) -> None:
    acme = world.workspace()
    result = storing.store(db, message([world.item(1), world.item(2)], (acme,), priorities=[0.1, 1.0]), clock())
    assert (result.mentions, result.sampled) == (2, {"reddit": 1})
    assert world.counts() | {"StoredItem": 2, "SampledItem": 1, "Mention": 2} == world.counts()


def test_storing_a_part_again_adds_nothing(
    world: World, db: Db, clock: Clock, message: Callable[..., ItemsMatched]
) -> None:
    acme = world.workspace()
    parts = [
        message([world.item(number) for number in range(first, first + 3)], (acme,) * (first < 3)) for first in (1, 4)
    ]
    for part in parts:
        storing.store(db, part, clock())
    before = world.counts(), world.rows(SampledItem), world.rows(StoredItem)
    clock.advance(60)
    assert [storing.store(db, part, clock()) for part in parts] == [storing.StoreResult()] * 2
    assert (world.counts(), world.rows(SampledItem), world.rows(StoredItem)) == before


def test_several_stores_of_the_same_parts_at_once_store_each_item_once(
    world: World, db: Db, clock: Clock, message: Callable[..., ItemsMatched], race: Race
) -> None:
    acme = world.workspace()
    for number in range(ROUNDS):
        items = [world.item(20 * number + each) for each in range(1, 20)]
        part, other = message(items, poll=f"a{number}"), message(items[::-1], (acme,), poll=f"b{number}")
        results = race(*[lambda part=each: storing.store(db, part, clock()) for each in (part, other, part)])  # type: ignore[misc]
        assert sum(result.sampled.get("reddit", 0) for result in results) == 19
    assert (
        world.counts() | {"StoredItem": 19 * ROUNDS, "SampledItem": 19 * ROUNDS, "Mention": 19 * ROUNDS}
        == world.counts()
    )
    assert {checked for (checked,) in world.rows(StoredItem, "checked_at")} == {clock()}, "all are rechecked"


def test_the_lower_of_both_shares_counts(
    world: World, db: Db, clock: Clock, message: Callable[..., ItemsMatched]
) -> None:
    """match may not know yet that the share has fallen, or risen."""
    SampleSource.insert(source="reddit", share=0.5, since=1.0).execute(db.peewee)
    early = message([world.item(1), world.item(2)], share=1.0, priorities=[0.4, 0.6])
    late = message([world.item(3), world.item(4)], share=0.2, priorities=[0.1, 0.3], poll="late")
    assert storing.store(db, early, clock()).sampled == {"reddit": 1}
    assert storing.store(db, late, clock()).sampled == {"reddit": 1}
    assert world.rows(SampledItem, "priority", "share") == [(0.4, 0.5), (0.1, 0.2)]
    assert names(world) == ["t3_1", "t3_3"]


def test_an_old_item_is_not_stored_for_the_sample_where_retention_has_deleted_it(
    world: World, db: Db, clock: Clock, message: Callable[..., ItemsMatched]
) -> None:
    world.workspace()
    storing.store(db, message([world.item(created_at=clock() - 61)]), clock(), kept_for=lambda source: 60.0)
    assert world.counts()["StoredItem"] == 0


# -- how much is in it, and what it stands for


@pytest.mark.usefixtures("grown")
def test_a_full_sample_lowers_the_share(world: World, db: Db, clock: Clock, sample: Callable[..., list[Item]]) -> None:
    sample(10, priorities=[number / 10 for number in range(10)])
    assert sampling.adjust(db, "reddit", 20, clock(), rise=True) == SampleState(10, 1.0), "it is half full"
    assert sampling.adjust(db, "reddit", 10, clock(), rise=False) == SampleState(8, 0.8)
    assert sampling.shares(db) == {"reddit": 0.8}
    assert {share for (share,) in world.rows(SampledItem, "share")} == {0.8}
    assert sampling.release_above(db, "reddit") == 2
    assert [priority for (priority,) in world.rows(SampledItem, "priority")] == [number / 10 for number in range(8)]
    assert world.counts()["StoredItem"] == 8
    assert sampling.adjust(db, "reddit", 10, clock(), rise=True) == SampleState(8, 0.8), "it is neither full nor small"


@pytest.mark.usefixtures("grown")
def test_a_share_rises_to_what_would_have_filled_the_sample(
    world: World, db: Db, clock: Clock, sample: Callable[..., list[Item]]
) -> None:
    sample(4, priorities=[0.01, 0.02, 0.03, 0.04])
    SampleSource.update(share=0.05).execute(db.peewee)
    SampledItem.update(share=0.05).execute(db.peewee)  # they stand for 80 items
    assert sampling.adjust(db, "reddit", 10, clock(), rise=False) == SampleState(4, 0.05)
    state = sampling.adjust(db, "reddit", 10, clock(), rise=True)
    assert (state.rows, state.share) == (4, pytest.approx(7.5 / 80))
    assert {share for (share,) in world.rows(SampledItem, "share")} == {0.05}, "each keeps its own"
    SampledItem.delete().execute(db.peewee)
    assert sampling.adjust(db, "reddit", 10, clock(), rise=True) == SampleState(0, 1.0)


def test_the_smallest_quota_keeps_an_item(
    world: World, db: Db, clock: Clock, sample: Callable[..., list[Item]]
) -> None:
    sample(5)
    assert sampling.adjust(db, "reddit", 1, clock(), rise=True).rows == 1
    assert sampling.adjust(db, "reddit", 1, clock(), rise=True).rows == 1


def test_the_sample_stays_within_its_quota_and_stands_for_everything_that_was_read(
    world: World, db: Db, clock: Clock, message: Callable[..., ItemsMatched]
) -> None:
    """A flood, an ebb, another flood: at any moment the weights add up to what the last day had."""
    world.workspace()
    keeper, number, read = SampleQuota(db, 100), 0, []
    for hour, count in enumerate([60] * 10 + [3] * 45 + [60] * 10):
        items = [world.item(number := number + 1) for _ in range(count)]
        current = sampling.shares(db).get("reddit", 1.0)
        keeper.note(storing.store(db, message(items, share=current, poll=f"p{hour}"), clock()).sampled, clock())
        read += [clock()] * count
        sampling.release_old(db, clock.advance(HOUR) - DAY)
        sampling.adjust(db, "reddit", 100, clock(), rise=True)
        sampling.release_above(db, "reddit")
        rows = world.rows(SampledItem, "priority", "share")
        assert len(rows) <= 100
        assert all(priority < share for priority, share in rows)
        assert world.counts()["StoredItem"] == len(rows)
        if len(rows) < sum(at >= clock() - DAY for at in read):
            true, estimate = sum(at >= clock() - DAY for at in read), sum(1 / share for _, share in rows)
            # Four standard deviations of a sample of so many.
            assert abs(estimate - true) <= 4 * true / math.sqrt(len(rows)), (hour, estimate, true)
    assert len(rows) > 50


@pytest.mark.usefixtures("grown")
def test_a_process_lowers_the_share_before_it_has_added_much(
    world: World, db: Db, clock: Clock, sample: Callable[..., list[Item]]
) -> None:
    quota = SampleQuota(db, 100)
    sample(200)
    quota.note({"reddit": 4}, clock())
    assert world.counts()["SampledItem"] == 200
    quota.note({"reddit": 1}, clock())
    assert world.counts() | {"SampledItem": 80, "StoredItem": 80} == world.counts()


def test_a_share_falls_while_others_store(
    world: World, db: Db, clock: Clock, message: Callable[..., ItemsMatched], race: Race
) -> None:
    """What was stored under the old share is in proportion afterwards, whichever came first."""
    world.workspace()
    for number in range(ROUNDS):
        items = [world.item(100 * number + each) for each in range(1, 61)]
        parts = [message(items[start : start + 20], poll=f"{number} {start}") for start in (0, 20, 40)]
        stores = [lambda part=part: storing.store(db, part, clock()) for part in parts]  # type: ignore[misc]
        race(*stores, lambda: sampling.adjust(db, "reddit", 50, clock(), rise=False))
        [(share,)] = world.rows(SampleSource, "share")
        assert {row_share for (row_share,) in world.rows(SampledItem, "share")} <= {share}
        sampling.release_above(db, "reddit")


def test_a_quota_grows_to_its_size_in_the_first_hour(
    world: World, db: Db, clock: Clock, sample: Callable[..., list[Item]]
) -> None:
    sample(100)
    assert sampling.adjust(db, "reddit", 100, clock(), rise=True).rows == 8
    sampling.release_above(db, "reddit")
    sample(100, 101)  # drawn under the share from before
    clock.advance(HOUR / 2)
    small = sampling.adjust(db, "reddit", 100, clock(), rise=True)
    clock.advance(HOUR / 2)
    large = sampling.adjust(db, "reddit", 100, clock(), rise=True)
    assert small.share < large.share <= 2.2 * small.share


# -- leaving it


def test_after_its_time_an_item_is_deleted_unless_a_workspace_has_a_mention_of_it(
    world: World, db: Db, clock: Clock, message: Callable[..., ItemsMatched], sample: Callable[..., list[Item]]
) -> None:
    acme = world.workspace()
    [old] = sample(1, priorities=[0.1])
    [wanted] = sample(1, 2, priorities=[0.2])
    clock.advance(HOUR)
    [young] = sample(1, 3)
    storing.store(db, message([wanted], (acme,), poll="again"), clock())
    clock.advance(DAY - HOUR / 2)
    assert sampling.release_old(db, clock() - DAY) == 1
    assert names(world) == [wanted.id, young.id]
    assert world.rows(SampledItem, "item") == [(world.rows(StoredItem, "id")[1][0],)]
    assert world.counts()["Mention"] == 1
    assert old.id not in str(world.rows(StoredItem))


def test_many_leave_in_batches(
    world: World, db: Db, clock: Clock, sample: Callable[..., list[Item]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overheard.db.sampling.RELEASE_BATCH_ROWS", 10)
    sample(35)
    assert sampling.release_old(db, clock.advance(1)) == 35
    assert world.counts() | {"StoredItem": 0, "SampledItem": 0} == world.counts()


def test_an_item_that_is_mentioned_while_it_leaves_stays(
    world: World,
    db: Db,
    clock: Clock,
    message: Callable[..., ItemsMatched],
    race: Race,
    sample: Callable[..., list[Item]],
) -> None:
    acme = world.workspace()
    for number in range(1, ROUNDS):
        items = sample(1, number)
        clock.advance(1)
        match = message(items, (acme,), poll=f"match {number}")
        race(lambda: sampling.release_old(db, clock()), lambda part=match: storing.store(db, part, clock()))  # type: ignore[misc]
        assert world.counts() | {"Mention": number, "StoredItem": number} == world.counts()


def test_what_nobody_watches_any_more_leaves(world: World, db: Db, sample: Callable[..., list[Item]]) -> None:
    acme = world.workspace(subreddits=["python", "rust"])
    bolt = world.workspace("bolt", subreddits=["go"], watch=(WatchSpec("hackernews", ("all",)),))
    [python], [rust], [go] = sample(1, 1), sample(1, 2, place="Rust"), sample(1, 3, place="go")
    [story] = sample(1, 4, source="hackernews", place="stories")
    assert sampling.release_unwatched(db) == 0
    world.workspace(subreddits=["python"])
    assert sampling.release_unwatched(db) == 1
    assert names(world) == [python.id, go.id, story.id]
    workspace_specs.remove(db, bolt)
    assert sampling.release_unwatched(db) == 2
    assert names(world) == [python.id]
    assert rust.id
    erasure_requests.erase_workspace(db, acme, 1.0)
    assert names(world) == []


def test_a_sample_that_is_turned_off_is_deleted(
    world: World, db: Db, clock: Clock, message: Callable[..., ItemsMatched], sample: Callable[..., list[Item]]
) -> None:
    acme = world.workspace()
    storing.store(db, message([world.item(9)], (acme,)), clock())
    sample(3)
    assert sampling.clear(db) == 3
    assert world.counts() | {"SampledItem": 0, "SampleSource": 0, "StoredItem": 1, "Mention": 1} == world.counts()


# -- deleted there, deleted here


def test_what_its_source_reports_as_gone_is_erased_and_a_late_copy_refused(
    world: World, db: Db, clock: Clock, message: Callable[..., ItemsMatched]
) -> None:
    world.workspace()
    part = message([world.item(1), world.item(2)])
    storing.store(db, part, clock())
    gone = msgspec.structs.replace(part, gone=(("reddit", "t3_1"),), items=(), part=message([], poll="next").part)
    assert storing.store(db, gone, clock()).erased == 1
    assert names(world) == ["t3_2"]
    storing.store(db, part, clock())
    assert names(world) == ["t3_2"]
    assert world.counts()["SampledItem"] == 1


def test_an_account_and_an_author_on_request_are_erased_from_it(
    world: World, db: Db, clock: Clock, sample: Callable[..., list[Item]]
) -> None:
    sample(2, author="Ada")
    sample(2, 3, author="Bob")
    [kept] = sample(1, 5, author="Cleo")
    erasure.erase_account(db, "reddit", "ada", clock(), clock())
    assert erasure_requests.count_author(db, "reddit", "bob").items == 2
    assert erasure_requests.erase_author(db, "reddit", "bob", clock()).items == 2
    assert names(world) == [kept.id]
    sample(1, 7, author="bob")
    assert names(world) == [kept.id], "nothing more is stored of a forgotten author"
    assert "ada" not in str(world.rows(StoredItem)).lower()


def test_an_edit_reaches_it(world: World, db: Db, clock: Clock, sample: Callable[..., list[Item]]) -> None:
    [item] = sample(1)
    edited = msgspec.structs.replace(item, body="taken back", edited_at=clock.advance(60))
    storing.store(db, world.matched((edited, ()), poll="edit"), clock())
    assert world.rows(StoredItem, "body") == [("taken back",)]


def test_a_deleted_post_s_title_leaves_the_comments_in_it(
    world: World, db: Db, clock: Clock, sample: Callable[..., list[Item]]
) -> None:
    sample(1, kind="comment", thread="t3_9", thread_title="Her secret", permalink="/r/x/comments/9/her_secret/1/")
    erasure.erase_keys(db, [("reddit", "t3_9")], clock())
    [row] = world.rows(StoredItem)
    assert "secret" not in str(row)


# -- rechecks


def test_no_request_is_made_for_what_only_the_sample_has(
    world: World, db: Db, clock: Clock, message: Callable[..., ItemsMatched], sample: Callable[..., list[Item]]
) -> None:
    acme = world.workspace()
    sample(10)
    storing.store(db, message([world.item(20), world.item(21)], (acme,)), clock())
    wanted = tuple(row for row, name in world.rows(StoredItem, "id", "ref") if name in ("t3_k", "t3_l"))
    clock.advance(DAY)
    assert rechecks.overdue(db, ["reddit"], clock() - HOUR) == 2
    [batch] = rechecks.claim(db, "reddit", size=100, before=clock(), now=clock(), requests=5)
    assert batch.item_ids == wanted, "nor are they used to fill a request up"
    rechecks.mark_present(db, batch.item_ids, clock())
    assert not rechecks.due(db, "reddit", clock() - 1, clock())


def test_an_item_of_the_sample_that_is_mentioned_later_is_rechecked_as_if_it_always_had_been(
    world: World, db: Db, clock: Clock, message: Callable[..., ItemsMatched], sample: Callable[..., list[Item]]
) -> None:
    acme, stored_at = world.workspace(), clock()
    items = sample(2)
    clock.advance(HOUR)
    storing.store(db, message(items[:1], (acme,), poll="match"), clock())
    assert world.rows(StoredItem, "checked_at")[0] == (stored_at,)
    assert world.rows(StoredItem, "checked_at")[1][0] > clock()
    # A query that was applied to stored items has made a mention of the other one.
    [first, second] = [row for (row,) in world.rows(StoredItem, "id")]
    Mention.insert(workspace=acme, item=second, query_ids="[]", highlights="[]", stored_at=clock()).execute(db.peewee)
    sampling.release_old(db, clock.advance(DAY) - DAY + 1)
    assert world.rows(StoredItem, "id", "checked_at") == [(first, stored_at), (second, stored_at)]
    assert world.counts()["SampledItem"] == 0


def test_a_recheck_by_hand_erases_what_only_the_sample_has(
    world: World, db: Db, clock: Clock, sample: Callable[..., list[Item]]
) -> None:
    [item] = sample(1)
    batch = rechecks.claim_requested(db, "reddit", item.id, clock())
    [stored], _ = rechecks.take_over(db, batch, clock())
    assert not stored.mentioned
    assert retention.unmentioned(db, [stored.id]) == 1
    assert world.counts() | {"StoredItem": 0, "SampledItem": 0} == world.counts()
