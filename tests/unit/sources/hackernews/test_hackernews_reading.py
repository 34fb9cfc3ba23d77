"""Hacker News is read by counting: nothing is missed, whatever numbers, items and requests do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from overheard.errors import BudgetExhausted, FeedRefused, RetryableError
from overheard.sources import ListingGap, ReadRequest
from overheard.sources.hackernews.cursor import HOLE_SECONDS, MAX_HOLES, Hole, ReadingState
from overheard.sources.hackernews.reader import READING_NUMBERS
from tests.unit.sources.hackernews_world import HackerNewsDesk


@pytest.fixture
def desk() -> Iterator[HackerNewsDesk]:
    with HackerNewsDesk() as made:
        yield made


@pytest.fixture
def read_desk(desk: HackerNewsDesk) -> HackerNewsDesk:
    """A desk whose cursor is at the newest item."""
    desk.simulator.add_samples(40)
    desk.read()
    desk.clock.advance(60)
    return desk


# -- items


def test_a_story_and_its_comments(read_desk: HackerNewsDesk) -> None:
    simulator = read_desk.simulator
    story = simulator.add_story("Fast & <small>", "It's fast.\n\nReally.", url="https://acme.example/x", author="pg")
    reply = simulator.add_comment(simulator.add_comment(story, "Is it?", author="dang"), "<b>Yes</b> & no", author="pg")
    [page] = read_desk.read()
    first, _, last = page.items
    assert (first.id, first.kind, first.place, first.author) == (str(story), "post", "all", "pg")
    assert (first.title, first.body) == ("Fast & <small>", "It's fast.\n\nReally.")
    assert (first.url, first.thread) == ("https://acme.example/x", str(story))
    assert first.permalink == f"https://news.ycombinator.com/item?id={story}"
    assert first.created_at == read_desk.clock()
    assert (last.id, last.kind, last.title, last.body) == (str(reply), "comment", "", "<b>Yes</b> & no")
    assert (last.thread, last.thread_title) == (str(story), "Fast & <small>")


def test_jobs_and_polls_are_posts_and_the_options_of_a_poll_are_left_out(read_desk: HackerNewsDesk) -> None:
    job = read_desk.simulator.add_job("Acme is hiring", "Come.")
    poll = read_desk.simulator.add_poll("Tabs or spaces?", ["Tabs", "Spaces"])
    on_poll = read_desk.simulator.add_comment(poll, "Both")
    [page] = read_desk.read()
    assert [(int(item.id), item.kind) for item in page.items] == [(job, "post"), (poll, "post"), (on_poll, "comment")]
    assert page.items[-1].thread_title == "Tabs or spaces?"
    assert read_desk.gaps == []


def test_deleted_and_dead_items_are_reported_and_not_emitted(read_desk: HackerNewsDesk) -> None:
    simulator = read_desk.simulator
    kept, deleted, dead = (simulator.add_story(f"Story {number}") for number in range(3))
    simulator.delete(deleted)
    simulator.kill(dead)
    on_deleted = simulator.add_comment(deleted, "What was it?")
    [page] = read_desk.read()
    assert [int(item.id) for item in page.items] == [kept, on_deleted]
    assert page.gone == (str(deleted), str(dead))
    assert (page.items[1].thread, page.items[1].thread_title) == (str(deleted), "")


def test_one_bad_item_costs_only_itself(read_desk: HackerNewsDesk) -> None:
    numbers = [read_desk.simulator.add_story(f"Story {number}") for number in range(4)]
    bad = [
        f'{{"id": {numbers[0]}, "type": "story", "time": "\\ud800"}}',
        f'{{"id": {numbers[1]}, "type": []}}',
        f'{{"id": {numbers[2]}, "type": "story"}}',
    ]
    for number, text in zip(numbers, bad, strict=False):
        read_desk.simulator.faults.body(text, path=f"/item/{number}")
    assert read_desk.ids() == [numbers[3]]
    assert read_desk.metrics.registry.get_sample_value(
        "overheard_items_unreadable_total", {"source": "hackernews"}
    ) == len(bad)
    read_desk.clock.advance(HOLE_SECONDS)
    assert read_desk.ids() == []
    assert read_desk.gaps == [], "it is there: not a hole"


@pytest.mark.parametrize("text", ["[]", "17", '"x"', '{"error": "x"}', '{"id": "x"}', '{"id": 1, "time": 5}'])
def test_an_answer_that_says_nothing_of_the_item_is_asked_for_again(read_desk: HackerNewsDesk, text: str) -> None:
    """It may come from a proxy: skipping the numbers would lose their items."""
    numbers = [read_desk.simulator.add_story(f"Story {number}") for number in range(3)]
    read_desk.simulator.faults.body(text, path=f"/item/{numbers[1]}")
    assert read_desk.ids() == [numbers[0], numbers[2]]
    read_desk.clock.advance(60)
    assert read_desk.ids() == [numbers[1]]
    assert read_desk.gaps == []


def test_texts_that_cannot_be_stored_are_made_so(read_desk: HackerNewsDesk) -> None:
    number = read_desk.simulator.add_story("x")
    body = (
        f'{{"id": {number}, "type": "story", "time": 1, "title": "a\\u0000b\\ud800", "url": "javascript:x", "by": ""}}'
    )
    read_desk.simulator.faults.body(body, path=f"/item/{number}")
    [page] = read_desk.read()
    [item] = page.items
    assert (item.title, item.url, item.author) == ("ab\ufffd", "", None)


# -- comments' stories


def test_an_unknown_story_is_found_by_walking_upwards_once(read_desk: HackerNewsDesk) -> None:
    simulator = read_desk.simulator
    story = simulator.add_story("The story")
    deep = story
    for number in range(6):
        deep = simulator.add_comment(deep, f"reply {number}")
    read_desk.read()
    read_desk.restart()  # and with it all that was known of parents
    read_desk.clock.advance(60)
    comments = [simulator.add_comment(deep, f"last {number}") for number in range(5)]
    simulator.counters.reset()
    [page] = read_desk.read()
    assert [(int(item.id), item.thread, item.thread_title) for item in page.items] == [
        (comment, str(story), "The story") for comment in comments
    ]
    assert read_desk.requested("/item/") == 5 + 7
    simulator.add_comment(deep, "one more")
    simulator.counters.reset()
    read_desk.read()
    assert read_desk.requested("/item/") == 1
    assert read_desk.budget.taken - read_desk.requested("/") > 0


def test_a_walk_that_fails_leaves_the_highest_ancestor_that_is_known(read_desk: HackerNewsDesk) -> None:
    simulator = read_desk.simulator
    story = simulator.add_story("The story")
    parent = simulator.add_comment(story, "parent")
    read_desk.read()
    read_desk.restart()
    comment = simulator.add_comment(parent, "child")
    simulator.faults.fail(500, path=f"/item/{story}")
    [page] = read_desk.read()
    assert [(int(item.id), item.thread, item.thread_title) for item in page.items] == [(comment, str(story), "")]
    read_desk.restart()
    comment = simulator.add_comment(parent, "child")
    read_desk.budget.tokens = read_desk.budget.taken + 2
    [item] = read_desk.page().items
    assert (int(item.id), item.thread) == (comment, str(parent))


# -- the first reading


def test_a_first_reading_begins_with_the_newest_items(desk: HackerNewsDesk) -> None:
    desk.simulator.add_samples(500, seconds=5000)
    ids = desk.ids(since=desk.clock())
    assert len(ids) == 30
    assert max(ids) == desk.simulator.items.highest()
    assert desk.gaps == []


def test_a_first_reading_reaches_back_to_when_the_watch_was_made(desk: HackerNewsDesk) -> None:
    made_at = desk.clock()
    desk.simulator.add_samples(20)
    desk.clock.advance(300)
    new = [desk.simulator.add_story(f"Story {number}") for number in range(100)]
    assert set(new) <= set(desk.ids(since=made_at + 1))


def test_a_first_reading_does_not_begin_at_an_absurd_number(desk: HackerNewsDesk) -> None:
    story = desk.simulator.add_story("Story")
    desk.simulator.set_max_item(10**9)
    with pytest.raises(RetryableError, match="no items"):
        desk.read(since=desk.clock())
    desk.simulator.set_max_item()
    assert desk.ids(since=desk.clock()) == [story]


def test_a_highest_number_that_was_cut_off_does_not_begin_the_reading(desk: HackerNewsDesk) -> None:
    desk.simulator.add_samples(50)
    desk.simulator.faults.body("4000", path="maxitem")
    assert max(desk.ids(since=desk.clock())) == desk.simulator.items.highest()


def test_a_cursor_that_is_not_ours_is_a_gap(desk: HackerNewsDesk) -> None:
    story = desk.simulator.add_story("Story")
    desk.cursor = '{"seen": []}'
    assert desk.ids() == [story]
    assert desk.gaps == [ListingGap("outdated")]


# -- holes


def test_a_hole_that_fills_is_read(read_desk: HackerNewsDesk) -> None:
    late = read_desk.simulator.add_story("late", hidden_for=30)
    after = read_desk.simulator.add_story("after")
    assert read_desk.ids() == [after]
    read_desk.clock.advance(31)
    assert read_desk.ids() == [late]
    assert read_desk.gaps == []


def test_a_hole_that_never_fills_becomes_a_gap_after_ten_minutes(read_desk: HackerNewsDesk) -> None:
    before = read_desk.simulator.add_story("before")
    read_desk.clock.advance(5)
    hole = read_desk.simulator.add_hole(2)
    after = read_desk.simulator.add_story("after")
    lone = read_desk.simulator.add_hole()
    read_desk.simulator.add_story("last")
    assert len(read_desk.ids()) == 3
    while read_desk.clock() < 1_795_424_400 + 65 + HOLE_SECONDS:
        assert read_desk.gaps == []
        read_desk.clock.advance(10)
        assert read_desk.ids() == []
    now = 1_795_424_400.0 + 65
    assert read_desk.gaps == [
        ListingGap("hole", (str(before), now - 5), (str(after), now)),
        ListingGap("hole", (str(lone - 1), now), (str(lone + 1), now)),
    ]
    assert 4 <= read_desk.requested(f"/item/{hole}.json") <= 7, "it is asked for less and less often"
    read_desk.clock.advance(60)
    read_desk.read()
    assert len(read_desk.gaps) == 2


def test_the_newest_number_may_have_no_item_yet(read_desk: HackerNewsDesk) -> None:
    late = read_desk.simulator.add_story("late", hidden_for=2)
    assert read_desk.ids() == []
    assert not read_desk.page().behind
    read_desk.clock.advance(3)
    assert read_desk.ids() == [late]


def test_holes_survive_a_restart_and_are_asked_for_before_they_are_given_up(read_desk: HackerNewsDesk) -> None:
    late = read_desk.simulator.add_story("late", hidden_for=HOLE_SECONDS)
    read_desk.simulator.add_story("after")
    read_desk.read()
    read_desk.restart()
    read_desk.clock.advance(86_400)
    assert read_desk.ids() == [late]
    assert read_desk.gaps == []


@pytest.mark.thorough
def test_many_holes_in_a_row(read_desk: HackerNewsDesk) -> None:
    read_desk.simulator.add_hole(2 * MAX_HOLES)
    after = read_desk.simulator.add_story("after")
    for _ in range(20):
        read_desk.read()
    assert str(after) in read_desk.found
    assert len(read_desk.cursor or "") < 100_000
    for _ in range(80):
        read_desk.clock.advance(HOLE_SECONDS)
        read_desk.read()
    first = int((read_desk.gaps[0].since or ("", 0))[0])
    assert sum(int(gap.until[0]) - int(gap.since[0]) - 1 for gap in read_desk.gaps if gap.since and gap.until) == 2000
    assert min(int(gap.since[0]) for gap in read_desk.gaps if gap.since) == after - 2001 <= first


def test_holes_are_asked_for_at_growing_intervals() -> None:
    hole = Hole(1, 1000.0, 1000.0, 0.0, 0.0)
    asked = []
    for now in range(1001, 1700):
        if hole.is_due(now):
            asked.append(now - 1000)
            hole = Hole(1, 1000.0, now, 0.0, 0.0)
    assert asked[:6] == [10, 30, 90, 270, 600, 601]


# -- wrong numbers


@pytest.mark.parametrize("absurd", [10**9, 40_000_000 + 5000, 1, 0, 39_999_999])
def test_an_absurd_highest_number_does_no_harm(read_desk: HackerNewsDesk, absurd: int) -> None:
    new = [read_desk.simulator.add_story(f"Story {number}") for number in range(3)]
    read_desk.simulator.set_max_item(absurd)
    before = read_desk.budget.taken
    for _ in range(3):
        read_desk.clock.advance(10)
        read_desk.read()
    assert read_desk.budget.taken - before < 250
    read_desk.simulator.set_max_item()
    new.append(read_desk.simulator.add_story("after"))
    read_desk.read()
    assert {str(number) for number in new} <= read_desk.found
    read_desk.clock.advance(2 * HOLE_SECONDS)
    read_desk.read()
    assert read_desk.gaps == []


# -- long readings


def test_a_long_reading_ends_so_that_the_cursor_moves(read_desk: HackerNewsDesk) -> None:
    read_desk.simulator.add_samples(READING_NUMBERS + 50)
    pages = read_desk.read()
    assert [len(page.items) for page in pages] == [100, 100, 100]
    assert [(page.behind, page.complete) for page in pages] == [(True, False)] * 3
    [last] = read_desk.read()
    assert (len(last.items), last.behind, last.complete) == (50, False, True)


def test_a_slow_reading_ends_too(read_desk: HackerNewsDesk) -> None:
    read_desk.simulator.add_samples(100)
    taken = iter(range(10_000))
    acquire = read_desk.budget.acquire

    def slowly() -> None:
        next(taken)
        read_desk.clock.advance(1)
        acquire()

    read_desk.budget.acquire = slowly  # type: ignore[method-assign]
    pages = read_desk.read()
    assert sum(len(page.items) for page in pages) in range(25, 35)
    assert pages[-1].behind


# -- the budget


def test_an_exhausted_budget_ends_the_page_and_loses_nothing(read_desk: HackerNewsDesk) -> None:
    numbers = [read_desk.simulator.add_story(f"Story {number}") for number in range(10)]
    read_desk.budget.tokens = read_desk.budget.taken + 5
    page = read_desk.page()
    assert [int(item.id) for item in page.items] == numbers[:4]
    assert page.position is not None
    assert page.behind
    with pytest.raises(BudgetExhausted):
        read_desk.page(page.position)
    read_desk.budget.tokens = None
    rest = read_desk.page(page.position)
    assert [int(item.id) for item in rest.items] == numbers[4:]
    assert read_desk.requested("maxitem") == 2 + 1, "of the first reading, and of this one"


def test_without_any_token_nothing_is_requested(read_desk: HackerNewsDesk) -> None:
    read_desk.simulator.add_story("Story")
    read_desk.simulator.counters.reset()
    read_desk.budget.tokens = read_desk.budget.taken
    with pytest.raises(BudgetExhausted):
        read_desk.page()
    assert read_desk.requested("/") == 0


def test_one_token_at_a_time_is_enough(read_desk: HackerNewsDesk) -> None:
    """Under contention a message may get a single token each time that it comes back."""
    numbers = [read_desk.simulator.add_story(f"Story {number}") for number in range(3)]
    position, found = None, []
    for _ in range(20):
        read_desk.budget.tokens = read_desk.budget.taken + 1
        page = read_desk.page(position)
        found += [int(item.id) for item in page.items]
        position = page.position
        if position is None:
            break
    assert found == numbers


def test_each_request_takes_a_token(read_desk: HackerNewsDesk) -> None:
    read_desk.simulator.add_samples(120)
    read_desk.simulator.faults.fail(500, times=3, path="/item/")
    read_desk.read()
    read_desk.read()
    assert read_desk.budget.taken == read_desk.simulator.counters.snapshot(0, 0)["total"]


# -- failures


@pytest.mark.parametrize("path", ["maxitem", "/item/"])
@pytest.mark.parametrize("kind", ["fail", "html", "truncate", "cut", "reset", "gzip"])
def test_every_failure_is_transient(read_desk: HackerNewsDesk, kind: str, path: str) -> None:
    faults = read_desk.simulator.faults
    if (kind, path) == ("cut", "maxitem"):
        kind = "html"  # the first digits of a number are a number
    if kind == "cut":
        faults.truncate(times=100, path=path, whole_length=False)
    elif kind == "gzip":
        faults.body(b"\x1f\x8b rubbish", times=100, path=path, headers={"content-encoding": "gzip"})
    elif kind == "fail":
        faults.fail(503, times=100, path=path)
    elif kind == "html":
        faults.html(200, times=100, path=path)
    else:
        getattr(faults, kind)(times=100, path=path)
    numbers = [read_desk.simulator.add_story(f"Story {number}") for number in range(20)]
    with pytest.raises(RetryableError) as caught:
        read_desk.read()
    assert "Story" not in str(caught.value)
    faults.clear()
    assert read_desk.ids() == numbers


@pytest.mark.parametrize("status", [301, 401, 403, 404, 429, 500])
def test_every_status_is_transient(read_desk: HackerNewsDesk, status: int) -> None:
    read_desk.simulator.faults.fail(status, headers={"location": "/v0/maxitem.json"})
    with pytest.raises(RetryableError, match=str(status)):
        read_desk.read()
    assert bool(read_desk.budget.blocked) == (status == 429)


def test_a_429_in_the_middle_blocks_the_budget(read_desk: HackerNewsDesk) -> None:
    numbers = [read_desk.simulator.add_story(f"Story {number}") for number in range(30)]
    read_desk.simulator.faults.fail(429, times=1, path=f"/item/{numbers[10]}", retry_after="7")
    read_desk.read()
    assert read_desk.budget.blocked == [7.0]
    read_desk.clock.advance(11)
    read_desk.read()
    assert {str(number) for number in numbers} <= read_desk.found


def test_a_failed_number_is_asked_for_again_and_its_neighbours_are_read(read_desk: HackerNewsDesk) -> None:
    numbers = [read_desk.simulator.add_story(f"Story {number}") for number in range(10)]
    read_desk.simulator.faults.fail(500, times=2, path=f"/item/{numbers[4]}")
    assert read_desk.ids() == numbers[:4] + numbers[5:]
    read_desk.clock.advance(10)
    assert read_desk.ids() == []
    read_desk.clock.advance(HOLE_SECONDS)
    assert read_desk.ids() == [numbers[4]]
    assert read_desk.gaps == []


def test_a_number_that_always_fails_is_given_up_after_an_hour(read_desk: HackerNewsDesk) -> None:
    numbers = [read_desk.simulator.add_story(f"Story {number}") for number in range(3)]
    read_desk.simulator.faults.fail(500, times=1000, path=f"/item/{numbers[1]}")
    for _ in range(70):
        read_desk.read()
        read_desk.clock.advance(60)
    assert [gap.reason for gap in read_desk.gaps] == ["hole"]
    assert read_desk.gaps[0].since == (str(numbers[0]), read_desk.gaps[0].since[1] if read_desk.gaps[0].since else 0)


def test_what_was_read_before_the_server_failed_is_kept(read_desk: HackerNewsDesk) -> None:
    numbers = [read_desk.simulator.add_story(f"Story {number}") for number in range(60)]
    for number in numbers[20:]:
        read_desk.simulator.faults.reset(times=9, path=f"/item/{number}")
    [page] = read_desk.read()
    assert [int(item.id) for item in page.items] == numbers[:20]
    assert (page.position, page.behind) == (None, True)
    with pytest.raises(RetryableError):
        read_desk.read()
    assert read_desk.simulator.faults.pending() > 300, "a server that fails is left alone"


def test_a_server_that_hangs_counts_as_down_soon() -> None:
    with HackerNewsDesk(timeout=0.3) as desk:
        desk.simulator.add_samples(40)
        desk.read()
        desk.simulator.add_samples(100)
        desk.simulator.faults.timeout(30, times=100, path="/item/")
        with pytest.raises(RetryableError):
            desk.read()
        assert desk.simulator.faults.pending() >= 100 - 16


# -- changes


def test_changed_items_are_reported_once_in_a_while(read_desk: HackerNewsDesk) -> None:
    story = read_desk.simulator.add_story("Story")
    read_desk.read()
    read_desk.clock.advance(600)
    read_desk.simulator.edit(story, "new text")
    assert str(story) in read_desk.read()[0].changed
    read_desk.clock.advance(10)
    assert read_desk.read()[0].changed == ()
    read_desk.clock.advance(600)
    assert str(story) in read_desk.read()[0].changed


def test_a_reading_does_not_need_the_updates(read_desk: HackerNewsDesk) -> None:
    story = read_desk.simulator.add_story("Story")
    read_desk.simulator.faults.html(200, path="updates")
    assert read_desk.ids() == [story]


# -- places


def test_other_places_are_refused(desk: HackerNewsDesk) -> None:
    with pytest.raises(FeedRefused) as caught:
        desk.source.read(ReadRequest(kind="items", places=("show",)), desk.budget)
    assert (caught.value.reason, caught.value.names) == ("missing", ("show",))


def test_a_cursor_holds_no_more_than_the_next_reading_needs() -> None:
    state = ReadingState(next=5, max_item=9, begun_at=3.0, count=4, credible=True, last_at=2.0)
    assert state.cursor == '{"next":5,"last_at":2.0}'
