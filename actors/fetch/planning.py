"""What is read together, and when again: which groups join, how too many are divided, how long to wait. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate

from overheard.config import FetchSettings
from overheard.db.groups import FeedRow, Group
from overheard.errors import RetryableError
from overheard.items import ALL
from overheard.messages import ON_SCHEDULE, FetchWorkspace
from overheard.sources import GroupLimit

READ_AHEAD_FRACTION = 0.75  # of [fetch] fresh_for: workspaces that become due so soon reuse a reading made now
EASY_PAGES_FRACTION = (
    0.25  # of the pages that may be read: a group that needs no more may have twice as many feeds again
)
RETRY_MIN_SECONDS = 2.0  # seconds after a passing fault of the source; doubles
RETRY_MAX_SECONDS = 295.0  # the bus delays up to 300
FRESHNESS_CHECK_SECONDS = 0.25  # seconds until a demand looks again at a feed that is being read just now; doubles
FRESHNESS_CHECK_MAX_SECONDS = 5.0


def room_of(group: Group, size: int) -> int:
    """How many feeds the group may have."""
    return min(size, group.room or size)


def unread_since(message: FetchWorkspace, fresh_for: float) -> float:
    """Since when a feed must not have been read, to join the reading: since the demand was made.

    What the demand has read already does not join again, however long it waits for its turns: a refused group would
    never get smaller. A demand by hand is no reason to hurry the others.
    """
    return message.fresh_since + (fresh_for if message.reason in ON_SCHEDULE else 0.0)


def joinable(group: Group, others: Sequence[Group], limit: GroupLimit) -> list[Group]:
    """Those of the others, in their order, that fit into one request with the group."""
    if any(feed.place == ALL or feed.failures for feed in group.feeds):
        return []
    chosen: list[Group] = []
    count, length, room = len(group.feeds), _bytes(group), room_of(group, limit.places)
    for other in others:
        room_then = min(room, room_of(other, limit.places))
        if count + len(other.feeds) <= room_then and _fits(length + _bytes(other), limit):
            chosen.append(other)
            count, length, room = count + len(other.feeds), length + _bytes(other), room_then
    return chosen


def _fits(length: int, limit: GroupLimit) -> bool:
    return limit.name_bytes is None or length <= limit.name_bytes


def _bytes(group: Group) -> int:
    return sum(len(feed.place) + 1 for feed in group.feeds)


def overflow_feeds(group: Group, limit: GroupLimit) -> list[FeedRow]:
    """Feeds of the group that one request cannot name any more: a smaller group was configured."""
    lengths = accumulate(len(feed.place) + 1 for feed in group.feeds)
    fitting = sum(_fits(length, limit) for length in lengths)
    return list(group.feeds[min(max(fitting, 1), limit.places) :])


def halves(group: Group, load: Mapping[str, int]) -> tuple[list[FeedRow], list[FeedRow]]:
    """Divide a group of several feeds by what each has to say, the busiest first; without ``load``, in the middle."""
    feeds = sorted(group.feeds, key=lambda feed: -load.get(feed.place, 0))
    said = list(accumulate(load.get(feed.place, 0) for feed in feeds))
    count = min(bisect_left(said, said[-1] / 2) + 1, len(feeds) - 1) if said[-1] else len(feeds) // 2
    return feeds[:count], feeds[count:]


def next_room(room: int | None, pages: int, rules: FetchSettings) -> int | None:
    """How many feeds a group may have from now on: twice as many when few pages were enough; None: as configured."""
    if room is not None and pages <= EASY_PAGES_FRACTION * rules.max_pages:
        return 2 * room if 2 * room < rules.group_size else None
    return room


def retry_delay(fault: RetryableError, attempt: int) -> float:
    """Seconds until a group whose source failed is read again."""
    return min(
        fault.delay if fault.delay is not None else RETRY_MIN_SECONDS * 2.0 ** min(attempt, 10), RETRY_MAX_SECONDS
    )


def look_again_delay(attempt: int) -> float:
    """Seconds until a demand by hand looks again at feeds that are being read, from before it was made."""
    return min(FRESHNESS_CHECK_SECONDS * 2.0 ** min(attempt, 10), FRESHNESS_CHECK_MAX_SECONDS)
