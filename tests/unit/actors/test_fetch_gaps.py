"""fetch fills gaps: numbers are looked up once for all of them, and what is lost on the way is looked up again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from actors import fetch
from actors.fetch.fetcher import Fetcher
from actors.fetch.gap_filling import (
    OLD_GAP_SECONDS,
    READ_LEASE_SECONDS,
    REQUESTS,
    RETRY_MIN_SECONDS,
    STORE_LEASE_SECONDS,
)
from overheard.config import Config, FetchSettings
from overheard.db import gap_filling, gaps, reading, source_health, storing
from overheard.db.database import Db
from overheard.db.models import Gap, GapFilling, Mention, Poll, StoredItem, Workspace
from overheard.errors import BudgetExhausted, PermanentError, RetryableError, Unavailable
from overheard.items import FeedKind, Item
from overheard.messages import FetchWorkspace, ItemsFetched, ItemsMatched
from overheard.observability.metrics import ProcessMetrics
from overheard.operations import other_work
from overheard.operations.other_work import FILL_SECONDS
from overheard.outcomes import Later, Rejected
from overheard.reading.numbers import HOLE_SECONDS, JUMP_NUMBERS
from overheard.sources import NumberedPage
from overheard.sources.reddit.names import numbered
from producers.current_plan import PLAN_SECONDS
from producers.gap_filling import (
    AFFORDABLE_SECONDS,
    ASKED_LOST_SECONDS,
    LOST_AFTER_SECONDS,
    REPORT_SECONDS,
    GapRequests,
)
from tests.fixtures import Clock, Metric, Sent, World

REDDIT = {"client_id": "x", "user_agent": "x", "requests_per_minute": 60}


class Numbered:
    """Reddit's items by number. ``tokens``: how many requests have a spare one; ``takes``: seconds of each."""

    name = "reddit"

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.takes = 0.0
        self.items: dict[tuple[FeedKind, int], Item] = {}
        self.asked: list[tuple[FeedKind, int, int]] = []
        self.tokens = 10_000
        self.error: Exception | None = None

    def read_numbers(self, kind: FeedKind, numbers: Sequence[int], budget: Any) -> NumberedPage:
        if self.error is not None:
            raise self.error
        if not self.tokens:
            raise BudgetExhausted("reddit:x", delay=3.0, slot=None)
        self.tokens -= 1
        self.clock.advance(self.takes)
        assert len(numbers) <= 100
        self.asked.append((kind, min(numbers), max(numbers)))
        found = {number: self.items[kind, number] for number in numbers if (kind, number) in self.items}
        return NumberedPage(tuple(found.values()), tuple(number for number in numbers if number not in found))


class Pipeline:
    """The tick's step, fetch, and store right behind it; ``lost``: what is sent on never arrives."""

    def __init__(self, world: World, metrics: ProcessMetrics) -> None:
        self.world, self.db, self.clock, self.metrics = world, world.db, world.clock, metrics
        self.source = Numbered(world.clock)
        self.sent = Sent()
        self.asked: list[FetchWorkspace] = []
        self.lost = False
        self.fetcher = Fetcher(
            db=world.db, sources={"reddit": self.source}, send=self.sent, clock=world.clock, rules=FetchSettings(),
            recheck_within=86400.0, metrics=metrics,
        )  # type: ignore[dict-item]  # fmt: skip
        config = Config.model_validate({"sources": {"reddit": REDDIT}})
        self.requests = GapRequests(
            db=world.db, clock=world.clock, config=config, ask=self.asked.append, metrics=metrics
        )

    def gap(self, since: int, until: int, place: str = "python", kind: FeedKind = "posts", **fields: Any) -> None:
        """Record a gap without margins."""
        values = {"reason": "horizon", "found_at": self.clock(), "first_number": since, "last_number": until}
        Gap.insert(feed=self.world.feed(place, kind).id, **(values | fields)).execute(self.db.peewee)

    def item(self, number: int, place: str = "Python") -> str:
        self.source.items["posts", number] = self.world.item(number, place=place, created_at=self.clock() - 60)
        return numbered("post", number)

    def fill(self, kind: FeedKind = "posts") -> list[ItemsFetched]:
        """Handle one message, and store what it sends."""
        return self.handle(FetchWorkspace(source="reddit", fill=kind, reason="fill"))

    def handle(self, message: FetchWorkspace) -> list[ItemsFetched]:
        self.sent.clear()
        while (later := self.fetcher.fetch(message, None)) is not None:  # type: ignore[arg-type]
            assert isinstance(later, Later)
            assert isinstance(later.message, FetchWorkspace)
            self.clock.advance(later.delay)
            message = later.message
        parts = [part for part in self.sent if isinstance(part, ItemsFetched)]
        for part in () if self.lost else parts:
            self.store(part)
        return parts

    def store(self, part: ItemsFetched) -> storing.StoreResult:
        ids = tuple(row["id"] for row in self.world.rows(Workspace) if row["active"])
        message = self.world.matched(*((item, ids) for item in part.items))
        return storing.store(self.db, ItemsMatched(part=part.part, items=message.items), self.clock())

    def tick(self) -> int:
        """Take a step, and handle what it asks for."""
        self.asked.clear()
        self.requests.step()
        for message in self.asked:
            self.handle(message)
        return len(self.asked)

    def run(self, ticks: int) -> None:
        for _ in range(ticks):
            self.tick()
            self.clock.advance(5)

    @property
    def stored(self) -> set[str]:
        return {row["ref"] for row in self.world.rows(StoredItem)}

    @property
    def states(self) -> dict[str, int]:
        rows = [state for (state,) in self.world.rows(Gap, "state")]
        return {state: rows.count(state) for state in rows}


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def pipeline(world: World, metrics: ProcessMetrics) -> Pipeline:
    return Pipeline(world, metrics)


def test_a_gap_is_looked_up_and_what_it_held_becomes_mentions(pipeline: Pipeline, world: World) -> None:
    world.workspace()
    world.clock.advance(3600)
    missed = [pipeline.item(number) for number in (1000, 1050, 1499)]
    pipeline.item(1001, place="Elsewhere"), pipeline.item(999), pipeline.item(1500)
    pipeline.gap(1000, 1499)
    pipeline.run(1)
    assert pipeline.stored == set(missed)
    assert pipeline.source.asked == [("posts", first, first + 99) for first in range(1400, 900, -100)]
    [gap] = gaps.listing(world.db, limit=2)
    assert (gap.state, gap.filled_at) == ("filled", pipeline.clock() - 5)
    assert [backfilled for (backfilled,) in world.rows(Mention, "backfilled")] == [False] * 3
    pipeline.run(3)
    assert len(pipeline.source.asked) == 5, "nothing is left"


def test_two_thousand_feeds_that_stopped_at_once_are_read_once(pipeline: Pipeline, world: World) -> None:
    places = [f"sub{number}" for number in range(200)]
    world.workspace(subreddits=places)
    for place in places:
        pipeline.gap(1000 + len(place), 5000, place)
    pipeline.run(5)
    assert len(pipeline.source.asked) == 40
    assert pipeline.states == {"filled": 200}


def test_a_new_gap_does_not_wait_for_one_of_days(pipeline: Pipeline, world: World) -> None:
    world.workspace(subreddits=["python", "rust"])
    pipeline.gap(0, 1_000_000)
    pipeline.run(2)
    pipeline.gap(995_000, 1_000_999, "rust")
    pipeline.run(2)
    assert pipeline.states == {"open": 1, "filled": 1}


def test_under_lasting_shortage_old_gaps_share_what_is_spare_with_new_ones(pipeline: Pipeline, world: World) -> None:
    """Each minute leaves a gap that takes the tokens of a minute."""
    world.workspace()
    pipeline.gap(1000, 1999)
    pipeline.clock.advance(OLD_GAP_SECONDS - 600)
    for minute in range(20):
        pipeline.clock.advance(60 - pipeline.clock() % 60)
        pipeline.source.tokens = 1
        pipeline.gap(100_000 + 1000 * minute, 100_099 + 1000 * minute)
        pipeline.tick()
    old = [first for _, first, _ in pipeline.source.asked if first < 100_000]
    assert old == [1900, 1800, 1700, 1600, 1500], "every second one, once it is old"
    assert pipeline.states == {"filled": 15, "open": 6}
    assert LOST_AFTER_SECONDS == 2 * OLD_GAP_SECONDS


def test_gaps_apart_and_of_other_kinds_are_filled_without_what_lies_between(pipeline: Pipeline, world: World) -> None:
    world.workspace(kinds=["posts", "comments"], subreddits=["python", "rust"])
    pipeline.gap(1000, 1009), pipeline.gap(5000, 5009, "rust"), pipeline.gap(2000, 2004, kind="comments")
    assert pipeline.tick() == 2
    assert pipeline.source.asked == [("posts", 1000, 5009), ("comments", 2000, 2004)]
    assert pipeline.states == {"filled": 3}


def test_a_long_gap_is_filled_in_turns_and_one_found_meanwhile_too(pipeline: Pipeline, world: World) -> None:
    world.workspace(subreddits=["python", "rust"])
    turn = REQUESTS * 100
    pipeline.gap(10_000, 10_000 + 2 * turn - 1)
    pipeline.run(1)
    assert pipeline.states == {"open": 1}
    # Half of it has been looked up; its feed had no gap then.
    pipeline.gap(9_950 + 2 * turn, 10_049 + 2 * turn, "rust")
    missed = pipeline.item(9_980 + 2 * turn, "Rust")
    pipeline.run(2)
    assert pipeline.states == {"filled": 2}
    assert missed in pipeline.stored
    assert len(pipeline.source.asked) == 2 * REQUESTS + 1


def test_a_gap_found_between_looking_up_and_storing_moves_only_past_what_was_looked_up(
    pipeline: Pipeline, world: World
) -> None:
    world.workspace(subreddits=["python", "rust"])
    pipeline.gap(1000, 1099), pipeline.gap(1300, 1399)
    pipeline.lost = True
    parts = pipeline.fill()
    pipeline.gap(1050, 1399, "rust")
    pipeline.gap(1050, 1149, "rust")
    for part in parts:
        pipeline.store(part)
    rows = world.rows(Gap)
    assert [row["state"] for row in rows] == ["filled", "filled", "open", "open"]
    assert [row["last_number"] for row in rows[2:]] == [1299, 1149]


def test_what_is_lost_between_fetch_and_store_is_looked_up_again(pipeline: Pipeline, world: World) -> None:
    world.workspace()
    missed = pipeline.item(1000)
    pipeline.gap(1000, 1099)
    pipeline.lost = True
    assert pipeline.tick() == 1
    assert pipeline.tick() == 0, "it is on its way"
    pipeline.lost = False
    pipeline.clock.advance(STORE_LEASE_SECONDS + 1)
    assert pipeline.tick() == 1
    assert (pipeline.stored, pipeline.states) == ({missed}, {"filled": 1})


def test_a_process_killed_while_it_looks_up_holds_nobody_up_for_long(pipeline: Pipeline, world: World) -> None:
    world.workspace()
    pipeline.gap(1000, 1099)
    assert gap_filling.claim(world.db, "reddit", "posts", "killed", now=pipeline.clock(), lease=READ_LEASE_SECONDS)
    pipeline.clock.advance(5)
    assert pipeline.tick() == 0
    pipeline.clock.advance(READ_LEASE_SECONDS)
    pipeline.run(1)
    assert pipeline.states == {"filled": 1}


def test_only_some_parts_stored_leave_the_gap_open(pipeline: Pipeline, world: World) -> None:
    world.workspace()
    missed = {pipeline.item(1000), pipeline.item(1100)}
    pipeline.gap(1000, 1199)
    pipeline.lost = True
    first, second, last = pipeline.fill()
    for part in (last, last, second):
        pipeline.store(part)
        assert pipeline.states == {"open": 1}
    assert pipeline.store(first).filled == {"reddit": 1}
    assert (pipeline.stored, pipeline.states) == (missed, {"filled": 1})
    for part in (last, first, second):
        assert pipeline.store(part).filled == {}, "once"


def test_repeated_messages_read_nothing_while_one_is_under_way(pipeline: Pipeline, world: World) -> None:
    world.workspace()
    pipeline.gap(1000, 9000)
    pipeline.lost = True
    pipeline.fill()
    read = len(pipeline.source.asked)
    assert pipeline.fill() == []
    assert len(pipeline.source.asked) == read


def test_a_late_poll_does_not_end_the_lease_of_the_next_one(pipeline: Pipeline, world: World) -> None:
    world.workspace()
    pipeline.gap(1000, 1000 + 3 * REQUESTS * 100 - 1)
    pipeline.lost = True
    late = pipeline.fill()
    pipeline.clock.advance(STORE_LEASE_SECONDS + 1)
    assert pipeline.fill(), "the same numbers once more"
    for part in late:
        pipeline.store(part)
    assert pipeline.fill() == [], "the second one still holds it"
    assert world.rows(GapFilling)[0]["poll"] is not None


def test_without_spare_tokens_the_gap_stays_open_until_it_is_too_old(
    pipeline: Pipeline, world: World, metric: Metric
) -> None:
    world.workspace()
    pipeline.gap(1000, 9000)
    pipeline.source.tokens = 2
    pipeline.run(3)
    assert (len(pipeline.source.asked), pipeline.states) == (2, {"open": 1})
    assert metric("gap_numbers_left", source="reddit") == 7801
    pipeline.clock.advance(LOST_AFTER_SECONDS)
    pipeline.run(1)
    assert gaps.listing(world.db, limit=1)[0].reason == "horizon, too old to fill"
    assert pipeline.states == {"lost": 1}
    assert metric("gaps_lost_total", source="reddit", reason="age") == 1
    assert metric("gaps_open", source="reddit") == metric("gap_numbers_left", source="reddit") == 0
    pipeline.run(2)
    assert len(pipeline.source.asked) == 2
    assert world.rows(Poll) == [] or all(row["finished_at"] for row in world.rows(Poll))


def test_a_gap_without_numbers_stays_open_until_it_is_too_old(pipeline: Pipeline, world: World, metric: Metric) -> None:
    world.workspace()
    pipeline.gap(0, 0, first_number=None, last_number=None)
    assert pipeline.tick() == 0
    pipeline.clock.advance(LOST_AFTER_SECONDS + REPORT_SECONDS)
    assert pipeline.tick() == 0
    assert pipeline.states == {"lost": 1}
    assert gaps.listing(world.db, limit=1)[0].reason == "horizon, cannot be filled"
    lost = {reason: metric("gaps_lost_total", source="reddit", reason=reason) for reason in ("age", "unnumbered")}
    assert lost == {"age": 0, "unnumbered": 1}, "nothing alerts to it a second time"


def test_a_jump_in_the_numbers_is_filled_by_few_requests(pipeline: Pipeline, world: World) -> None:
    world.workspace(subreddits=["all"])
    missed = pipeline.item(999_950)
    pipeline.gap(1000, 1_000_000, "all", reason="jump")
    pipeline.gap(1000, 100_000_000, "all", reason="jump", first_number=2_000_000)  # more than is affordable
    pipeline.clock.advance(HOLE_SECONDS)
    pipeline.run(3)
    assert pipeline.states == {"filled": 2}
    assert len(pipeline.source.asked) == 2 * JUMP_NUMBERS // 100
    assert pipeline.stored == {missed}


def test_a_jump_that_holds_items_after_all_is_looked_up(pipeline: Pipeline, world: World) -> None:
    world.workspace(subreddits=["all"])
    missed = {pipeline.item(number) for number in range(7000, 10_001, 50)}
    pipeline.gap(1000, 10_000, "all", reason="jump")
    pipeline.clock.advance(HOLE_SECONDS)
    pipeline.run(10)
    assert pipeline.stored == missed
    assert pipeline.states == {"filled": 1}
    assert len(pipeline.source.asked) == 4 * JUMP_NUMBERS // 100


def test_a_gap_that_can_never_be_looked_up_is_lost_at_once(pipeline: Pipeline, world: World, metric: Metric) -> None:
    world.workspace()
    affordable = int(AFFORDABLE_SECONDS * 0.95) * 100
    pipeline.gap(1000, 1000 + affordable)
    pipeline.gap(1000, 999 + affordable)
    pipeline.tick()
    assert [row["state"] for row in world.rows(Gap)] == ["lost", "open"]
    assert metric("gaps_lost_total", source="reddit", reason="size") == 1


def test_a_feed_that_is_no_longer_watched_costs_nothing(pipeline: Pipeline, world: World) -> None:
    acme = world.workspace(subreddits=["python", "rust"])
    pipeline.gap(1000, 1099), pipeline.gap(3000, 3099, "rust")
    kept, _ = pipeline.item(1000), pipeline.item(1001, "Rust")
    Workspace.update(active=False).where(Workspace.id == acme).execute(world.db.peewee)
    assert pipeline.tick() == 0
    world.workspace("bolt", subreddits=["python"])
    pipeline.run(2)
    assert pipeline.source.asked == [("posts", 1000, 1099)]
    assert pipeline.stored == {kept}
    assert [row["state"] for row in world.rows(Gap)] == ["filled", "open"]


def test_while_the_source_is_down_it_is_not_asked_and_then_goes_on_where_it_was(
    pipeline: Pipeline, world: World
) -> None:
    world.workspace()
    pipeline.gap(1000, 1299)
    pipeline.source.error = RetryableError("503")
    pipeline.run(1)
    assert source_health.state(world.db, "reddit").failing_since is not None
    pipeline.run(1)
    assert pipeline.asked == []
    source_health.record_read(world.db, "reddit", pipeline.clock())
    pipeline.source.error = PermanentError("no")
    assert pipeline.tick() == 1, "not a dead letter"
    pipeline.source.error = None
    source_health.record_read(world.db, "reddit", pipeline.clock.advance(1))
    pipeline.run(1)
    assert pipeline.states == {"filled": 1}


def test_when_the_database_or_bus_is_away_the_message_is_tried_again(pipeline: Pipeline, world: World) -> None:
    world.workspace()
    pipeline.item(1000)
    pipeline.gap(1000, 1099)
    pipeline.sent.failure = Unavailable("gone")
    with pytest.raises(Unavailable):
        pipeline.fill()
    pipeline.sent.failure = None
    assert pipeline.fill()
    assert pipeline.states == {"filled": 1}


def test_a_message_that_is_lost_before_fetch_is_sent_again(pipeline: Pipeline, world: World) -> None:
    world.workspace()
    pipeline.gap(1000, 1099)
    assert [pipeline.requests.step(), pipeline.requests.step()] == [1, 0]
    pipeline.clock.advance(ASKED_LOST_SECONDS + 1)
    assert pipeline.requests.step() == 1


def test_a_source_whose_items_have_no_numbers_refuses(pipeline: Pipeline) -> None:
    pipeline.fetcher.sources = pipeline.fetcher.gaps.sources = {"hackernews": object()}  # type: ignore[dict-item]
    message = FetchWorkspace(source="hackernews", fill="items", reason="fill")
    assert isinstance(pipeline.fetcher.fetch(message, None), Rejected)  # type: ignore[arg-type]


def test_whatever_is_lost_repeated_or_late_every_item_of_a_gap_is_stored(pipeline: Pipeline, world: World) -> None:
    chance = random.Random(7)
    places = [f"sub{number}" for number in range(6)]
    world.workspace(subreddits=places)
    missed, late = set[str](), list[ItemsFetched]()
    for _ in range(30):
        for _ in range(chance.randrange(3)):
            place, first = chance.choice(places), chance.randrange(1000, 12_000)
            last = first + chance.randrange(2000)
            pipeline.gap(first, last, place)
            missed |= {pipeline.item(chance.randint(first, last), place) for _ in range(3)}
        pipeline.lost, pipeline.source.tokens = True, chance.choice([0, 1, 3, 50])
        pipeline.requests.step()
        parts = pipeline.fill() * chance.choice([1, 1, 2])
        chance.shuffle(parts)
        fate = chance.random()
        if fate < 0.2:  # killed before all was sent
            parts = [part for part in parts if part.part.parts is None]
        elif fate < 0.4:
            late, parts = [*late, *parts], chance.sample(late, min(len(late), 3))
        for part in parts:
            pipeline.store(part)
        pipeline.clock.advance(chance.choice([5, 5, 70, STORE_LEASE_SECONDS + 5]))
    pipeline.lost, pipeline.source.tokens = False, 10_000
    pipeline.clock.advance(STORE_LEASE_SECONDS + 5)
    pipeline.run(20)
    assert pipeline.states.keys() == {"filled"}
    assert missed - pipeline.stored == set()
    assert gap_filling.backlog(world.db, "reddit") == 0


def test_gaps_are_filled_with_spare_tokens_only() -> None:
    context: Any = SimpleNamespace(
        config=Config.model_validate({"sources": {"reddit": REDDIT}}), db=None, send=None, metrics=None, clock=None,
        sources=dict,
    )  # fmt: skip
    need = fetch.work(context).need
    assert need is not None
    assert need(FetchWorkspace(source="reddit", fill="posts", reason="fill")).share is not None  # type: ignore[union-attr]
    assert need(FetchWorkspace(source="reddit", group_id=1)).share is None  # type: ignore[union-attr]


def test_the_plan_makes_room_for_gaps_at_once(pipeline: Pipeline, world: World) -> None:
    config = Config.model_validate({"sources": {"reddit": REDDIT}})
    world.workspace()

    def room() -> float:
        feeds = reading.watched_feeds(world.db, "reddit")
        return other_work.wanted(world.db, "reddit", feeds, config, pipeline.clock()).requests

    without = room()  # its places are to be checked
    pipeline.gap(1000, 1000 + 150_000 - 1)
    assert room() - without == pytest.approx(1500 / FILL_SECONDS)
    assert other_work.gap_requests(world.db) == 1500


def test_the_last_of_a_gap_is_filled_within_minutes(pipeline: Pipeline, world: World) -> None:
    """The plan makes room for what is left; as much of it as that room is for is filled until the next plan."""
    config = Config.model_validate({"fetch": {"look_back": "0"}, "sources": {"reddit": REDDIT}})
    world.workspace()
    feeds = reading.watched_feeds(world.db, "reddit")
    left, seconds = 100 * 100, 0.0
    pipeline.gap(1, left)
    while left >= 100:
        room = other_work.wanted(world.db, "reddit", feeds, config, pipeline.clock()).gaps
        left -= int(100 * room * PLAN_SECONDS)
        Gap.update(last_number=left).execute(world.db.peewee)
        seconds += PLAN_SECONDS
    assert seconds <= 300.0


def test_a_turn_ends_soon_and_what_it_has_found_is_not_looked_up_again(pipeline: Pipeline, world: World) -> None:
    """What waits for spare tokens holds no thread, and what has many leaves its thread to others now and then."""
    world.workspace()
    pipeline.gap(1000, 1999)
    pipeline.source.tokens = 3
    fill = FetchWorkspace(source="reddit", fill="posts", reason="fill")
    later = pipeline.fetcher.fetch(fill, None)  # type: ignore[arg-type]
    assert isinstance(later, Later)
    assert later.delay == 3.0
    assert pipeline.fetcher.fetch(fill, None) is None, "a repeated message"  # type: ignore[arg-type]
    pipeline.source.tokens, pipeline.source.takes = 10, 1.0
    later = pipeline.fetcher.fetch(later.message, None)  # type: ignore[arg-type]
    assert isinstance(later, Later)
    assert later.delay == RETRY_MIN_SECONDS
    pipeline.handle(later.message)  # type: ignore[arg-type]
    assert [first for _, first, _ in pipeline.source.asked] == list(range(1900, 900, -100))
    assert pipeline.states == {"filled": 1}
    assert pipeline.fetcher.fetch(later.message, None) is None, "it has ended"  # type: ignore[arg-type]
