"""Cursors, and events on their way into a page."""

from __future__ import annotations

import msgspec
import pytest

from overheard.items import Item
from overheard.sources.bluesky.batch import BATCH_MAX_BYTES, BATCH_MAX_POSTS, EventBatch, Resumption
from overheard.sources.bluesky.cursor import OVERLAP_US, StreamCursor, decoded
from overheard.sources.bluesky.events import StreamEvent
from overheard.sources.bluesky.names import item_id

NOW_US = 1_779_719_009_157_119
START = StreamCursor(host="wss://one.example", time_us=NOW_US, seq=7, item="at://did:plc:a/app.bsky.feed.post/0")


def item(key: str, did: str = "did:plc:ann", **fields: object) -> Item:
    ref = item_id(did, key)
    assert ref is not None
    made = Item(source="bluesky", id=ref, kind="post", place="all", author=did, body="text", created_at=NOW_US / 1e6)
    return msgspec.structs.replace(made, **fields)


def event(after_us: int = 1, seq: int | None = 8, **fields: object) -> StreamEvent:
    return msgspec.structs.replace(StreamEvent(NOW_US + after_us, seq), **fields)


def test_a_cursor_survives_its_text() -> None:
    assert decoded(START.encoded()) == START


@pytest.mark.parametrize(
    "text",
    [None, "", "x", "7", "[]", "{}", '{"host":"x"}', '{"host":7,"time_us":5}', '{"host":"x","time_us":0}', "\ud800"],
)
def test_a_text_that_is_not_a_cursor_is_none(text: str | None) -> None:
    assert decoded(text) is None


def test_v2_resumes_at_the_number_and_v1_at_the_time_with_some_overlap() -> None:
    assert START.parameter("v2") == "7"
    assert START.without_seq().parameter("v2") == str(NOW_US)
    assert START.parameter("v1") == str(NOW_US - OVERLAP_US)
    unseen = msgspec.structs.replace(START, seq=None, seen=False)
    assert unseen.parameter("v2") == str(NOW_US - OVERLAP_US), "this machine's clock may be ahead"


def test_events_that_are_slightly_out_of_order_do_not_take_the_time_back() -> None:
    assert START.after(event(-OVERLAP_US // 2)).time_us == NOW_US
    assert START.after(event(5)).time_us == NOW_US + 5
    rogue = START.after(event(10**15))
    assert rogue.after(event(5)).time_us == NOW_US + 5, "one event of the year 2058 does not make the stream go silent"
    unseen = msgspec.structs.replace(START, seen=False)
    assert unseen.after(event(-5)) == StreamCursor(START.host, NOW_US - 5, 8, START.item)


def test_a_page_has_the_latest_state_of_each_post() -> None:
    batch = EventBatch(START)
    edited = item("1", body="edited", edited_at=NOW_US / 1e6)
    for each in (item("1"), item("2"), item("3"), edited):
        batch.add(event(item=each))
    batch.add(event(gone=item("2").id))
    batch.add(event(9, 9))
    page = batch.page(cursor=batch.cursor.encoded(), behind=False)
    assert page.items == (edited, item("3"))
    assert page.gone == (item("2").id,)
    assert decoded(page.cursor) == StreamCursor(START.host, NOW_US + 9, 9, edited.id)


def test_an_account_that_leaves_takes_what_it_wrote_before_and_not_what_it_writes_later() -> None:
    batch = EventBatch(START)
    before, other, after = item("1", "did:plc:bob"), item("2"), item("3", "did:plc:bob")
    batch.add(event(item=before))
    batch.add(event(item=other))
    batch.add(event(3, gone_author="did:plc:bob"))
    batch.add(event(4, item=after))
    page = batch.page(cursor="", behind=False)
    assert page.items == (other, after)
    assert page.gone == (before.id,)
    assert page.gone_authors == (("did:plc:bob", (NOW_US + 3) / 1e6),)


def test_a_page_is_bounded_in_posts_and_bytes() -> None:
    batch = EventBatch(START)
    for number in range(BATCH_MAX_POSTS - 1):
        batch.add(event(item=item(str(number))))
    assert not batch.full
    batch.add(event(gone=item("gone").id))
    assert batch.full
    large = EventBatch(START)
    large.add(event(item=item("1", body="x" * (BATCH_MAX_BYTES // 2))))
    assert large.full


@pytest.mark.parametrize(
    ("seconds", "outdated", "seen", "missing"),
    [
        (0, False, True, False),
        (59, False, True, False),
        (61, False, True, True),
        (1, True, True, True),
        (1, True, False, False),
        (61, True, False, True),
        (-5, False, True, False),
    ],
)
def test_what_is_missing_is_told_once_and_not_falsely(seconds: int, outdated: bool, seen: bool, missing: bool) -> None:
    resumption = Resumption(msgspec.structs.replace(START, seen=seen), outdated)
    first = event(seconds * 1_000_000, item=item("1"))
    gap = resumption.gap_before(first)
    assert (gap is not None) == missing
    if gap is not None:
        assert gap.since == (START.item, START.at)
        assert gap.until == (item("1").id, first.at)


@pytest.mark.parametrize(("seconds", "missing"), [(-4, False), (0, False), (1, True)])
def test_by_time_only_the_event_at_the_cursor_has_to_come_again(seconds: int, missing: bool) -> None:
    first = msgspec.structs.replace(event(seconds * 1_000_000, item=item("1")), seq=None)
    assert (Resumption(START.without_seq()).gap_before(first) is not None) == missing
