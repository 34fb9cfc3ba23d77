from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from overheard.errors import BudgetExhausted, FeedRefused, LoginRefused, RetryableError
from overheard.items import FeedKind
from overheard.simulators.stackexchange import StackExchangeSimulator
from overheard.sources import Page, ReadRequest
from overheard.sources.stackexchange.source import StackExchangeSource
from tests.unit.sources.reddit_world import RecordingBudget, new_metrics
from tests.unit.sources.stackexchange_world import source_at

START = 1_795_780_800.0  # 12:00 UTC
TAG, SITE = "stackoverflow/postgresql", "stackoverflow"


@pytest.fixture
def api() -> Iterator[StackExchangeSimulator]:
    with StackExchangeSimulator(clock=lambda: START) as simulator:
        yield simulator


@pytest.fixture
def source(api: StackExchangeSimulator) -> StackExchangeSource:
    return source_at(api.url, clock=api.now)


def read(
    source: StackExchangeSource,
    place: str = TAG,
    kind: FeedKind = "posts",
    cursor: str | None = None,
    budget: RecordingBudget | None = None,
) -> list[Page]:
    """Return all pages of a reading."""
    pages: list[Page] = []
    while not pages or pages[-1].position is not None:
        position = pages[-1].position if pages else None
        request = ReadRequest(kind=kind, places=(place,), cursor=cursor, position=position)
        pages.append(source.read(request, budget or RecordingBudget()))
    return pages


def ids(pages: list[Page]) -> list[int]:
    return sorted(int(item.id.rpartition("/")[2]) for page in pages for item in page.items)


def test_everything_asked_between_two_readings_is_found_once(
    api: StackExchangeSimulator, source: StackExchangeSource
) -> None:
    for _ in range(120):
        api.ask(SITE, "old", created=api.now())
        api.advance(10)
    [page] = read(source)
    assert len(page.items) == 100, "the newest page: what is older is not news"
    new = []
    for _ in range(250):
        new.append(api.ask(SITE, "new").number)
        api.ask(SITE, "another tag", tags=["rust"])
        api.advance(1)
    pages = read(source, cursor=page.cursor)
    assert ids(pages) == new
    assert [each.behind for each in pages] == [True] * (len(pages) - 1) + [False]
    assert ids(read(source, cursor=pages[-1].cursor)) == []
    assert api.violations == 0


@pytest.mark.parametrize("count", [100, 101, 350])
def test_questions_of_one_second_are_all_found(
    api: StackExchangeSimulator, source: StackExchangeSource, count: int
) -> None:
    [first] = read(source)
    api.advance(1000)
    new = [api.ask(SITE, "new").number for _ in range(count)]
    pages = read(source, cursor=first.cursor)
    assert ids(pages) == new
    api.advance(1)
    after = api.ask(SITE, "after").number
    assert ids(read(source, cursor=pages[-1].cursor)) == [after]


def test_a_reading_that_ends_early_goes_on_from_its_cursor(
    api: StackExchangeSimulator, source: StackExchangeSource
) -> None:
    cursor = read(source)[0].cursor
    new = []
    for _ in range(230):
        new.append(api.ask(SITE, "new").number)
        api.advance(1)
    found: list[Page] = []
    while not found or found[-1].behind:
        found.append(source.read(ReadRequest(kind="posts", places=(TAG,), cursor=cursor), RecordingBudget()))
        cursor = found[-1].cursor
    assert ids(found) == new


def test_a_question_that_appears_late_is_found(api: StackExchangeSimulator, source: StackExchangeSource) -> None:
    api.ask(SITE, "one")
    [page] = read(source)
    late = api.ask(SITE, "late", created=api.now() - 200)
    assert ids(read(source, cursor=page.cursor)) == [late.number]


def test_answers_of_a_tag_are_comments_even_of_old_questions(
    api: StackExchangeSimulator, source: StackExchangeSource
) -> None:
    old = api.ask(SITE, "Old & new")
    window = api.reply(old)
    other = api.ask(SITE, "other", tags=["rust"])
    first = read(source, kind="comments")
    assert ids(first) == [window.number]
    api.advance(100_000)
    for _ in range(120):
        api.ask(SITE, "without answers")
    api.reply(other)
    new = api.reply(old, "<p>new</p>")
    pages = read(source, kind="comments", cursor=first[-1].cursor)
    [item] = [item for page in pages for item in page.items]
    assert (item.id, item.kind, item.body) == (f"stackoverflow/a/{new.number}", "comment", "new")
    assert (item.thread, item.thread_title) == (f"stackoverflow/q/{old.number}", "Old & new")
    states = [page.position or page.cursor for page in pages]
    assert not any("Old" in state for state in states), "erasing does not look into cursors"


def test_answers_of_a_quiet_tag_cost_one_request(api: StackExchangeSimulator, source: StackExchangeSource) -> None:
    api.reply(api.ask(SITE, "one"))
    cursor = read(source, kind="comments")[-1].cursor
    api.advance(200)
    budget = RecordingBudget()
    cursor = read(source, kind="comments", cursor=cursor, budget=budget)[-1].cursor
    assert budget.taken == 2, "a cache may have hidden an answer"
    api.advance(200)
    for _ in range(3):
        budget = RecordingBudget()
        cursor = read(source, kind="comments", cursor=cursor, budget=budget)[-1].cursor
        assert budget.taken == 1


def test_many_answers_are_all_found(api: StackExchangeSimulator, source: StackExchangeSource) -> None:
    questions = [api.ask(SITE, "one") for _ in range(130)]
    cursor = read(source, kind="comments")[-1].cursor
    api.advance(1000)
    new = []
    for number in range(390):
        new.append(api.reply(questions[number % 130]).number)
        api.advance(number % 2)
    pages = read(source, kind="comments", cursor=cursor)
    assert ids(pages) == new
    assert ids(read(source, kind="comments", cursor=pages[-1].cursor)) == []


def test_all_of_a_site_is_a_place(api: StackExchangeSimulator, source: StackExchangeSource) -> None:
    one, two = api.ask(SITE, "one"), api.ask(SITE, "two", tags=["rust"])
    answers = [api.reply(one), api.reply(two)]
    assert ids(read(source, SITE)) == [one.number, two.number]
    [page] = read(source, SITE, "comments")
    assert ids([page]) == [each.number for each in answers]
    api.advance(1000)
    new = api.reply(one)
    assert ids(read(source, SITE, "comments", page.cursor)) == [new.number]
    assert ids(read(source, "unix")) == []


def test_a_bad_question_costs_nothing_else(api: StackExchangeSimulator) -> None:
    metrics = new_metrics()
    good = api.ask(SITE, "good")
    api.ask(SITE, "bad", owner="nobody")
    assert ids(read(source_at(api.url, metrics))) == [good.number]
    labels = {"source": "stackexchange"}
    assert metrics.registry.get_sample_value("overheard_items_unreadable_total", labels) == 1


@pytest.mark.parametrize("kind", ["posts", "comments"])
def test_a_date_in_the_future_does_not_move_the_cursor(
    api: StackExchangeSimulator, source: StackExchangeSource, kind: FeedKind
) -> None:
    wrong = api.ask(SITE, "wrong", created=START + 10**9)
    cursor = read(source, kind=kind)[-1].cursor
    api.advance(1000)
    question = api.ask(SITE, "right")
    answer = api.reply(question)
    expected = question if kind == "posts" else answer
    assert ids(read(source, kind=kind, cursor=cursor)) == [expected.number]
    assert wrong.number != expected.number


def test_lone_surrogates_cost_nothing(api: StackExchangeSimulator, source: StackExchangeSource) -> None:
    question = api.ask(SITE, "one \ud800 two", "<p>three \ud800</p>")
    answer = api.reply(question)
    [page] = read(source)
    assert (page.items[0].title, page.items[0].body) == ("one \ufffd two", "three \ufffd")
    pages = read(source, kind="comments")
    assert ids(pages) == [answer.number]


def test_a_backoff_blocks_the_budget(api: StackExchangeSimulator, source: StackExchangeSource) -> None:
    api.back_off(17)
    budget = RecordingBudget()
    [page] = read(source, budget=budget)
    assert budget.blocked == [18]
    with pytest.raises(RetryableError, match="throttle_violation") as caught:  # as if the block were ignored
        read(source, cursor=page.cursor, budget=budget)
    assert caught.value.delay == 18
    assert budget.blocked == [18, 19]
    api.advance(18)
    assert read(source, cursor=page.cursor)


def test_the_quota_is_passed_on_and_blocks_until_midnight(api: StackExchangeSimulator) -> None:
    with StackExchangeSimulator(clock=lambda: START, quota=2) as poor:
        source, budget = source_at(poor.url, clock=poor.now), RecordingBudget()
        cursor = read(source, budget=budget)[0].cursor
        assert (budget.observed, budget.blocked) == ([(1.0, 43_200.0)], [])
        read(source, cursor=cursor, budget=budget)
        assert budget.observed[1:] == [(0.0, 43_200.0)]
        assert budget.blocked == [43_200.0]
        with pytest.raises(RetryableError) as caught:
            read(source, cursor=cursor, budget=budget)
        assert caught.value.delay == 43_200


def test_a_key_is_sent_and_never_shown(api: StackExchangeSimulator) -> None:
    read(source_at(api.url, key="simulated-key"))
    assert "key=simulated-key" in api.recent_requests()[-1]
    with pytest.raises(LoginRefused) as caught:
        read(source_at(api.url, key="revoked-key"))
    assert "[sources.stackexchange] key" in str(caught.value)
    assert "revoked-key" not in str(caught.value)


def test_a_site_that_does_not_exist_is_refused_alone(source: StackExchangeSource) -> None:
    with pytest.raises(FeedRefused) as caught:
        read(source, "nosuchsite/x")
    assert (caught.value.reason, caught.value.names) == ("no such site", ("nosuchsite/x",))
    source.probe(RecordingBudget())


def test_a_method_that_the_server_lacks_is_refused_alone(
    api: StackExchangeSimulator, source: StackExchangeSource
) -> None:
    api.ask(SITE, "one")
    api.faults.body('{"error_id": 404, "error_name": "no_method", "error_message": "no method found"}', status=400)
    with pytest.raises(FeedRefused, match="no such method"):
        read(source, kind="comments")


def test_outages_are_transient(api: StackExchangeSimulator) -> None:
    source = source_at(api.url, timeout=0.5)
    faults = api.faults
    for inject in (faults.reset, faults.truncate, faults.timeout, faults.html):
        inject()  # type: ignore[operator]
        with pytest.raises(RetryableError):
            read(source)
    for body in ("", "[]", "{}", '{"items": 5}', '{"items": null}', "[" * 100_000, json.dumps({"error_id": 500})):
        faults.body(body)
        with pytest.raises(RetryableError):
            read(source)
    faults.fail(429, retry_after="9")
    with pytest.raises(RetryableError):
        read(source)
    assert read(source)


def test_a_cursor_that_cannot_be_decoded_is_a_gap_and_a_new_beginning(
    api: StackExchangeSimulator, source: StackExchangeSource
) -> None:
    question = api.ask(SITE, "one")
    [page] = read(source, cursor="rubbish")
    assert [gap.reason for gap in page.gaps] == ["outdated"]
    assert ids([page]) == [question.number]


def test_posts_of_several_sites_are_looked_up_with_a_request_each(
    api: StackExchangeSimulator, source: StackExchangeSource
) -> None:
    one, two = api.ask(SITE, "one"), api.ask("unix", "two")
    answer = api.reply(one)
    api.edit(two, "<p>edited</p>")
    names = ["stackoverflow/q/1", "unix/q/1", f"stackoverflow/a/{answer.number}", "stackoverflow/a/99", "nosuch/q/1"]
    budget = RecordingBudget()
    result = source.look_up([*names, "rubbish"], budget)
    assert [item.id for item in result.items] == ["stackoverflow/q/1", "unix/q/1", "stackoverflow/a/2"]
    assert [item.body for item in result.items] == ["text", "edited", "text"]
    assert (result.gone, result.absent, result.unanswered) == ((), ("stackoverflow/a/99",), ())
    assert budget.taken == 4
    partly = source.look_up(names[:3], RecordingBudget(tokens=1))
    assert ([item.id for item in partly.items], partly.unanswered) == (names[:1], tuple(names[1:3]))
    with pytest.raises(BudgetExhausted):
        source.look_up(names, RecordingBudget(tokens=0))
