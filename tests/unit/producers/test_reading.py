"""The tick's step that follows the plan of readings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from overheard.config import Config
from overheard.db import feeds, groups, leases, reading, source_health
from overheard.db.budgets import DatabaseLimiter
from overheard.db.database import Db, open_database
from overheard.db.models import Budget, Feed, FeedGroup, Gap, Workspace
from overheard.messages import FetchWorkspace
from overheard.observability.metrics import ProcessMetrics
from overheard.operations import other_work, reading_plan
from overheard.operations.request_rates import rate_of
from overheard.sources.reddit.names import client_key
from overheard.sources.registry import SOURCES
from producers.current_plan import PLAN_SECONDS, REPACK_SECONDS
from producers.reading import DOWN_SECONDS, LOST_SECONDS, PROBE_SECONDS, ReadingPlanner
from producers.second_looks import LOOK_LOST_SECONDS
from tests.fixtures import Clock, Metric, World

Step = Callable[[], list[int]]


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


def config(**fetch: Any) -> Config:
    reddit = {"client_id": "x", "user_agent": "x", "requests_per_minute": 60}
    return Config.model_validate({"fetch": {"spare": "save"} | fetch, "sources": {"reddit": reddit}})


@pytest.fixture
def asked() -> list[FetchWorkspace]:
    return []


def planner(
    db: Db, clock: Clock, asked: list[FetchWorkspace], metrics: ProcessMetrics | None = None, **fetch: Any
) -> ReadingPlanner:
    metrics = metrics or ProcessMetrics(CollectorRegistry())
    return ReadingPlanner(db=db, clock=clock, config=config(**fetch), ask=asked.append, metrics=metrics)


@pytest.fixture
def step(db: Db, clock: Clock, asked: list[FetchWorkspace]) -> Step:
    """Let the planner take a step; return the groups that it asked for."""
    own = planner(db, clock, asked)

    def take() -> list[int]:
        asked.clear()
        own.step()
        return [message.group_id or 0 for message in asked]

    return take


def was_read(db: Db, clock: Clock, *, until: float | None = None, **values: Any) -> None:
    now = clock()
    read = {"began_at": now, "read_at": now, "fresh_at": now if until is None else until}
    FeedGroup.update(cursor="x", asked_at=0, **read).execute(db.peewee)
    Feed.update({"rate": 0.01, "rated_at": read["fresh_at"], "fresh_at": None} | values).execute(db.peewee)


def test_a_group_is_asked_for_when_its_workspace_wants_it_and_once(
    world: World, db: Db, clock: Clock, step: Step
) -> None:
    world.workspace(every="5m")
    assert step() == [], "what was never read is demanded by its workspace"
    was_read(db, clock)
    clock.advance(297)
    assert step() == []
    clock.advance(1)
    group = world.group().id
    assert step() == [group], "the next step comes later than this one is early"
    assert step() == []
    clock.advance(LOST_SECONDS)
    assert step() == [group], "the message was lost"


def test_a_reading_that_was_killed_is_asked_for_again_when_its_lease_is_over(
    world: World, db: Db, clock: Clock, step: Step
) -> None:
    lease = LOST_SECONDS / 10
    world.workspace(every="5m")
    was_read(db, clock)
    clock.advance(300)
    group = world.group().id
    assert step() == [group]
    world.claim("killed", lease=lease)
    assert feeds.sweep(db, clock.advance(lease)) == []
    assert step() == []
    assert feeds.sweep(db, clock.advance(1)) != []
    assert step() == [group]


def test_what_a_bus_in_memory_has_forgotten_is_asked_for_at_once(
    world: World, db: Db, clock: Clock, step: Step
) -> None:
    world.workspace(every="5m")
    was_read(db, clock)
    clock.advance(300)
    group = world.group().id
    assert step() == [group]
    leases.release_all(db)
    assert step() == [group], "the message was never taken"
    world.claim("forgotten")
    leases.release_all(db)
    assert step() == [group]


def test_a_busy_group_is_read_before_its_listing_overflows(world: World, db: Db, clock: Clock, step: Step) -> None:
    world.workspace(every="1h")
    was_read(db, clock, rate=4.0)
    clock.advance(200)
    assert step() == []
    clock.advance(20)
    assert step() != []


def test_what_is_refused_paused_or_held_is_not_asked_for(world: World, db: Db, clock: Clock, step: Step) -> None:
    acme = world.workspace(subreddits=["a", "b"])
    was_read(db, clock)
    clock.advance(400)
    Feed.update(retry_at=clock() + 100, failures=1).where(Feed.place == "a").execute(db.peewee)
    world.claim("p", "b")
    assert step() == []
    world.db.peewee.execute_sql("UPDATE feed_group SET lease_until = 0")
    assert step() == [world.group("b").id]
    assert acme


def test_what_backs_off_takes_nothing_from_the_freshness_of_others(world: World, db: Db, clock: Clock) -> None:
    refused = [f"gone{number}" for number in range(60)]
    world.workspace(subreddits=["fine", *refused], every="5m")
    Feed.update(rate=0.001).execute(db.peewee)
    back_at = clock() + 1800
    Feed.update(retry_at=back_at, failures=1, rate=None).where(Feed.place.in_(refused)).execute(db.peewee)

    def intervals(now: float) -> list[float]:
        fresh = config(spare="freshness", freshest=15)
        return [each.interval for each in reading_plan.current(db, "reddit", fresh, now).plan.groups]

    assert intervals(clock()) == [pytest.approx(15.0, rel=0.01)]
    assert len(intervals(back_at)) == 61, "then they are asked for again"


def test_no_more_is_asked_for_than_the_budget_serves_the_most_overdue_first(
    world: World, db: Db, clock: Clock, asked: list[FetchWorkspace]
) -> None:
    world.workspace(subreddits=[f"sub{number}" for number in range(40)])
    was_read(db, clock)
    clock.advance(400)
    FeedGroup.update(began_at=clock() - 900).where(FeedGroup.id == world.group("sub7").id).execute(db.peewee)
    planner(db, clock, asked, group_size=1).step()
    assert 8 <= len(asked) <= 10, "ten seconds at 0.95 a second"
    assert asked[0].group_id == world.group("sub7").id


def test_feeds_that_are_read_alone_are_grouped_and_new_ones_join(
    world: World, db: Db, clock: Clock, step: Step
) -> None:
    world.workspace(subreddits=["a", "b", "c"])
    was_read(db, clock)
    step()
    (number,) = {feed.bin for feed in Feed.select().execute(db.peewee)}
    assert number is not None
    world.workspace("bolt", subreddits=["d"])
    step()
    was_read(db, clock)
    clock.advance(PLAN_SECONDS)
    step()
    number = world.feed("d").bin
    assert world.feed("a").bin == number
    clock.advance(REPACK_SECONDS)
    step()
    assert world.feed("a").bin == number, "nothing is gained by other groups"


def test_a_source_that_is_down_is_asked_for_one_group_now_and_then(
    world: World, db: Db, clock: Clock, asked: list[FetchWorkspace]
) -> None:
    world.workspace(subreddits=[f"sub{number}" for number in range(200)])
    was_read(db, clock)
    own = planner(db, clock, asked, group_size=1)
    clock.advance(400)
    source_health.record_failure(db, "reddit", "away", clock(), clock())
    clock.advance(DOWN_SECONDS)
    for _ in range(120):
        own.step()
        source_health.record_failure(db, "reddit", "away", clock(), clock())
        clock.advance(5)
    assert len(asked) == 600 / PROBE_SECONDS
    source_health.record_read(db, "reddit", clock())
    asked.clear()
    own.step()
    assert len(asked) > 5


def test_a_source_that_fails_is_tried_with_all_groups_in_turn(
    world: World, db: Db, clock: Clock, asked: list[FetchWorkspace]
) -> None:
    """One group may be all that fails: the others must not wait for it."""
    world.workspace(subreddits=["bad", "worse", "fine"])
    was_read(db, clock)
    own = planner(db, clock, asked, group_size=1)
    clock.advance(400)
    bad = [world.group("bad").id, world.group("worse").id]
    FeedGroup.update(began_at=clock() - 900).where(FeedGroup.id.in_(bad)).execute(db.peewee)
    for _ in range(4):
        source_health.record_failure(db, "reddit", "500", clock(), clock())
        FeedGroup.update(asked_at=0).execute(db.peewee)  # the reading failed, and was given up
        clock.advance(PROBE_SECONDS)
        own.step()
    groups_asked = [message.group_id for message in asked]
    assert set(groups_asked[:3]) == {*bad, world.group("fine").id}
    assert len(groups_asked) == 4


def test_a_source_that_names_a_time_is_left_alone_until_then(world: World, db: Db, clock: Clock, step: Step) -> None:
    world.workspace()
    was_read(db, clock)
    clock.advance(400)
    source_health.record_failure(db, "reddit", "429", clock(), clock() + 60)
    assert step() == []
    clock.advance(61)
    assert len(step()) == 1


def test_a_probe_that_the_budget_did_not_allow_is_made_as_soon_as_it_does(
    world: World, db: Db, clock: Clock, step: Step
) -> None:
    world.workspace()
    was_read(db, clock)
    clock.advance(400)
    source_health.record_failure(db, "reddit", "429", clock(), clock() + 60)
    budget = SOURCES["reddit"].budget(config())
    assert budget is not None
    DatabaseLimiter(db, {"reddit": rate_of(budget)}).block(budget.key, 60)
    clock.advance(61)
    assert step() == []
    clock.advance(PROBE_SECONDS / 2)
    Budget.update(block_until=0).execute(db.peewee)
    assert len(step()) == 1


def test_a_refused_client_has_no_part_in_the_budget_of_the_plan(world: World, db: Db, clock: Clock) -> None:
    apps = [{"client_id": name, "client_secret": "x"} for name in ("one", "two")]
    both = Config.model_validate({"sources": {"reddit": {"client": apps, "user_agent": "x"}}})
    world.workspace()

    def budget() -> float:
        return reading_plan.current(db, "reddit", both, clock()).budget

    whole = budget()
    source_health.record_failure(db, client_key("two"), "refused", clock(), clock() + 300, revoked=True)
    assert budget() == whole / 2
    source_health.record_failure(db, client_key("one"), "refused", clock(), clock() + 300, revoked=True)
    assert budget() == whole, "then it does not matter: the source is down"
    source_health.record_read(db, client_key("one"), clock())
    source_health.record_read(db, client_key("two"), clock())
    assert budget() == whole


def test_without_watched_feeds_there_is_nothing_to_plan(step: Step) -> None:
    assert step() == []


def test_a_schedule_that_can_no_longer_be_read_stops_no_other(world: World, db: Db, clock: Clock, step: Step) -> None:
    world.workspace("acme", subreddits=["a"])
    world.workspace("bolt", subreddits=["b"])
    Workspace.update(every="1s").where(Workspace.slug == "bolt").execute(db.peewee)
    was_read(db, clock)
    clock.advance(300)
    assert step() == [world.group("a").id]


def test_a_reading_that_left_a_backlog_is_followed_at_once(world: World, db: Db, clock: Clock, step: Step) -> None:
    world.workspace(subreddits=["all"], every="5m")
    was_read(db, clock)
    clock.advance(5)
    assert step() == []
    was_read(db, clock, until=clock() - 60.0)
    clock.advance(5)
    assert step() == [world.group("all").id]
    was_read(db, clock)
    clock.advance(5)
    assert step() == [], "it has caught up"


def test_a_group_that_is_made_after_the_plan_is_read_as_often_as_its_workspace_wants(
    world: World, db: Db, clock: Clock, asked: list[FetchWorkspace]
) -> None:
    world.workspace(every="15s", subreddits=["a", "b"])
    shared = world.group("a").id
    Feed.update(group=shared).execute(db.peewee)
    own = planner(db, clock, asked)
    was_read(db, clock)
    own.step()
    [group] = groups.load(db, [shared])
    divided = groups.divide(db, group, [world.feed("b").id], poll=None)
    was_read(db, clock)
    for _ in range(3):
        clock.advance(5)
        own.step()
    assert {message.group_id for message in asked} == {shared, divided}


def test_a_group_that_is_not_watched_has_the_plan_made_once(
    world: World, db: Db, clock: Clock, asked: list[FetchWorkspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.workspace(every="1h", subreddits=["a"])
    world.workspace("bolt", every="1h", subreddits=["b"])
    was_read(db, clock)
    Workspace.update(active=False).where(Workspace.slug == "bolt").execute(db.peewee)
    plans: list[float] = []
    make = reading_plan.source_plan

    def made(*args: Any, now: float, **options: Any) -> reading_plan.SourcePlan:
        plans.append(now)
        return make(*args, now=now, **options)

    own = planner(db, clock, asked)
    own.step()
    clock.advance(5)
    own.step()
    monkeypatch.setattr(reading_plan, "source_plan", made)
    for _ in range(4):
        clock.advance(5)
        own.step()
    assert plans == [], "until the plan is old"


def was_looked_at(db: Db, clock: Clock, *, seconds_ago: float = 0.0) -> None:
    FeedGroup.update(looked_at=clock() - seconds_ago, look_asked_at=0).execute(db.peewee)


def looks(asked: list[FetchWorkspace]) -> list[tuple[int | None, float]]:
    return [(message.group_id, message.back_to) for message in asked if message.back_to]


def test_a_second_look_is_asked_for_once_in_each_look_back_and_reads_as_far_again(
    world: World, db: Db, clock: Clock, asked: list[FetchWorkspace]
) -> None:
    world.workspace(every="1h")
    own = planner(db, clock, asked, spare="freshness", look_back="30m")
    was_read(db, clock)
    was_looked_at(db, clock, seconds_ago=1799)
    looked_at = clock() - 1799
    own.step()
    assert looks(asked) == []
    clock.advance(1)
    own.step()
    own.step()
    planner(db, clock, asked, spare="freshness").step()
    assert looks(asked) == [(world.group().id, looked_at - 1800)], "once, whichever tick it is"
    clock.advance(LOOK_LOST_SECONDS)
    own.step()
    assert len(looks(asked)) == 2, "the message was lost"
    leases.release_all(db)
    planner(db, clock, asked, spare="freshness", look_back="30m").step()
    assert len(looks(asked)) == 3, "and so it is when the process that had it in memory has ended"
    was_looked_at(db, clock)
    clock.advance(1800)
    own.step()
    assert looks(asked)[-1] == (world.group().id, clock() - 3600), "one that is stored is over at once"


def test_a_listing_that_holds_less_is_looked_at_more_often_so_that_no_look_ends_short(
    world: World, db: Db, clock: Clock, asked: list[FetchWorkspace]
) -> None:
    """At one item a second, 880 of the 1,000 that are listed are those of a quarter of an hour."""
    world.workspace(every="1h")
    own = planner(db, clock, asked, spare="freshness", look_back="30m")
    was_read(db, clock, rate=1.0)
    was_looked_at(db, clock, seconds_ago=439)
    own.step()
    assert looks(asked) == []
    clock.advance(1)
    own.step()
    assert looks(asked) == [(world.group().id, clock() - 880)]


@pytest.mark.parametrize("fetch", [{"spare": "save"}, {"spare": "freshness", "look_back": "0"}])
def test_without_spare_budget_to_use_there_are_no_second_looks(
    world: World, db: Db, clock: Clock, asked: list[FetchWorkspace], fetch: dict[str, str]
) -> None:
    world.workspace()
    was_read(db, clock)
    was_looked_at(db, clock, seconds_ago=90_000)
    planner(db, clock, asked, **fetch).step()
    assert looks(asked) == []


def test_second_looks_come_last_and_those_without_budget_are_counted(
    world: World, db: Db, clock: Clock, asked: list[FetchWorkspace], metrics: ProcessMetrics, metric: Metric
) -> None:
    world.workspace(every="30s", subreddits=[f"sub{number}" for number in range(200)])
    own = planner(db, clock, asked, metrics, spare="freshness", group_size=1)
    was_read(db, clock)
    was_looked_at(db, clock, seconds_ago=1800)
    clock.advance(400)
    for _ in range(3):
        own.step()
        clock.advance(1800)
    assert looks(asked) == [], "more is overdue than the budget serves"
    assert metric("second_looks_total", source="reddit", outcome="skipped") == 400, "each of them twice"


def test_second_looks_are_asked_for_as_far_as_spare_budget_pays_for_them_the_longest_ago_first(
    world: World, db: Db, clock: Clock, asked: list[FetchWorkspace]
) -> None:
    world.workspace(every="1h", subreddits=[f"sub{number}" for number in range(10)])
    own = planner(db, clock, asked, spare="freshness", group_size=1, freshest=3600)
    was_read(db, clock, rate=0.2)
    was_looked_at(db, clock, seconds_ago=1800)
    oldest = world.group("sub3").id
    FeedGroup.update(looked_at=clock() - 2000).where(FeedGroup.id == oldest).execute(db.peewee)
    own.step()
    assert looks(asked) == [(oldest, clock() - 3800)], "eight pages of it are to be paid first"
    clock.advance(5)
    own.step()
    assert len(looks(asked)) == 1
    clock.advance(10)
    own.step()
    assert len(looks(asked)) == 2


def test_while_gaps_are_open_second_looks_take_no_more_than_their_share(
    world: World, db: Db, clock: Clock, asked: list[FetchWorkspace]
) -> None:
    world.workspace(every="1h", subreddits=[f"sub{number}" for number in range(10)])
    was_read(db, clock, rate=0.2)
    was_looked_at(db, clock, seconds_ago=1800)
    numbers = {"reason": "horizon", "found_at": clock(), "first_number": 1, "last_number": 1_000_000}
    Gap.insert(feed=world.feed("sub0").id, **numbers).execute(db.peewee)
    own = planner(db, clock, asked, spare="freshness", group_size=1, freshest=3600)
    own.step()
    clock.advance(120)
    own.step()
    assert len(looks(asked)) == 1, "its eight pages are paid with three in a hundred requests"
    clock.advance(180)
    own.step()
    assert len(looks(asked)) == 2
    Gap.update(state="filled").execute(db.peewee)
    for count in (3, 4):
        clock.advance(PLAN_SECONDS)
        own.step()
        assert len(looks(asked)) == count


def test_what_is_no_listing_refused_never_read_or_down_gets_no_second_look(
    world: World, db: Db, clock: Clock, asked: list[FetchWorkspace]
) -> None:
    world.workspace(every="1h", subreddits=["all"])
    world.workspace("bolt", every="1h", subreddits=["refused"])
    was_read(db, clock)
    Feed.update(retry_at=clock() + 9, failures=1).where(Feed.place == "refused").execute(db.peewee)
    world.workspace("zeta", every="1h", subreddits=["unread"])
    was_looked_at(db, clock, seconds_ago=1800)
    own = planner(db, clock, asked, spare="freshness")
    own.step()
    assert looks(asked) == []
    clock.advance(10)
    source_health.record_failure(db, "reddit", "away", clock(), clock())
    own.step()
    assert looks(asked) == []
    source_health.record_read(db, "reddit", clock())
    own.step()
    assert [group for group, _ in looks(asked)] == [world.group("refused").id]


def test_what_second_looks_would_take_is_planned_for(world: World, db: Db, clock: Clock) -> None:
    world.workspace(subreddits=["a", "all"])
    was_read(db, clock, rate=0.05)
    pages_of_an_hour = 2.3  # of 180 items

    def wanted(**fetch: str) -> float:
        feeds = reading.watched_feeds(db, "reddit")
        return other_work.wanted(db, "reddit", feeds, config(**fetch), clock()).second_looks

    assert wanted(spare="freshness") == pytest.approx(pages_of_an_hour / 1800, rel=0.2)
    assert wanted() == 0.0
    Feed.update(rate=0.25).execute(db.peewee)
    assert (
        wanted(spare="freshness", look_back="1d")
        == wanted(spare="freshness", look_back="30m")
        == pytest.approx(9.25 / 1760, rel=0.01)
    )
    Feed.update(rate=9.0).execute(db.peewee)
    assert wanted(spare="freshness", look_back="1m") == pytest.approx(0.03), "of one a second"


def test_readings_that_wait_for_their_slots_are_as_many_as_the_next_step_can_serve(
    world: World, db: Db, sqlite_url: str, clock: Clock, asked: list[FetchWorkspace]
) -> None:
    at_clock = open_database(sqlite_url, clock)  # slots are given out by the database's clock
    world.workspace(subreddits=[f"sub{number}" for number in range(40)])
    was_read(db, clock)
    clock.advance(400)
    own = planner(at_clock, clock, asked, group_size=1)
    budget = SOURCES["reddit"].budget(own.config)
    assert budget is not None
    limiter = DatabaseLimiter(at_clock, {"reddit": rate_of(budget)})
    with at_clock.session():
        while limiter.reserve(budget.key, patient=True).delay < 3.0:
            pass
        own.step()
        assert 1 <= len(asked) <= 2, "of five seconds, three are taken"
        asked.clear()
        clock.advance(LOST_SECONDS)
        limiter.block(budget.key, 60)
        own.step()
        assert asked == [], "nothing can be read before the end of the block"
    at_clock.release()
