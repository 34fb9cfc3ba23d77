from __future__ import annotations

import random

import pytest

from overheard.sources.mastodon.timeline import (
    OVERLAP_MS,
    OVERLAP_STATUSES,
    PAGE_STATUSES,
    QUIET_OVERLAP_MS,
    SEEN_IDS,
    SHORT_OVERLAP_STATUSES,
    SWEEP_SECONDS,
    TimelineState,
    after_page,
    decode_state,
    encode_state,
    start_of,
)

NOW_MS = 1_795_780_800_000
HOUR_MS = 3_600_000
NOW = NOW_MS / 1000


def id_at(ms: float) -> str:
    return str(int(ms) << 16)


def every(seconds: float, count: int) -> list[str]:
    return [id_at(NOW_MS - (count - 1 - number) * seconds * 1000) for number in range(count)]


def test_a_cursor_survives_encoding() -> None:
    state = TimelineState(["1", "2"], 40, "2")
    assert decode_state(encode_state(state)) == state
    for text in ("", "x", "5", "[]", '{"seen": 3}'):
        assert decode_state(text) is None


def test_an_empty_timeline_is_read_from_the_beginning() -> None:
    assert start_of(TimelineState(), NOW) == "0"


def test_a_quiet_timeline_is_read_again_for_a_day() -> None:
    assert start_of(TimelineState(every(60, 5)), NOW) == id_at(NOW_MS - QUIET_OVERLAP_MS)


def test_an_ordinary_timeline_is_read_again_for_half_a_page() -> None:
    seen = every(3600, 100)
    assert start_of(TimelineState(seen), NOW) == seen[-OVERLAP_STATUSES]


def test_a_busy_timeline_is_read_again_for_an_hour() -> None:
    assert start_of(TimelineState(every(30, 200)), NOW) == id_at(NOW_MS - OVERLAP_MS)


def test_a_very_busy_timeline_is_read_again_for_a_few_pages_and_now_and_then_for_more() -> None:
    seen = every(0.1, SEEN_IDS)
    state = TimelineState(seen, swept_at=NOW - SWEEP_SECONDS + 1)
    assert start_of(state, NOW) == seen[-SHORT_OVERLAP_STATUSES]
    assert after_page(state, seen[-SHORT_OVERLAP_STATUSES], seen[-40:], NOW).swept_at == state.swept_at
    assert start_of(state, NOW + 1) == seen[0]
    assert after_page(state, seen[0], seen[:40], NOW + 1).swept_at == NOW + 1


def test_after_a_first_page_the_overlap_goes_back_as_far_as_a_few_pages_would() -> None:
    assert start_of(TimelineState(every(1, PAGE_STATUSES), swept_at=NOW), NOW) == id_at(NOW_MS - 195_000)


def test_ids_that_are_not_numbers_are_compared_as_text() -> None:
    seen = [f"01HX{number:04}" for number in range(50)]
    assert start_of(TimelineState(seen), NOW) == seen[-OVERLAP_STATUSES]
    assert start_of(TimelineState(seen[:3]), NOW) == seen[0]


def test_a_backlog_is_read_without_overlap() -> None:
    assert start_of(TimelineState(every(1, 100), follows="77"), NOW) == "77"


@pytest.mark.parametrize("page_size", [40, 20, 1])
def test_pages_are_followed_to_the_end_whatever_their_size(page_size: int) -> None:
    stored = every(10, 130)
    state, pages = after_page(TimelineState(), "0", stored[:page_size], NOW), 1
    while state.follows:
        start = start_of(state, NOW)
        state = after_page(state, start, [each for each in stored if int(each) > int(start)][:page_size], NOW)
        pages += 1
    assert state.seen[-1] == stored[-1]
    assert pages <= 130 // page_size + 2


def test_a_page_that_does_not_lead_on_ends_the_reading() -> None:
    state = TimelineState(every(1, 50), 40, follows="999999999999999999")
    assert after_page(state, start_of(state, NOW), every(1, 40), NOW).follows == ""


def test_the_cursor_stays_small() -> None:
    state, chance = TimelineState(), random.Random(1)
    for _ in range(100):
        state = after_page(state, "0", [str(chance.getrandbits(60)) for _ in range(PAGE_STATUSES)], NOW)
    assert len(state.seen) == SEEN_IDS
    assert len(encode_state(state)) < 25_000
