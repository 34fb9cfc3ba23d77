"""Feeds in XML, spoiled: entries that are not XML, and documents that attack parsers, over real HTTP.

`test_source_bad_input.py` has the rest: failures of servers, and spoiled entries of a JSON Feed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from overheard.errors import FeedRefused
from overheard.simulators.feeds.feed import FeedFormat
from overheard.simulators.http.exchange import SimulatedRequest, SimulatedResponse
from tests.contract.source_faults.items import unusable
from tests.contract.source_faults.responses import CANARY
from tests.contract.source_faults.worlds import FEED_PATH, SpoiledFeeds

pytestmark = pytest.mark.thorough

READ_SECONDS = 10.0  # of computing
XML: tuple[FeedFormat, ...] = ("rss", "rdf", "atom")
SECRET_FILE = "/etc/passwd"


@pytest.fixture(params=XML)
def feed(request: pytest.FixtureRequest) -> Iterator[SpoiledFeeds]:
    with SpoiledFeeds() as world:
        world.feed.format = request.param
        world.read()
        yield world


def spoil(feed: SpoiledFeeds, old: bytes, new: bytes) -> None:
    """Replace bytes in the documents that are sent from now on."""

    def rewrite(request: SimulatedRequest, answer: SimulatedResponse) -> SimulatedResponse:
        body = answer.text.encode() if isinstance(answer.text, str) else answer.text
        assert old in body
        return replace(answer, text=body.replace(old, new))

    feed.rewrite = rewrite


# In place of the word that marks an entry.
TEXTS: dict[str, bytes] = {
    "NUL": b"\0",
    "control characters": bytes(range(1, 32)),
    "invalid UTF-8": b"\xff\xfe\x80",
    "half of a surrogate pair": b"\xed\xa0\x80",
    "references to forbidden characters": b"&#0;&#xD800;&#x1F;&#99999999999;",
    "an unknown entity": b"&nothing;",
    "an entity of HTML": b"&nbsp;&eacute;",
    "a bare ampersand": b"Tom & Jerry",
    "a bare bracket": b"a < b > c",
    "an unclosed element": b"<b>bold",
    "a closing tag too many": b"</b></i>",
    "an unknown prefix": b"<what:ever>x</what:ever>",
    "a comment without an end": b"<!-- and then",
    "CDATA without an end": b"<![CDATA[ and then",
    "a processing instruction": b"<?php echo 1 ?>",
    "deep elements": b"<b>" * 20_000,
    "deep elements, closed": b"<b>" * 20_000 + b"</b>" * 20_000,
    "many attributes": b"<b " + b" ".join(b"a%d='x'" % number for number in range(20_000)) + b"/>",
    "5 MB": CANARY.encode() * 500_000,
    "5 MB of references": b"&#65;" * 1_000_000,
    "5 MB of ampersands": b"&" * 5_000_000,
    "5 MB of brackets": b"<" * 5_000_000,
}


@pytest.mark.parametrize("text", TEXTS)
def test_one_bad_entry_costs_no_other(feed: SpoiledFeeds, text: str) -> None:
    good, bad, later = feed.add(), feed.add(), feed.add()
    spoil(feed, b"body " + bad.encode(), TEXTS[text])
    began = time.thread_time()
    try:
        reading = feed.read()
    except FeedRefused as error:
        assert error.reason == "the feed ends in the middle", "which is believed the second time"  # noqa: PT017
        reading = feed.read()
    assert time.thread_time() - began < READ_SECONDS
    feed.rewrite = None
    newest = feed.add()
    after = feed.read()
    missing = [marker for marker in (good, later, newest) if not (reading.has(marker) or after.has(marker))]
    assert missing == []
    assert [problem for item in (*reading.items, *after.items) for problem in unusable(item)] == []
    assert not reading.gaps
    assert not after.gaps


TEN = {number: f"&l{number - 1};" * 10 for number in range(1, 20)}
LAUGHS = "".join(f'<!ENTITY l{number} "{ten}">' for number, ten in TEN.items())
DECLARED = '<!ENTITY a "x">'
ATTACKS: dict[str, str] = {
    "a billion laughs": f'<!DOCTYPE rss [<!ENTITY l0 "{CANARY}">{LAUGHS}]>',
    "a quadratic blow-up": f'<!DOCTYPE rss [<!ENTITY l19 "{CANARY * 10_000}">]>',
    "an external entity": f'<!DOCTYPE rss [<!ENTITY l19 SYSTEM "file://{SECRET_FILE}">]>',
    "an external entity over HTTP": '<!DOCTYPE rss [<!ENTITY l19 SYSTEM "{url}secret">]>',
    "external parameters": '<!DOCTYPE rss [<!ENTITY % p SYSTEM "{url}secret"> %p;]>',
    "an external subset": '<!DOCTYPE rss SYSTEM "{url}secret">',
    "a DOCTYPE without an end": "<!DOCTYPE rss [",
    "a style sheet": '<?xml-stylesheet href="{url}secret"?>',
    "5 MB before the feed": " " * 5_000_000,
    "5 MB of comments": "<!-- x -->" * 500_000,
    "a DOCTYPE of 5 MB": f"<!DOCTYPE rss [{DECLARED * 300_000}]>",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_document_that_attacks_parsers_harms_nothing(feed: SpoiledFeeds, attack: str) -> None:
    """The entries are found, or the feed is refused; nothing is expanded or fetched."""
    wanted = [feed.add(), feed.add()]
    prolog = ATTACKS[attack].replace("{url}", feed.simulator.url).encode()
    root = {"rss": b"<rss", "rdf": b"<rdf:RDF", "atom": b"<feed"}[feed.feed.format]

    def rewrite(request: SimulatedRequest, answer: SimulatedResponse) -> SimulatedResponse:
        body = answer.text.encode() if isinstance(answer.text, str) else answer.text
        return replace(answer, text=body.replace(root, prolog + root, 1).replace(b"body ", b"&l19; ") + b" ")

    feed.rewrite = rewrite
    began, found, reason = time.thread_time(), [], ""
    try:
        found = feed.read().items
    except FeedRefused as error:
        reason = error.reason
    assert CANARY not in reason
    assert time.thread_time() - began < READ_SECONDS
    assert all(len(item.body) < 200_000 for item in found)
    assert "root:" not in " ".join(f"{item.title} {item.body}" for item in found)
    assert not [line for line in feed.simulator.recent_requests() if "secret" in line]
    feed.rewrite = None
    found = [*found, *feed.read().items]
    assert [marker for marker in wanted if not any(marker in f"{item.title} {item.body}" for item in found)] == []


ENTRIES = 10_000


@pytest.mark.parametrize("format", ["rss", "json"])
def test_ten_thousand_entries_in_one_document(format: FeedFormat) -> None:
    with SpoiledFeeds() as feed:
        feed.feed.format = format
        feed.feed.window = ENTRIES
        feed.read()
        for _ in range(ENTRIES):
            marker = feed.add()
        began = time.thread_time()
        reading = feed.read()
        assert time.thread_time() - began < 4 * READ_SECONDS
        assert reading.has(marker), "the newest ones are read"
        assert reading.gaps or len(reading.items) == ENTRIES, "what is too much is a gap"


@pytest.mark.parametrize("format", [*XML, "json"])
def test_a_feed_in_any_order_twice_and_with_old_dates(format: FeedFormat) -> None:
    with SpoiledFeeds() as feed:
        feed.feed.format = format
        feed.feed.reordered = True
        feed.read()
        wanted = [feed.add() for _ in range(5)]
        server = feed.feed
        server.entries.extend(server.entries[-5:])
        server.entries[-1].published = feed.clock() - 10 * 365 * 86_400
        server.entries[-2].published = feed.clock() + 10 * 365 * 86_400
        reading = feed.read()
        assert [marker for marker in wanted if not reading.has(marker)] == []
        assert len(reading.items) == 5
        assert all(item.created_at <= feed.clock() + 86_400 for item in reading.items)
        feed.add()
        assert len(feed.read().items) == 1
        assert not reading.gaps


def test_the_place_of_a_feed_is_not_in_an_error(feed: SpoiledFeeds) -> None:
    assert FEED_PATH in feed.place
    feed.simulator.faults.html(200, 100)
    with pytest.raises(FeedRefused) as caught:
        feed.read()
    assert FEED_PATH not in caught.value.reason
