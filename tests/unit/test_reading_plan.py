"""The plan of readings: what paging costs, which feeds are read together, and how often."""

from __future__ import annotations

import math
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overheard.reading import intervals
from overheard.reading.group_feeds import GroupFeeds
from overheard.reading.intervals import GroupLoad, cost, fewest, within
from overheard.reading.packing import PackedFeed, RequestRoom, balanced, place, ranked
from overheard.reading.paging import MOST_EXPECTED_ITEMS, efficient_seconds, fewest_bound, horizon_seconds, pages
from overheard.reading.plan import ReadingPlan, plan
from overheard.reading.rates import FeedRate, updated
from overheard.reading.rules import ReadingRules

ROOM = RequestRoom(50, 1500)
FEEDS = st.lists(st.tuples(st.floats(0, 5), st.sampled_from([60.0, 300.0, 3600.0]), st.integers(4, 22)), min_size=1)
NUMBERS = st.sampled_from([0.0, 0.0, 0.0, 18.0])
LOADS = st.lists(st.builds(GroupLoad, st.floats(0, 20), st.floats(10, 3600), NUMBERS), min_size=1, max_size=60)


def feeds_of(drawn: list[tuple[float, float, int]]) -> list[PackedFeed]:
    return [PackedFeed(number, rate, every, size) for number, (rate, every, size) in enumerate(drawn)]


@pytest.mark.parametrize(
    ("mean", "efficiency"), [(50, 0.50), (78, 0.77), (100, 0.66), (178, 0.87), (471, 0.925), (865, 0.95)]
)
def test_the_price_of_reading_back_is_the_simulated_one(mean: int, efficiency: float) -> None:
    chance = random.Random(1)
    simulated = sum(1 + _poisson(chance, mean) // 100 for _ in range(4000)) / 4000
    assert pages(mean) == pytest.approx(simulated, rel=0.02)
    assert mean / 100 / pages(mean) == pytest.approx(efficiency, abs=0.006)


def _poisson(chance: random.Random, mean: int) -> int:
    at, count = chance.expovariate(mean), 0
    while at < 1.0:
        at, count = at + chance.expovariate(mean), count + 1
    return count


def test_a_group_is_read_at_the_level_at_which_its_items_cost_least() -> None:
    assert efficient_seconds(0.1, 300.0) == 300.0, "one request a reading: the fewer the better"
    assert efficient_seconds(100 / 300, 300.0) == pytest.approx(78 / (100 / 300), rel=0.1), "not just above a page"
    assert efficient_seconds(10.0, 300.0) <= MOST_EXPECTED_ITEMS / 10.0
    assert efficient_seconds(0.0, 300.0) == 300.0


@given(LOADS, st.floats(0.05, 10))
@settings(deadline=None)
def test_intervals_keep_the_budget_the_listings_and_the_workspaces(loads: list[GroupLoad], budget: float) -> None:
    seldom = fewest(loads)
    chosen = within(loads, budget, freshest=15.0)
    overloaded = cost(loads, seldom) > budget
    for load, interval, most in zip(loads, chosen, seldom, strict=True):
        assert 0.0 < interval <= (math.inf if load.numbers else horizon_seconds(load.rate)) + 1e-6
        assert overloaded or interval <= most + 1e-9
    if not overloaded:
        assert cost(loads, chosen) <= budget * (1 + 1e-6)


def test_what_is_left_of_the_budget_buys_freshness_where_it_brings_most() -> None:
    loads = [GroupLoad(4.0, 300.0), GroupLoad(1.0, 300.0), GroupLoad(0.25, 300.0)]
    busy, normal, quiet = within(loads, 0.2, freshest=5.0)
    assert cost(loads, [busy, normal, quiet]) == pytest.approx(0.2, rel=0.01)
    assert (normal / busy, quiet / normal) == (pytest.approx(2.0, rel=0.01), pytest.approx(2.0, rel=0.01))
    assert within(loads, 0.2, freshest=None) == fewest(loads)


def test_beyond_the_budget_all_wait_alike() -> None:
    """No feed is forgotten for another, and every token is used."""
    loads = [GroupLoad(0.05, 60.0 if number % 2 else 600.0) for number in range(100)]
    chosen = within(loads, 0.1, freshest=15.0)
    assert cost(loads, chosen) == pytest.approx(0.1, rel=0.02)
    assert max(chosen) <= 1.5 * sum(chosen) / len(chosen)


@given(FEEDS)
@settings(deadline=None)
def test_groups_fit_into_a_request_and_have_each_feed_once(drawn: list[tuple[float, float, int]]) -> None:
    feeds = feeds_of(drawn)
    for pack in (balanced, ranked):
        groups = pack(feeds, RequestRoom(7, 60))
        assert sorted(feed.id for group in groups for feed in group) == [feed.id for feed in feeds]
        assert all(len(group) <= 7 and sum(feed.name_bytes for feed in group) <= 60 for group in groups)


def test_balanced_groups_have_equal_rates_and_ranked_ones_the_busiest_first() -> None:
    feeds = [PackedFeed(number, 1.0 / (number + 1), 300.0, 10) for number in range(100)]
    even = [sum(feed.rate for feed in group) for group in balanced(feeds, ROOM)]
    assert max(even) == pytest.approx(min(even), rel=0.01)
    first, second = ranked(feeds, ROOM)
    assert min(feed.rate for feed in first) >= max(feed.rate for feed in second)


def test_a_new_feed_goes_where_there_is_room_and_least_to_read() -> None:
    groups = {
        1: [PackedFeed(1, 3.0, 300.0, 10)],
        2: [PackedFeed(2, 1.0, 300.0, 10)],
        3: [PackedFeed(3, 0.1, 3600.0, 10)],
    }
    new = PackedFeed(9, 0.01, 300.0, 10)
    assert place([new], groups, RequestRoom(2, 100)) == {9: 2}, "3 is read too seldom"
    assert place([new], groups, RequestRoom(1, 100)) == {}


@given(FEEDS, FEEDS, st.integers(1, 4))
@settings(deadline=None)
def test_new_feeds_go_where_a_search_of_all_groups_puts_them(
    drawn: list[tuple[float, float, int]], others: list[tuple[float, float, int]], size: int
) -> None:
    feeds, room = feeds_of(drawn + others), RequestRoom(4, 45)
    old, new = feeds[: len(drawn)], feeds[len(drawn) :]
    groups = {start: old[start : start + size] for start in range(0, len(old), size)}
    searched = {number: [*members] for number, members in groups.items()}
    expected = {}
    for feed in ranked(new, RequestRoom(len(new), None))[0]:
        free = [
            (sum(each.rate for each in members), number)
            for number, members in searched.items()
            if len(members) < room.feeds
            and sum(each.name_bytes for each in (*members, feed)) <= 45
            and min(each.every for each in groups[number]) <= feed.every
        ]
        if free:
            expected[feed.id] = min(free)[1]
            searched[expected[feed.id]].append(feed)
    assert place(new, groups, room) == expected


def test_feeds_are_packed_again_only_if_that_pays() -> None:
    rules = ReadingRules(ROOM, 95 / 60, None)
    alone = [GroupFeeds(number, "posts", (PackedFeed(number, 0.001, 300.0, 10),)) for number in range(100)]
    made = plan(alone, rules)
    assert made.requests == pytest.approx(100 / 300)
    assert {kind: len(groups) for kind, groups in made.packing.items()} == {"posts": 2}
    by_id = {feed.id: feed for group in alone for feed in group.feeds}
    packed = [GroupFeeds(n, "posts", tuple(by_id[each] for each in ids)) for n, ids in enumerate(made.packing["posts"])]
    again = plan(packed, rules)
    assert again.packing == {}
    assert again.requests == pytest.approx(again.bound) == pytest.approx(2 / 300)


def test_with_more_feeds_than_a_regrouping_pays_for_only_the_busiest_change_their_group() -> None:
    feeds = [PackedFeed(number, 10.0 / (number + 1), 300.0, 10) for number in range(12_000)]
    room = RequestRoom(50, None)
    groups = [GroupFeeds(number, "posts", tuple(each)) for number, each in enumerate(balanced(feeds, room))]
    packing = plan(groups, ReadingRules(room, 1.5, 15.0)).packing["posts"]
    assert sorted(feed for group in packing for feed in group) == [feed.id for feed in feeds]
    assert set(packing[0]) == set(range(50))
    kept = {frozenset(feed.id for feed in group.feeds if feed.id not in packing[0]) for group in groups}
    assert len(kept & {frozenset(group) for group in packing}) > 100


def test_as_many_of_the_busiest_change_their_group_as_are_worth_it() -> None:
    busy = [PackedFeed(number, 0.2 + number / 1e5, 300.0, 10) for number in range(200)]
    quiet = [PackedFeed(200 + number, 1e-6 + number / 1e12, 300.0, 10) for number in range(11_800)]
    room = RequestRoom(50, None)
    mixed = [GroupFeeds(start, "posts", tuple([*busy, *quiet][start::240])) for start in range(240)]
    packing = plan(mixed, ReadingRules(room, 1.5, 15.0)).packing["posts"]
    assert {feed for group in packing[:4] for feed in group} == {feed.id for feed in busy}
    assert [len(group) for group in packing] == [50] * 4 + [49] * 200 + [50] * 40


def test_half_empty_groups_that_the_busiest_leave_join_others() -> None:
    busy = [PackedFeed(number, 10.0, 300.0, 10) for number in range(50)]
    quiet = [PackedFeed(100 + number, 1e-4, 300.0, 10) for number in range(9_040)]
    mixed = [GroupFeeds(0, "posts", (*busy[:45], *quiet[:5])), GroupFeeds(1, "posts", (*busy[45:], *quiet[5:40]))]
    others = [GroupFeeds(2 + start, "posts", tuple(quiet[start : start + 50])) for start in range(40, 9_040, 50)]
    packing = plan([*mixed, *others], ReadingRules(RequestRoom(50, None), 8.0, 15.0)).packing["posts"]
    assert set(packing[0]) == set(range(50))
    (joined,) = (group for group in packing if quiet[0].id in group)
    assert len(joined) == 40


def test_what_is_read_alone_is_packed_with_nothing() -> None:
    refused = GroupFeeds(0, "posts", (PackedFeed(0, 0.0, 300.0, 10),), fixed=True)
    others = [GroupFeeds(number, "posts", (PackedFeed(number, 0.0, 300.0, 10),)) for number in (1, 2, 3)]
    made = plan([refused, *others], ReadingRules(ROOM, 1.0, None))
    assert made.packing == {"posts": ((1, 2, 3),)}


def test_the_bound_is_of_pages_or_of_feeds() -> None:
    assert fewest_bound([2.0], [300.0], 50) == 2.0 / 100
    assert fewest_bound([0.0] * 100, [300.0] * 50 + [600.0] * 50, 50) == pytest.approx(1 / 300 + 1 / 600)


@pytest.mark.parametrize(
    ("before", "new", "seconds", "after"),
    [
        (FeedRate(None, 0.0), 30, 300.0, FeedRate(0.1, 300.0)),
        (FeedRate(None, 0.0), 0, 0.0, FeedRate(0.0, 0.0)),
        (FeedRate(0.1, 300.0), 10, 100.0, FeedRate(0.1, 400.0)),
        (FeedRate(0.1, 300.0), 0, 100.0, FeedRate(0.075, 400.0)),
        (FeedRate(0.1, 9000.0), 0, 900.0, FeedRate(0.1 / math.e, 9900.0)),
        (FeedRate(0.1, 9000.0), 90, 900.0, FeedRate(0.1, 9900.0)),
        (FeedRate(0.1, 900.0), 100, 100.0, FeedRate(1.0, 100.0)),
    ],
    ids=[
        "first",
        "first, empty",
        "as expected",
        "quieter",
        "what is old counts less",
        "long as expected",
        "a burst is believed at once",
    ],
)
def test_a_rate_is_what_the_readings_of_some_time_found(
    before: FeedRate, new: int, seconds: float, after: FeedRate
) -> None:
    rate = updated(before, new, seconds)
    assert rate.rate is not None
    assert after.rate is not None
    assert math.isclose(rate.rate, after.rate)
    assert rate.seconds == after.seconds


def test_nothing_is_solved_for_nothing() -> None:
    assert within([], 1.0, freshest=15.0) == []
    assert intervals.cost([], []) == 0.0


def test_reading_by_numbers_costs_each_item_and_half_a_page_and_has_no_worst_interval() -> None:
    load = GroupLoad(1.0, 300.0, numbers=18.0)
    prices = [load.requests_per_second(seconds) for seconds in range(5, 60)]
    assert prices == sorted(prices, reverse=True), "the longer the interval, the better"
    assert load.requests_per_second(20.0) == pytest.approx((1.1 * 18 * 20 / 100 + 0.5) / 20)
    (seldom,) = fewest([load])
    assert 18.0 * seldom * 1.1 + 100 <= 1000, "one reading takes it all"
    assert fewest([GroupLoad(0.01, 300.0, numbers=0.01)]) == [300.0]
    assert 60 * load.requests_per_second(seldom) <= 13.0


def test_what_is_read_by_numbers_is_asked_for_no_more_often_than_a_tick_comes() -> None:
    assert within([GroupLoad(126.0, 300.0, 130.0)], 10.0, freshest=15.0) == pytest.approx([5.0])
    assert within([GroupLoad(0.01, 300.0, 0.01)], 10.0, freshest=15.0) == pytest.approx([15.0], rel=0.01)


def busy_groups(posts: float, comments: float, *, feeds: int = 400) -> list[GroupFeeds]:
    """Return groups of 50 feeds, of both kinds; the rates are of all of a kind."""
    made = []
    for kind, rate in (("posts", posts), ("comments", comments)):
        for first in range(0, feeds, 50):
            ids = range(len(made) * 50, len(made) * 50 + 50)
            made.append(GroupFeeds(first, kind, tuple(PackedFeed(each, rate / feeds, 300.0, 10) for each in ids)))
    return [msgspec.structs.replace(group, id=number) for number, group in enumerate(made)]


def test_posts_are_read_by_their_numbers_where_that_leaves_more_to_the_comments() -> None:
    groups = busy_groups(12.0, 80.0)
    numbers = {"posts": 17.0, "comments": 126.0}
    rules = ReadingRules(ROOM, 1.3, 15.0, numbers=numbers)
    made = plan(groups, rules)
    assert made.by_number == {feed.id for group in groups if group.kind == "posts" for feed in group.feeds}
    joined = [feed for group in groups if group.kind == "posts" for feed in group.feeds]
    after = [GroupFeeds(99, "posts", tuple(joined), numbers=17.0), *(g for g in groups if g.kind == "comments")]
    then = plan(after, rules)
    assert not then.by_number
    assert "posts" not in then.packing, "and they stay so"
    assert _mean_age(then) < 0.8 * _mean_age(made)
    assert plan(groups, msgspec.structs.replace(rules, numbers={})).by_number == frozenset()


def _mean_age(made: ReadingPlan) -> float:
    return sum(each.rate * each.interval for each in made.groups) / sum(each.rate for each in made.groups)


def test_numbers_are_not_read_where_listings_are_as_fresh_as_was_asked_for() -> None:
    rules = ReadingRules(ROOM, 1.5, 15.0, numbers={"posts": 17.0, "comments": 126.0})
    assert not plan(busy_groups(1.0, 4.0, feeds=100), rules).by_number


def test_to_save_requests_numbers_are_read_only_if_that_takes_fewer() -> None:
    rules = ReadingRules(ROOM, 1.5, None, numbers={"posts": 5.0})
    assert plan(busy_groups(4.9, 0.1, feeds=2000), rules).by_number, "a tenth of a request a second for groups of 50"
    assert not plan(busy_groups(1.0, 0.1, feeds=400), rules).by_number


def test_numbers_that_would_exceed_the_budget_are_not_read_and_no_longer_read() -> None:
    groups = busy_groups(12.0, 80.0)
    rules = ReadingRules(ROOM, 1.3, 15.0, numbers={"posts": 170.0, "comments": 126.0})
    assert not plan(groups, rules).by_number
    posts = [feed for group in groups if group.kind == "posts" for feed in group.feeds]
    numbered = GroupFeeds(99, "posts", tuple(posts), numbers=170.0)
    made = plan([numbered, *(group for group in groups if group.kind == "comments")], rules)
    assert sorted(feed for group in made.packing["posts"] for feed in group) == sorted(feed.id for feed in posts)


def test_subreddits_join_a_reading_of_all_that_takes_place_anyway() -> None:
    groups = busy_groups(12.0, 60.0)
    everything = GroupFeeds(98, "posts", (PackedFeed(5000, 17.0, 300.0, 4),), fixed=True, numbers=17.0)
    made = plan([everything, *groups], ReadingRules(ROOM, 1.3, 15.0, numbers={"posts": 17.0}))
    assert len(made.by_number) == 400
    assert 5000 not in made.by_number, "it is there already"


def test_without_groups_there_is_nothing_to_group_anew() -> None:
    made = plan([], ReadingRules(ROOM, 1.0, 15.0, numbers={"posts": 17.0}))
    assert (made.groups, made.packing, made.by_number) == ((), {}, frozenset())
