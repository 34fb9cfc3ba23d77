"""Reading feeds from a real server: windows, requests, redirects, refusals."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from overheard.errors import BudgetExhausted, FeedRefused
from overheard.simulators.http.exchange import SimulatedRequest, SimulatedResponse
from overheard.sources import ReadRequest
from overheard.sources.feeds.entries import ENTRIES_MAX, item_id
from tests.fixtures import MONDAY, PATIENCE
from tests.unit.sources.feeds.world import PATH, SECRET, FeedReader, titles

WITHIN = r"within [0-9.]+ s|did not answer in time"  # by which of its limits a request ends, depends on the load


@pytest.fixture
def reader() -> Iterator[FeedReader]:
    with FeedReader() as made:
        made.feed()
        yield made


@pytest.mark.parametrize(
    ("format", "encoding"),
    [*((xml, code) for xml in ("rss", "rdf", "atom") for code in ("utf-8", "utf-16", "iso-8859-1")), ("json", "utf-8")],
)
def test_every_format_is_read(format: str, encoding: str) -> None:
    with FeedReader() as reader:
        reader.feed(format=format, encoding=encoding)
        guid = reader.simulator.add_entry(title="Café & <co>", body="<p>one</p><p>two &amp; <b>three</b></p>")
        [item] = reader.read().items
        assert (item.id, item.place, item.kind) == (item_id(reader.url(), guid), reader.url(), "post")
        assert (item.title, item.body, item.author) == ("Café & <co>", "one\n\ntwo & three", "ann")
        assert (item.permalink, item.created_at) == ("https://blog.example/1", MONDAY)


def test_a_feed_without_news_is_not_sent_again(reader: FeedReader) -> None:
    reader.simulator.add_entry()
    assert len(reader.read().items) == 1
    page = reader.read()
    assert (page.items, page.gaps, page.pause) == ((), (), 900.0)
    assert reader.simulator.feed(PATH).served == 1
    reader.simulator.add_entry(title="new")
    assert titles(reader.read()) == ["new"]
    assert reader.budget.taken == len(reader.requests()) == 3


def test_an_edited_entry_comes_again(reader: FeedReader) -> None:
    guid = reader.simulator.add_entry(title="old")
    reader.simulator.add_entry(title="other")
    reader.read()
    reader.simulator.edit_entry(PATH, guid, title="new")
    [item] = reader.read().items
    assert (item.title, item.id, item.edited_at) == ("new", item_id(reader.url(), guid), reader.clock())
    assert item.created_at == MONDAY
    assert reader.read().items == ()


def test_two_windows_without_a_common_entry_leave_a_gap(reader: FeedReader) -> None:
    last = [reader.simulator.add_entry() for _ in range(3)][-1]
    reader.read()
    for number in range(30):
        reader.clock.advance(1)
        reader.simulator.add_entry(title=f"{number}", guid=f"new {number}")
    page = reader.read()
    assert titles(page) == [str(number) for number in range(5, 30)], "the oldest first"
    [gap] = page.gaps
    assert gap.reason == "horizon"
    assert gap.since == (item_id(reader.url(), last), MONDAY)
    assert gap.until is not None
    assert gap.until[0] == item_id(reader.url(), "new 5")
    assert reader.read().gaps == ()


def test_an_empty_or_reordered_window_is_not_a_gap(reader: FeedReader) -> None:
    reader.simulator.feed(PATH).reordered = True
    guids = [reader.simulator.add_entry() for _ in range(3)]
    assert len(reader.read().items) == 3
    reader.cursors[reader.url()] = reader.cursors[reader.url()].replace("etag", "gate")  # so that it is sent again
    assert (reader.read().items, reader.read().gaps) == ((), ())
    reader.simulator.clear_feed(PATH)
    assert (reader.read().items, reader.read().gaps) == ((), ())
    reader.simulator.add_entry(title="first again")
    page = reader.read()
    assert (titles(page), page.gaps) == (["first again"], ())
    assert len(guids) == 3


def test_new_guids_for_the_same_entries_are_not_news() -> None:
    with FeedReader(validators=False) as reader:
        reader.feed(new_guids=True)
        for number in range(3):
            reader.simulator.add_entry(title=f"{number}")
        assert len(reader.read().items) == 3
        reader.simulator.add_entry(title="new")
        page = reader.read()
        assert (titles(page), page.gaps) == (["new"], ())


def test_dates_are_kept_or_replaced(reader: FeedReader) -> None:
    reader.simulator.add_entry(title="ancient", published=MONDAY - 10 * 365 * 86_400)
    reader.simulator.add_entry(title="future", published=MONDAY + 10 * 365 * 86_400)
    reader.simulator.add_entry(title="undated", dated=False)
    page = reader.read()
    assert [item.created_at - MONDAY for item in page.items] == [-315_360_000, 3600.0, -1.0], (
        "undated: before the watch"
    )
    reader.simulator.add_entry(title="undated, later", dated=False)
    assert [item.created_at for item in reader.read().items] == [reader.clock()]


def test_the_publishers_pace_is_kept_up_to_a_day(reader: FeedReader) -> None:
    reader.feed("/ttl", ttl=60)
    reader.feed("/short", ttl=1)
    reader.feed("/month", ttl=60 * 24 * 30)
    reader.feed("/daily", update_period="daily", update_frequency=4)
    pauses = {path: reader.read(reader.url(path)).pause for path in ("/ttl", "/short", "/month", "/daily")}
    assert pauses == {"/ttl": 3600.0, "/short": 900.0, "/month": 86_400.0, "/daily": 21_600.0}
    assert reader.read(reader.url("/ttl")).pause == 3600.0, "also without news"


def test_a_window_of_ten_thousand_is_cut_and_told(reader: FeedReader) -> None:
    reader.simulator.feed(PATH).window = 10_000
    reader.simulator.add_entry()
    reader.read()
    for number in range(ENTRIES_MAX + 500):
        reader.simulator.add_entry(title=f"{number}", published=MONDAY + number)
    page = reader.read()
    assert len(page.items) == ENTRIES_MAX
    assert titles(page)[-1] == str(ENTRIES_MAX + 499)
    assert [gap.reason for gap in page.gaps] == ["horizon"]
    assert len(page.cursor) < 100_000


# -- redirects


def test_a_permanent_redirect_is_remembered_and_a_temporary_one_is_not(reader: FeedReader) -> None:
    reader.simulator.move_feed("/old", "/moved", 301)
    reader.simulator.move_feed("/moved", PATH, 308)
    reader.simulator.move_feed("/today", PATH, 302)
    reader.simulator.add_entry()
    for path, asked in (("/old", 3), ("/old", 1), ("/today", 2), ("/today", 2)):
        before = len(reader.requests())
        reader.read(reader.url(path))
        assert len(reader.requests()) - before == asked, path
    assert reader.read(reader.url("/old"), after=8 * 86_400.0).items == ()
    assert reader.requests()[-3:] == ["GET /old", "GET /moved", "GET /feed.xml"], "asked again after a week"


def test_the_old_address_is_asked_when_the_new_one_fails(reader: FeedReader) -> None:
    reader.simulator.add_entry(title="one")
    reader.simulator.move_feed("/old", PATH)
    [item] = reader.read(reader.url("/old")).items
    assert item.place == reader.url("/old")
    reader.feed("/newer")
    reader.simulator.add_entry("/newer", title="two")
    reader.simulator.refuse_feed(PATH, 404)
    reader.simulator.move_feed("/old", "/newer")
    assert titles(reader.read(reader.url("/old"))) == ["two"]


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("", "redirect without an address"),
        ("file:///etc/passwd", "redirect without an address"),
        ("/loop", "more than 5 redirects"),
        ("http://user:pw@example.org/", "cannot be requested"),
    ],
)
def test_a_wrong_redirect_is_refused(reader: FeedReader, location: str, reason: str) -> None:
    reader.simulator.move_feed("/loop", location, 302)
    with pytest.raises(FeedRefused, match=reason):
        reader.read(reader.url("/loop"))
    assert len(reader.requests()) <= 6


# -- refusals


@pytest.mark.parametrize(
    ("status", "delay"),
    [(404, None), (401, None), (403, None), (418, None), (410, 86_400.0), (500, 900.0), (408, 900.0)],
)
def test_an_error_refuses_this_feed_alone(reader: FeedReader, status: int, delay: float | None) -> None:
    reader.simulator.add_entry()
    reader.simulator.refuse_feed("/bad", status)
    with pytest.raises(FeedRefused) as caught:
        reader.read(reader.url("/bad"))
    assert f"HTTP {status}" in caught.value.reason
    assert caught.value.delay == delay
    assert len(reader.read().items) == 1, "its neighbour is read"


def test_too_many_requests_let_the_whole_host_rest(reader: FeedReader) -> None:
    reader.simulator.add_entry()
    reader.simulator.faults.fail(429, retry_after="120")
    with pytest.raises(FeedRefused) as caught:
        reader.read()
    assert (caught.value.delay, reader.budget.blocked) == (120.0, [120.0])
    before = len(reader.requests())
    with pytest.raises(FeedRefused, match="HTTP 429") as caught:
        reader.read(reader.url("/other"), after=20)
    assert caught.value.delay == 100.0
    assert len(reader.requests()) == before
    assert len(reader.read(after=101).items) == 1


def test_a_private_address_is_refused_unless_the_operator_permits_it() -> None:
    with FeedReader(allow_private=False) as reader:
        reader.feed()
        with pytest.raises(FeedRefused, match="allow_private"):
            reader.read()
        assert reader.requests() == []


def test_a_host_that_is_down_is_not_asked_for_each_of_its_feeds() -> None:
    with FeedReader(timeout=1.0) as reader:
        reader.simulator.faults.timeout(30, times=10)
        for path in ("/a", "/b", "/c"):
            with pytest.raises(FeedRefused, match=WITHIN):
                reader.read(reader.url(path), after=1)
        assert reader.simulator.wait_for_requests(1)
        assert len(reader.requests()) == 1


def test_a_server_that_hangs_does_not_stop_another_on_the_same_machine() -> None:
    with FeedReader(timeout=0.3) as reader, FeedReader() as other:
        reader.simulator.faults.timeout(30)
        with pytest.raises(FeedRefused, match=WITHIN):
            reader.read()
        other.feed()
        other.simulator.add_entry()
        assert len(reader.read(other.url(), after=1).items) == 1, "its port is another one"


def test_one_request_per_host_is_in_flight(reader: FeedReader) -> None:
    came, answered = threading.Event(), threading.Event()
    respond = reader.simulator.respond

    def slowly(asked: SimulatedRequest) -> SimulatedResponse:
        came.set()
        answered.wait(PATIENCE)
        return respond(asked)

    reader.simulator.respond = slowly  # type: ignore[method-assign]
    slow = threading.Thread(target=lambda: reader.read())
    slow.start()
    assert came.wait(PATIENCE)
    request = ReadRequest(kind="items", places=(reader.url("/other"),))
    with pytest.raises(BudgetExhausted) as caught:
        reader.source.read(request, reader.budget)
    assert caught.value.slot is None
    assert 1.0 <= caught.value.delay <= 2.0
    answered.set()
    slow.join()
    with pytest.raises(FeedRefused, match="404"):
        reader.source.read(request, reader.budget)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty document"),
        (b"<!doctype html><html><head></head></html>", "web page, not a feed; it links none"),
        (
            b'<html><head><link rel="alternate" type="application/rss+xml" href="/f"></head></html>',
            "web page, not a feed; it links one",
        ),
        (b"<svg/>", "not RSS, Atom or JSON Feed"),
        (b'{"a": 1}', "not a JSON Feed"),
        (b'{"version": "https://jsonfeed.org/version/1.1", "items": [', "ends in the middle"),
        (b"\0\1\2\3" * 100, "empty document"),
    ],
)
def test_what_is_not_a_feed_is_refused_with_a_reason(reader: FeedReader, body: bytes, reason: str) -> None:
    reader.simulator.serve("/bad", body)
    with pytest.raises(FeedRefused, match=reason) as caught:
        reader.read(reader.url("/bad"))
    assert caught.value.delay is None


def test_a_document_that_ends_in_the_middle_is_read_the_second_time(reader: FeedReader) -> None:
    reader.simulator.serve(
        "/cut", b"<rss><channel><item><title>whole</title></item><item><title>hal", headers={"etag": '"1"'}
    )
    with pytest.raises(FeedRefused, match="in the middle"):
        reader.read(reader.url("/cut"))
    page = reader.read(reader.url("/cut"))
    assert titles(page) == ["whole"]
    assert "etag" not in page.cursor, "the rest has to be sent when it is there"


def test_a_secret_is_in_no_error(reader: FeedReader) -> None:
    for path in (f"/feed?token={SECRET}", f"/private/{SECRET}"):
        with pytest.raises(FeedRefused) as caught:
            reader.read(reader.url(path))
        assert SECRET not in f"{caught.value} {caught.value.names} {caught.value.__context__.__class__}"


def test_relative_links_do_not_repeat_a_secret(reader: FeedReader) -> None:
    path = f"/private/{SECRET}/feed?token={SECRET}"
    reader.feed(path)
    for link in ("item", "#top", "?page=1", ""):
        reader.simulator.add_entry(path, link=link)
    for item in reader.read(reader.url(path)).items:
        assert item.permalink.startswith("http://")
        assert SECRET not in item.permalink + item.url
