"""Which feeds share a request, and how too many are divided. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from overheard.db.groups import FeedRow, Group
from overheard.items import ALL

NAMES_BYTES = 1500  # of the names in a listing's URL: what is known to work is below 2,000 in all


def joining(group: Group, others: Sequence[Group], size: int) -> list[Group]:
    """Those of the others, in their order, that fit into one request with the group: ``size`` feeds at most."""
    if any(feed.place == ALL or feed.failures for feed in group.feeds):
        return []
    chosen: list[Group] = []
    count, length, room = len(group.feeds), _bytes(group), min(size, group.room or size)
    for other in others:
        room_then = min(room, other.room or size)
        if count + len(other.feeds) <= room_then and length + _bytes(other) <= NAMES_BYTES:
            chosen.append(other)
            count, length, room = count + len(other.feeds), length + _bytes(other), room_then
    return chosen


def _bytes(group: Group) -> int:
    return sum(len(feed.place) + 1 for feed in group.feeds)


def excess(group: Group, size: int) -> list[FeedRow]:
    """Feeds of the group that one request cannot name any more: a smaller group was configured."""
    kept, length = 0, 0
    for feed in group.feeds:
        length += len(feed.place) + 1
        if kept == size or (length > NAMES_BYTES and kept):
            break
        kept += 1
    return list(group.feeds[kept:])


def halves(group: Group, load: Mapping[str, int]) -> tuple[list[FeedRow], list[FeedRow]]:
    """Divide a group of several feeds by what each has to say, the busiest first; without ``load``, in the middle."""
    feeds = sorted(group.feeds, key=lambda feed: -load.get(feed.place, 0))
    total = sum(load.get(feed.place, 0) for feed in feeds)
    if not total:
        middle = len(feeds) // 2
        return feeds[:middle], feeds[middle:]
    said, count = 0, 0
    for feed in feeds[:-1]:
        said += load.get(feed.place, 0)
        count += 1
        if said * 2 >= total:
            break
    return feeds[:count], feeds[count:]
