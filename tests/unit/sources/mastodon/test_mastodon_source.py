from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from overheard.errors import BudgetExhausted, FeedRefused
from overheard.simulators.mastodon import MastodonSimulator, render
from overheard.sources import Page, ReadRequest
from overheard.sources.mastodon.source import MastodonSource
from tests.unit.sources.mastodon_world import source_of
from tests.unit.sources.reddit_world import RecordingBudget, new_metrics

START = 1_795_780_800.0


@pytest.fixture
def server() -> Iterator[MastodonSimulator]:
    with MastodonSimulator(clock=lambda: START) as simulator:
        yield simulator


def place_of(server: MastodonSimulator, tag: str = "") -> str:
    return server.url.rstrip("/") + (f"/#{tag}" if tag else "")


def read(
    source: MastodonSource, place: str, cursor: str | None = None, budget: RecordingBudget | None = None
) -> list[Page]:
    """Return all pages of a reading."""
    pages: list[Page] = []
    while not pages or pages[-1].position is not None:
        position = pages[-1].position if pages else None
        request = ReadRequest(kind="items", places=(place,), cursor=cursor, position=position)
        pages.append(source.read(request, budget or RecordingBudget()))
    return pages


def texts(pages: list[Page]) -> list[str]:
    return sorted(item.body for page in pages for item in page.items)


def test_everything_published_between_two_readings_is_found_once(server: MastodonSimulator) -> None:
    source = source_of()
    for number in range(60):
        server.publish(f"old {number}")
        server.advance(30)
    [page] = read(source, place_of(server))
    assert len(page.items) == 40, "the newest page: what is older is not news"
    for number in range(130):
        server.publish(f"new {number:03}")
        server.advance(1)
    pages = read(source, place_of(server), page.cursor)
    # What was published in the hour before the first page may be among it: it is older than the watch, and not news.
    assert [text for text in texts(pages) if text.startswith("new")] == [f"new {number:03}" for number in range(130)]
    assert [each.behind for each in pages] == [True] * (len(pages) - 1) + [False]
    assert texts(read(source, place_of(server), pages[-1].cursor)) == []


def test_a_reading_that_ends_early_goes_on_from_its_cursor(server: MastodonSimulator) -> None:
    source = source_of()
    [page] = read(source, place_of(server))
    for number in range(100):
        server.publish(f"new {number:03}")
    found: list[Page] = []
    cursor = page.cursor
    for _ in range(5):  # one page in each reading
        found.append(
            source.read(ReadRequest(kind="items", places=(place_of(server),), cursor=cursor), RecordingBudget())
        )
        cursor = found[-1].cursor
    assert texts(found) == [f"new {number:03}" for number in range(100)]
    assert [each.behind for each in found[:3]] == [True, True, False]


@pytest.mark.parametrize(("every", "late_by"), [(1.0, 150.0), (60.0, 900.0), (3600.0, 10_000.0)])
def test_a_status_that_arrives_late_is_found_behind_the_cursor(
    server: MastodonSimulator, every: float, late_by: float
) -> None:
    source = source_of(clock=server.now)
    for number in range(150):
        server.publish(f"old {number}")
        server.advance(every)
    pages = read(source, place_of(server), read(source, place_of(server))[-1].cursor)
    server.publish("in time")
    server.federate("late", late_by=late_by)
    again = read(source, place_of(server), pages[-1].cursor)
    assert [text for text in texts(again) if not text.startswith("old")] == ["in time", "late"]
    assert texts(read(source, place_of(server), again[-1].cursor)) == []


def test_a_status_that_arrives_ten_minutes_late_on_a_busy_timeline_is_found_by_a_sweep(
    server: MastodonSimulator,
) -> None:
    """A status every second, and a reading every minute, within the 300 requests in 15 minutes of the server."""
    source, cursor, found = source_of(clock=server.now), None, []
    for minute in range(25):
        for second in range(60):
            server.publish(f"{minute}:{second}")
            server.advance(1)
        if minute % 4 == 2:
            server.federate(f"late {minute}", late_by=600)
        pages = read(source, place_of(server), cursor)
        cursor = pages[-1].cursor
        found += [text for text in texts(pages) if text.startswith("late")]
    assert found == [f"late {minute}" for minute in range(2, 23, 4)]


def test_a_tag_is_a_feed_of_its_own_with_replies(server: MastodonSimulator) -> None:
    source = source_of()
    post = server.publish("<p>one</p>", tags=["Python"])
    server.publish("two", tags=["rust"])
    server.publish("three", tags=["python"], reply_to=str(post.id))
    [page] = read(source, place_of(server, "python"))
    assert [(item.kind, item.body) for item in page.items] == [("comment", "three"), ("post", "one")]
    assert {item.place for item in page.items} == {place_of(server, "python")}
    assert texts(read(source, place_of(server))) == ["one", "two"]


def test_a_status_read_from_two_servers_is_one_item(server: MastodonSimulator) -> None:
    with MastodonSimulator(domain="other.example") as other:
        uri = "https://remote.example/users/bob/statuses/1"
        for each in (server, other):
            each.publish("hello", author="bob@remote.example", fields={"uri": uri})
        source = source_of()
        one, two = (read(source, place_of(each))[0].items[0] for each in (server, other))
    assert one.id == two.id == uri
    assert one.lookup != two.lookup


def test_a_bad_status_costs_nothing_else(server: MastodonSimulator) -> None:
    metrics = new_metrics()
    server.publish("good")
    server.publish("bad", fields={"created_at": "soon"})
    server.publish("hidden", account={"indexable": False})
    [page] = read(source_of(metrics), place_of(server))
    assert texts([page]) == ["good"]
    for name in ("items_unreadable_total", "items_opted_out_total"):
        assert metrics.registry.get_sample_value(f"overheard_{name}", {"source": "mastodon"}) == 1


@pytest.mark.parametrize("body", [r'"\ud800"', "NaN", "1e999"], ids=repr)
def test_bad_json_inside_of_a_status_costs_nothing_else(server: MastodonSimulator, body: str) -> None:
    server.publish("good")
    server.publish("bad", fields={"card": "RUBBISH"})
    original = json.dumps([render.status_json(status, "a.example") for status in server.statuses.page(None, 40, {})])
    server.faults.body(original.replace('"RUBBISH"', body).encode("latin-1"))
    assert texts(read(source_of(), place_of(server))) == ["bad", "good"]


def test_an_id_of_the_future_does_not_move_the_cursor(server: MastodonSimulator) -> None:
    source = source_of(clock=server.now)
    server.publish("one")
    server.publish("wrong", created=START + 10**8)
    [page] = read(source, place_of(server))
    server.advance(10)
    server.publish("two")
    assert "two" in texts(read(source, place_of(server), page.cursor))


def test_each_server_has_its_own_budget_and_its_count_is_passed_on(server: MastodonSimulator) -> None:
    source, budget = source_of(clock=lambda: START), RecordingBudget()
    [page] = read(source, place_of(server), budget=budget)
    assert budget.names == [server.url.removeprefix("http://").rstrip("/")]
    assert budget.observed == [], "a request without an id is not limited"
    read(source, place_of(server), page.cursor, budget)
    assert [remaining for remaining, _ in budget.observed] == [299]
    assert 0 < budget.observed[0][1] <= 900
    assert budget.taken == 2


def test_too_many_requests_block_the_server_until_its_window_ends() -> None:
    with MastodonSimulator(allowed=1) as server:
        source, budget = source_of(), RecordingBudget()
        cursor = read(source, place_of(server))[0].cursor
        read(source, place_of(server), cursor, budget)
        [ends] = budget.blocked
        assert 0 < ends <= 900, "nothing is left"
        with pytest.raises(FeedRefused) as caught:
            read(source, place_of(server), cursor, budget)
        assert caught.value.reason == "HTTP 429"
        assert caught.value.delay == pytest.approx(ends, abs=5)
        assert len(budget.blocked) == 2


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 60),
        ({"retry-after": "7"}, 7),
        ({"x-ratelimit-reset": "soon"}, 60),
        ({"x-ratelimit-reset": "99999999999"}, 900),
    ],
    ids=str,
)
def test_too_many_requests_without_a_usable_time_have_a_default(
    server: MastodonSimulator, headers: dict[str, str], seconds: float
) -> None:
    budget = RecordingBudget()
    server.faults.fail(429, headers=headers)
    with pytest.raises(FeedRefused) as caught:
        read(source_of(), place_of(server), budget=budget)
    assert (caught.value.delay, budget.blocked) == (seconds, [seconds])


@pytest.mark.parametrize(
    ("status", "reason", "is_passing"),
    [
        (401, "it wants a login", False), (422, "it wants a login", False), (404, "no such timeline", False),
        (500, "HTTP 500", True), (503, "HTTP 503", True), (301, "HTTP 301", True), (418, "HTTP 418", False),
    ],
)  # fmt: skip
def test_a_server_that_refuses_is_refused_alone(
    server: MastodonSimulator, status: int, reason: str, is_passing: bool
) -> None:
    server.faults.fail(status)
    with pytest.raises(FeedRefused) as caught:
        read(source_of(), place_of(server, "python"))
    assert (caught.value.reason, caught.value.names) == (reason, (place_of(server, "python"),))
    assert (caught.value.delay is not None) == is_passing


def test_a_server_that_wants_a_token_is_refused() -> None:
    with MastodonSimulator(wants_token=True) as server, pytest.raises(FeedRefused, match="wants a login"):
        read(source_of(), place_of(server))


def test_what_is_not_an_answer_of_mastodon_is_refused(server: MastodonSimulator) -> None:
    source = source_of(timeout=0.5)
    cursor = read(source, place_of(server))[0].cursor
    faults = server.faults
    for inject, delay in ((faults.reset, 60), (faults.truncate, 60), (faults.timeout, 300)):
        inject()  # type: ignore[operator]
        with pytest.raises(FeedRefused) as caught:
            read(source, place_of(server), cursor)
        assert (caught.value.reason, caught.value.delay) == ("no answer", delay)
    for body in ("<html>", '{"error": "no"}', "[" * 100_000):
        faults.body(body, times=2)
        for known in (None, cursor):
            with pytest.raises(FeedRefused) as caught:
                read(source, place_of(server), known)
            assert (caught.value.reason, bool(caught.value.delay)) == ("not Mastodon", known is not None)
    assert read(source, place_of(server), cursor)


def test_private_networks_are_refused_unless_they_are_allowed(server: MastodonSimulator) -> None:
    budget = RecordingBudget()
    for place in (place_of(server), "http://localhost:8080/#x"):
        with pytest.raises(FeedRefused, match="not public") as caught:
            read(source_of(allow_private=False), place, budget=budget)
        assert caught.value.delay is None
    assert server.recent_requests() == []


def test_a_cursor_that_cannot_be_decoded_is_a_gap_and_a_new_beginning(server: MastodonSimulator) -> None:
    server.publish("hello")
    [page] = read(source_of(), place_of(server), "rubbish")
    assert [gap.reason for gap in page.gaps] == ["outdated"]
    assert texts([page]) == ["hello"]


def looked_up(server: MastodonSimulator, *authors: str) -> tuple[MastodonSource, list[str]]:
    for author in authors:
        server.publish(f"by {author}", author=author)
    source = source_of()
    return source, [item.lookup for item in read(source, place_of(server))[0].items][::-1]


def test_statuses_of_other_servers_are_looked_up_where_they_were_read(server: MastodonSimulator) -> None:
    source, names = looked_up(server, "ann", "bob@remote.example", "cat@remote.example")
    server.delete(names[1].rpartition("/")[2])
    server.edit(names[2].rpartition("/")[2], "<p>edited</p>")
    budget = RecordingBudget()
    result = source.look_up(names, budget)
    assert [item.body for item in result.items] == ["by ann", "edited"]
    assert result.gone == (names[1].partition(" ")[0],)
    assert (result.absent, result.unanswered) == ((), ())
    assert budget.taken == 3


def test_a_server_that_fails_leaves_its_statuses_unknown(server: MastodonSimulator) -> None:
    source, names = looked_up(server, "ann", "bob")
    server.faults.fail(500)
    server.faults.html(404)
    result = source.look_up(names, RecordingBudget())
    assert (result.items, result.gone, result.unanswered) == ((), (), ())
    assert result.absent == (names[1].partition(" ")[0],), "a web page is not Mastodon's answer: it has to be confirmed"
    # What is not on a server of Mastodon is not asked for.
    assert source.look_up(["https://remote.example/objects/1"], RecordingBudget()).items == ()


def test_a_server_that_does_not_answer_costs_one_request(server: MastodonSimulator) -> None:
    source, names = looked_up(server, "ann", "bob", "cat")
    server.faults.reset()
    budget = RecordingBudget()
    result = source.look_up(names, budget)
    assert (result.items, result.gone, result.absent, result.unanswered, budget.taken) == ((), (), (), (), 1)
    assert len(source.look_up(names, budget).items) == 3


def test_an_author_who_opts_out_later_is_gone(server: MastodonSimulator) -> None:
    source, names = looked_up(server, "ann")
    status = server.statuses.get(int(names[0].rpartition("/")[2]))
    assert status is not None
    status.account["noindex"] = True
    assert source.look_up(names, RecordingBudget()).gone == (names[0].partition(" ")[0],)


def test_what_the_budget_does_not_reach_is_left_for_later(server: MastodonSimulator) -> None:
    source, names = looked_up(server, "ann", "bob", "cat")
    result = source.look_up(names, RecordingBudget(tokens=2))
    assert [item.author for item in result.items] == [f"{name}@{server.url[7:-1]}" for name in ("ann", "bob")]
    assert result.unanswered == (names[2].partition(" ")[0],)
    with pytest.raises(BudgetExhausted):
        source.look_up(names, RecordingBudget(tokens=0))
