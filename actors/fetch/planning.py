"""What is read together, and when: which groups join, how a group is divided, how long to wait. Pure functions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate

from overheard.config import FetchSettings
from overheard.db.groups import FeedRow, Group
from overheard.errors import RetryableError
from overheard.items import ALL
from overheard.reading.paging import MOST_EXPECTED_ITEMS
from overheard.sources import GroupLimit

# Of [fetch] max_pages: a group that needed no more may double. Twice the feeds need about twice the pages, so a busier
# hour still fits before the group has to be divided again. Chosen, not measured.
EASY_PAGES_FRACTION = 0.25
RETRY_MIN_SECONDS = 2.0  # after a transient error of the source; doubles
RETRY_MAX_SECONDS = 295.0  # just below the 300 s that the bus delays a message (bus.envelope.MAX_DELAY_SECONDS)
FRESHNESS_CHECK_SECONDS = 0.25  # until an on-demand message checks a feed that another poll is reading; doubles
FRESHNESS_CHECK_MAX_SECONDS = 5.0


def room_of(group: Group, size: int) -> int:
    """Return how many feeds the group may have: ``size``, or fewer after an overflow."""
    return min(size, group.room or size)


def fitting(group: Group, others: Sequence[Group], limit: GroupLimit) -> list[Group]:
    """Return those of ``others``, in order, that fit into one request with the group."""
    # ``all`` covers every place anyway. A feed that was refused is retried alone: another refusal would cost requests
    # of all feeds that share its group.
    if any((feed.place == ALL and not group.by_number) or feed.failures for feed in group.feeds):
        return []
    chosen: list[Group] = []
    count, length, room = len(group.feeds), _bytes(group), room_of(group, limit.places)
    for other in others:
        # How many feeds fit into a listing does not matter to what is read by numbers.
        room_then = room if group.by_number else min(room, room_of(other, limit.places))
        if count + len(other.feeds) <= room_then and _fits(length + _bytes(other), limit):
            chosen.append(other)
            count, length, room = count + len(other.feeds), length + _bytes(other), room_then
    return chosen


def _fits(length: int, limit: GroupLimit) -> bool:
    return limit.name_bytes is None or length <= limit.name_bytes


def _bytes(group: Group) -> int:
    return sum(len(feed.place) + 1 for feed in group.feeds)


def overflow_feeds(group: Group, limit: GroupLimit) -> list[FeedRow]:
    """Return the feeds that no longer fit into one request, after a smaller group was configured."""
    lengths = accumulate(len(feed.place) + 1 for feed in group.feeds)
    fit = sum(_fits(length, limit) for length in lengths)
    return list(group.feeds[min(max(fit, 1), limit.places) :])


def is_overdue(group: Group, seconds: float) -> bool:
    """Return True if, by the feeds' rates, a listing could not hold what is new after ``seconds``.

    Then the group overflows because it was read too late. It is not too large for its plan.
    """
    return sum(feed.rate or 0.0 for feed in group.feeds) * seconds > MOST_EXPECTED_ITEMS


def halves(group: Group, load: Mapping[str, int]) -> tuple[list[FeedRow], list[FeedRow]]:
    """Divide a group of several feeds by their ``load``, the busiest first; without load, in the middle."""
    feeds = sorted(group.feeds, key=lambda feed: -load.get(feed.place, 0))
    running = list(accumulate(load.get(feed.place, 0) for feed in feeds))
    count = min(bisect_left(running, running[-1] / 2) + 1, len(feeds) - 1) if running[-1] else len(feeds) // 2
    return feeds[:count], feeds[count:]


def next_room(room: int | None, pages: int, rules: FetchSettings) -> int | None:
    """Return how many feeds a group may have from now on: double if few pages were enough. None: as configured."""
    if room is not None and pages <= EASY_PAGES_FRACTION * rules.max_pages:
        return 2 * room if 2 * room < rules.group_size else None
    return room


def retry_delay(error: RetryableError, attempt: int) -> float:
    """Return the seconds until a group whose source failed is read again: what the source asked for, or a backoff."""
    # The exponent is limited because a float overflows at 2 ** 1024; the maximum is reached long before.
    backoff = RETRY_MIN_SECONDS * 2.0 ** min(attempt, 10)
    return min(error.delay if error.delay is not None else backoff, RETRY_MAX_SECONDS)


def freshness_check_delay(attempt: int) -> float:
    """Return the seconds until an on-demand message checks feeds again that an older poll is reading."""
    return min(FRESHNESS_CHECK_SECONDS * 2.0 ** min(attempt, 10), FRESHNESS_CHECK_MAX_SECONDS)
