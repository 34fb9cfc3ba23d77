"""recheck: items that are gone from Reddit are erased, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from actors.match import Matcher
from actors.recheck import (
    ABSENCE_CONFIRM_SECONDS,
    EDIT_CONFIRM_SECONDS,
    EMPTY_ANSWER_CONFIRM_SECONDS,
    FAULT_RETRY_SECONDS,
    HOUR,
    NO_BUDGET_PAUSE_SECONDS,
    Rechecker,
)
from overheard.config import RecheckSettings
from overheard.db import rechecks, storing
from overheard.db.database import Db
from overheard.db.models import Delivery, Mention
from overheard.db.models import StoredItem as ItemTable
from overheard.errors import BudgetExhausted, PermanentError, RetryableError
from overheard.items import Item
from overheard.messages import ItemsFetched, RecheckItems
from overheard.observability.metrics import ProcessMetrics
from overheard.outcomes import Outcome
from overheard.sources import LookupResult, RequestTokens
from tests.fixtures import Clock, Metric, Sent, World


class Reddit:
    """A source with some items; ``failure`` is raised instead of a response."""

    name = "reddit"

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.gone: set[str] = set()
        self.unreadable: set[str] = set()
        self.unanswered: set[str] = set()
        self.requests: list[list[str]] = []
        self.failure: Exception | None = None

    name = "reddit"

    def look_up(self, names: Sequence[str], budget: RequestTokens) -> LookupResult:
        budget.acquire()
        if self.failure is not None:
            raise self.failure
        self.requests.append(list(names))
        known = self.items.keys() - self.gone - self.unanswered
        absent = set(names) - self.items.keys() if not self.unreadable else set()
        return LookupResult(
            tuple(self.items[name] for name in names if name in known - self.unreadable - self.unanswered),
            tuple(name for name in names if name in self.gone),
            tuple(name for name in names if name in absent),
            tuple(name for name in names if name in self.unanswered),
        )


class Allowance:
    """A permit that records whether the work was urgent; ``acquire`` raises ``refusal``."""

    def __init__(self) -> None:
        self.urgent: bool | None = None
        self.refusal: BudgetExhausted | None = None

    def acquire(self) -> None:
        if self.refusal is not None:
            raise self.refusal


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def reddit() -> Reddit:
    return Reddit()


@pytest.fixture
def permit() -> Allowance:
    return Allowance()


@pytest.fixture
def rechecker(db: Db, reddit: Reddit, sent: Sent, clock: Clock, metrics: ProcessMetrics) -> Rechecker:
    return Rechecker(
        db=db, sources={"reddit": reddit}, send=sent, clock=clock, rules=RecheckSettings(), metrics=metrics
    )


@pytest.fixture
def stored(world: World, db: Db, reddit: Reddit, clock: Clock) -> Callable[..., Item]:
    """Store an item, and add it to Reddit."""
    acme = world.workspace()

    def store(number: int, **fields: Any) -> Item:
        item: Item = world.item(number, **fields)
        storing.store(db, world.matched((item, (acme,)), poll=item.id), clock())
        reddit.items[item.id] = item
        return item

    return store


@pytest.fixture
def run(rechecker: Rechecker, permit: Allowance, db: Db, clock: Clock) -> Callable[..., Any]:
    """Handle a message; by default for all stored items, claimed as the tick does."""

    def recheck(message: RecheckItems | None = None) -> Outcome:
        if message is None:
            [batch] = rechecks.claim(db, "reddit", size=100, before=clock(), now=clock(), requests=1)
            message = RecheckItems(source="reddit", item_ids=batch.item_ids, lease=batch.held_until)
        return rechecker.recheck(message, permit)  # type: ignore[arg-type]

    return recheck


def names(world: World) -> list[str]:
    return sorted(name for (name,) in world.rows(ItemTable, "ref"))


def row(db: Db, name: str) -> Any:
    return ItemTable.select().where(ItemTable.ref == name).get(db.peewee)


def test_gone_items_are_erased_and_the_others_stay(
    stored: Callable[..., Item],
    run: Callable[..., Any],
    reddit: Reddit,
    world: World,
    db: Db,
    clock: Clock,
    metric: Metric,
) -> None:
    for number in range(1, 6):
        stored(number)
    reddit.gone = {"t3_2", "t3_4"}
    clock.advance(13 * HOUR)
    run()
    assert names(world) == ["t3_1", "t3_3", "t3_5"]
    assert world.counts() | {"Mention": 3, "Delivery": 3} == world.counts()
    assert {at for (at,) in world.rows(ItemTable, "checked_at")} == {clock()}
    assert metric("items_rechecked_total") == 5
    assert metric("items_erased_total", cause="deleted") == 2


def test_a_duplicated_message_makes_one_request(
    stored: Callable[..., Item], run: Callable[..., Any], reddit: Reddit, clock: Clock, db: Db
) -> None:
    stored(1)
    [batch] = rechecks.claim(db, "reddit", size=100, before=clock(), now=clock(), requests=1)
    message = RecheckItems(source="reddit", item_ids=batch.item_ids, lease=batch.held_until)
    run(message)
    run(message)
    clock.advance(1)
    run(message)
    assert len(reddit.requests) == 1


# -- not in the response


def test_absent_is_gone_only_when_it_is_confirmed_later(
    stored: Callable[..., Item], run: Callable[..., Any], reddit: Reddit, world: World, clock: Clock
) -> None:
    stored(1)
    stored(2)
    del reddit.items["t3_1"]
    run()
    clock.advance(ABSENCE_CONFIRM_SECONDS - 1)
    run()
    assert names(world) == ["t3_1", "t3_2"]
    clock.advance(1)
    run()
    assert names(world) == ["t3_2"]


def test_an_item_that_reappears_is_no_longer_absent(
    stored: Callable[..., Item], run: Callable[..., Any], reddit: Reddit, world: World, db: Db, clock: Clock
) -> None:
    """A subreddit was private for a while, or a response was incomplete."""
    item = stored(1)
    stored(2)
    for _ in range(3):
        del reddit.items["t3_1"]
        run()
        assert row(db, "t3_1").absent_since == clock()
        clock.advance(ABSENCE_CONFIRM_SECONDS - 1)
        reddit.items["t3_1"] = item
        run()
        assert row(db, "t3_1").absent_since is None
        clock.advance(ABSENCE_CONFIRM_SECONDS + 1)
    assert names(world) == ["t3_1", "t3_2"]


def test_an_empty_response_needs_a_later_confirmation(
    stored: Callable[..., Item], run: Callable[..., Any], reddit: Reddit, world: World, clock: Clock
) -> None:
    for number in range(1, 4):
        stored(number)
    reddit.items.clear()
    run()
    clock.advance(EMPTY_ANSWER_CONFIRM_SECONDS - 1)
    run()
    assert len(names(world)) == 3
    clock.advance(1)
    run()
    assert names(world) == []


def test_an_unreadable_item_is_neither_present_nor_gone(
    stored: Callable[..., Item], run: Callable[..., Any], reddit: Reddit, world: World, db: Db, clock: Clock
) -> None:
    stored(1)
    stored(2)
    reddit.unreadable = {"t3_1"}
    clock.advance(99 * HOUR)
    run()
    assert names(world) == ["t3_1", "t3_2"]
    assert row(db, "t3_1").absent_since is None
    assert row(db, "t3_1").checked_at == clock(), "it is not looked up again at once"


@pytest.mark.parametrize(
    ("fault", "pause"),
    [
        (RetryableError("503"), FAULT_RETRY_SECONDS),
        (RetryableError("429", delay=240.0), 240.0),
        (PermanentError("login refused"), FAULT_RETRY_SECONDS),
    ],
)
def test_an_error_of_the_source_erases_nothing_and_is_retried_later(
    stored: Callable[..., Item],
    run: Callable[..., Any],
    reddit: Reddit,
    world: World,
    db: Db,
    clock: Clock,
    fault: Exception,
    pause: float,
    metric: Metric,
) -> None:
    stored(1)
    stored_at = clock()
    reddit.failure = fault
    for _ in range(20):
        clock.advance(2 * HOUR)
        run()
        assert not rechecks.claim(db, "reddit", size=100, before=clock(), now=clock() + pause - 1, requests=1)
    assert names(world) == ["t3_1"]
    assert (row(db, "t3_1").checked_at, row(db, "t3_1").absent_since) == (stored_at, None)
    assert metric("items_rechecked_total") == 0


# -- the budget


def test_without_a_spare_token_the_items_are_left_to_a_later_tick(
    stored: Callable[..., Item], run: Callable[..., Any], reddit: Reddit, permit: Allowance, db: Db, clock: Clock
) -> None:
    stored(1)
    clock.advance(13 * HOUR)
    permit.refusal = BudgetExhausted("reddit:x", delay=0.6, slot=None)
    run()
    assert reddit.requests == []
    before = clock()
    assert not rechecks.due(db, "reddit", before, clock.advance(NO_BUDGET_PAUSE_SECONDS))
    assert rechecks.due(db, "reddit", before, clock.advance(1))
    permit.refusal = None
    run()
    assert reddit.requests == [["t3_1"]]


def test_a_recheck_that_waits_keeps_its_claim_and_its_slot(
    stored: Callable[..., Item], run: Callable[..., Any], reddit: Reddit, permit: Allowance, db: Db, clock: Clock
) -> None:
    stored(1)
    clock.advance(19 * HOUR)
    permit.refusal = BudgetExhausted("reddit:x", delay=200.0, slot=5.0)
    later = run()
    assert (later.delay, later.slot) == (200.0, ("reddit:x", 5.0))
    assert not rechecks.due(db, "reddit", clock(), clock() + 400)
    clock.advance(200)
    permit.refusal = None
    run(later.message)
    assert reddit.requests == [["t3_1"]]


def test_what_the_budget_does_not_reach_is_looked_up_a_moment_later(
    stored: Callable[..., Item], run: Callable[..., Any], reddit: Reddit, db: Db, clock: Clock
) -> None:
    for number in (1, 2):
        stored(number)
    stored_at = clock()
    clock.advance(13 * HOUR)
    reddit.unanswered = {"t3_2"}
    run()
    assert (row(db, "t3_1").checked_at, row(db, "t3_2").checked_at) == (clock(), stored_at)
    assert not rechecks.due(db, "reddit", stored_at, clock.advance(NO_BUDGET_PAUSE_SECONDS))
    assert rechecks.due(db, "reddit", stored_at, clock.advance(1))
    reddit.unanswered = set()
    run(message=RecheckItems(source="reddit"))
    assert row(db, "t3_2").checked_at == clock()


def test_an_item_is_looked_up_as_its_source_wants_it(
    stored: Callable[..., Item],
    db: Db,
    sent: Sent,
    clock: Clock,
    metrics: ProcessMetrics,
    permit: Allowance,
) -> None:
    stored(1)
    uri, page = "https://remote.example/objects/1", "https://mastodon.example/@bob@remote.example/7"
    ItemTable.update(source="mastodon", ref=uri, lookup=f"{uri} {page}").execute(db.peewee)
    source = Reddit()
    rules = RecheckSettings()
    rechecker = Rechecker(db=db, sources={"mastodon": source}, send=sent, clock=clock, rules=rules, metrics=metrics)
    clock.advance(13 * HOUR)
    rechecker.recheck(RecheckItems(source="mastodon"), permit)  # type: ignore[arg-type]
    assert source.requests == [[f"{uri} {page}"]]


@pytest.mark.parametrize(("age", "urgent"), [(12.5, False), (17.9, False), (18, True), (50, True)])
def test_a_recheck_is_urgent_after_three_quarters_of_its_time(
    stored: Callable[..., Item], run: Callable[..., Any], permit: Allowance, clock: Clock, age: float, urgent: bool
) -> None:
    stored(1)
    clock.advance(age * HOUR)
    stored(2)
    run()
    assert permit.urgent is urgent


# -- by hand


def test_items_without_an_answer_are_looked_up_soon_again(
    run: Callable[..., Any], reddit: Reddit, db: Db, stored: Callable[..., Item], clock: Clock, metric: Metric
) -> None:
    """A source with a request for each item may run out of tokens in between."""
    one, two = stored(1), stored(2)
    ItemTable.update(checked_at=5.0).execute(db.peewee)
    reddit.unanswered = {two.id}
    run()
    assert (row(db, one.id).checked_at, row(db, two.id).checked_at) == (clock(), 5.0)
    assert (row(db, two.id).lease_until, row(db, two.id).absent_since) == (clock() + NO_BUDGET_PAUSE_SECONDS, None)
    assert metric("items_rechecked_total") == 1


def test_a_message_without_ids_continues_until_nothing_is_due(
    stored: Callable[..., Item], run: Callable[..., Any], reddit: Reddit, clock: Clock, sent: Sent, world: World, db: Db
) -> None:
    acme = world.workspace()
    items = [world.item(number) for number in range(1, 251)]
    storing.store(db, world.matched(*[(item, (acme,)) for item in items], poll="many"), clock())
    reddit.items = {item.id: item for item in items}
    run(RecheckItems(source="reddit"))
    assert reddit.requests == [], "nothing is due"
    clock.advance(12 * HOUR)
    rounds = 0
    message = RecheckItems(source="reddit")
    while True:
        run(message)
        rounds += 1
        taken = sent.take()
        if not taken:
            break
        [message] = taken
    assert rounds == 3
    assert [len(names) for names in reddit.requests] == [100, 100, 100], (
        "a request is filled with the next items in order"
    )
    assert len({name for names in reddit.requests for name in names}) == 250


# -- present items


def test_the_author_of_a_deleted_account_is_removed_everywhere(
    stored: Callable[..., Item], run: Callable[..., Any], reddit: Reddit, world: World, db: Db, clock: Clock
) -> None:
    first, _, _ = stored(1, author="Ada"), stored(2, author="ada"), stored(3, author="bob")
    reddit.items["t3_1"] = msgspec.structs.replace(first, author=None)
    clock.advance(HOUR)
    run()
    assert world.rows(ItemTable, "author") == [(None,), (None,), ("bob",)]
    assert world.counts()["Mention"] == 3, "the posts are still on Reddit"


@pytest.fixture
def passed_on(db: Db, sent: Sent, clock: Clock, metrics: ProcessMetrics) -> Callable[[], list[str]]:
    """Let match and store handle what recheck has sent; return the ids of the items."""
    matched = Sent()
    matcher = Matcher(db=db, send=matched, metrics=metrics)

    def handle() -> list[str]:
        parts = [each for each in sent.take() if isinstance(each, ItemsFetched)]
        for part in parts:
            matcher.match(part)
        for each in matched.take():
            storing.store(db, each, clock())
        return [item.id for part in parts for item in part.items]

    return handle


def test_an_edited_item_is_matched_again(
    stored: Callable[..., Item], run: Callable[..., Any], passed_on: Callable[[], list[str]],
    reddit: Reddit, db: Db, world: World, clock: Clock,
) -> None:  # fmt: skip
    first, second, third = stored(1), stored(2), stored(3)
    other = world.workspace("bolt", queries={"sorry": "back"})
    assert other
    world.db.peewee.execute_sql("UPDATE watch SET created_at = 0")
    reddit.items["t3_1"] = msgspec.structs.replace(first, body="I take that back\x00")
    reddit.items["t3_2"] = msgspec.structs.replace(second, title="", url="")
    reddit.items["t3_3"] = msgspec.structs.replace(third, edited_at=clock())
    clock.advance(HOUR)
    run()
    assert row(db, "t3_1").body == first.body, "store replaces it, with what the mention tells of it"
    assert passed_on() == ["t3_1"]
    assert (row(db, "t3_1").body, row(db, "t3_1").title) == ("I take that back�", first.title)
    assert row(db, "t3_2").title == second.title, "a field that the response omits stays"
    assert world.counts()["Mention"] == 4, "the new text is a mention of another workspace, too"
    assert len(world.rows(Delivery)) == 4
    clock.advance(HOUR)
    run()
    assert passed_on() == []


def test_an_edit_that_is_lost_on_its_way_is_found_again_soon(
    stored: Callable[..., Item], run: Callable[..., Any], passed_on: Callable[[], list[str]],
    reddit: Reddit, db: Db, sent: Sent, clock: Clock,
) -> None:  # fmt: skip
    stored(2)
    reddit.items["t3_1"] = msgspec.structs.replace(stored(1), body="other")
    clock.advance(13 * HOUR)
    run()
    assert len(sent.take()) == 1
    for _ in range(2):
        clock.advance(EDIT_CONFIRM_SECONDS)
        assert rechecks.due(db, "reddit", clock() - 12 * HOUR, clock())
        run(RecheckItems(source="reddit"))
        passed_on()
    assert row(db, "t3_1").body == "other"
    clock.advance(EDIT_CONFIRM_SECONDS)
    assert not rechecks.due(db, "reddit", clock() - 12 * HOUR, clock())


def test_an_edit_of_a_place_that_is_no_longer_watched_replaces_the_text(
    stored: Callable[..., Item], run: Callable[..., Any], passed_on: Callable[[], list[str]],
    reddit: Reddit, db: Db, world: World, clock: Clock,
) -> None:  # fmt: skip
    reddit.items["t3_1"] = msgspec.structs.replace(stored(1), body="other")
    world.workspace(subreddits=["elsewhere"])
    clock.advance(HOUR)
    run()
    passed_on()
    assert row(db, "t3_1").body == "other"
    assert world.rows(Mention, "highlights") == [("[]",)]


def test_what_was_removed_from_the_further_texts_is_removed_here(
    stored: Callable[..., Item], run: Callable[..., Any], passed_on: Callable[[], list[str]],
    reddit: Reddit, db: Db, world: World, clock: Clock,
) -> None:  # fmt: skip
    first, second = stored(1, texts={"flair": "Help"}), stored(2)
    reddit.items["t3_1"] = msgspec.structs.replace(first, texts={}, lang="de", nsfw=True)
    reddit.items["t3_2"] = msgspec.structs.replace(second, texts={"flair": "New"})
    clock.advance(HOUR)
    run()
    passed_on()
    assert world.rows(ItemTable, "texts", "lang", "nsfw") == [("{}", "de", True), ('{"flair":"New"}', "", False)]
    assert world.rows(Mention, "highlights") == [('[["body",21,25],["title",3,7]]',)] * 2


def test_what_was_stored_before_captions_were_read_gets_them_with_its_recheck(
    stored: Callable[..., Item], run: Callable[..., Any], passed_on: Callable[[], list[str]],
    reddit: Reddit, db: Db, world: World, clock: Clock,
) -> None:  # fmt: skip
    first, second = stored(1, texts={"flair": "Help"}), stored(2, texts={"flair": "Help", "caption": "Acme"})
    reddit.items["t3_1"] = msgspec.structs.replace(first, texts={"flair": "Help", "caption": "Acme"})
    reddit.items["t3_2"] = msgspec.structs.replace(second, texts={"flair": "Help", "caption": "My cat"})
    clock.advance(HOUR)
    run()
    passed_on()
    assert world.rows(ItemTable, "texts") == [
        ('{"flair":"Help","caption":"Acme"}',), ('{"flair":"Help","caption":"My cat"}',),
    ]  # fmt: skip
    assert world.rows(Mention, "highlights") == [
        ('[["body",21,25],["caption",0,4],["title",3,7]]',), ('[["body",21,25],["title",3,7]]',),
    ]  # fmt: skip
    assert world.counts()["Mention"] == 2


def test_items_without_mentions_are_erased_without_a_request(
    stored: Callable[..., Item],
    run: Callable[..., Any],
    reddit: Reddit,
    world: World,
    db: Db,
    metric: Metric,
    permit: Allowance,
) -> None:
    stored(1)
    Mention.delete().execute(db.peewee)
    run()
    assert (names(world), reddit.requests, permit.urgent) == ([], [], None)
    assert metric("items_erased_total", cause="old") == 1


def test_only_the_items_of_the_source_are_looked_up(
    stored: Callable[..., Item], run: Callable[..., Any], reddit: Reddit, db: Db, clock: Clock
) -> None:
    stored(1)
    stored(2)
    began = clock()
    ItemTable.update(source="replay").where(ItemTable.ref == "t3_1").execute(db.peewee)
    clock.advance(HOUR)
    run()
    assert reddit.requests == [["t3_2"]]
    assert (row(db, "t3_1").checked_at, row(db, "t3_1").lease_until) == (began, 0), (
        "an item of another source stays unclaimed"
    )
