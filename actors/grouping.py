"""Which feeds share a request, and how too many are divided. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from overheard.db.groups import FeedRow, Group
from overheard.items import ALL
from overheard.sources import GroupLimit


def joining(group: Group, others: Sequence[Group], limit: GroupLimit) -> list[Group]:
    """Those of the others, in their order, that fit into one request with the group."""
    if any(feed.place == ALL or feed.failures for feed in group.feeds):
        return []
    chosen: list[Group] = []
    size = limit.places
    count, length, room = len(group.feeds), _bytes(group), min(size, group.room or size)
    for other in others:
        room_then = min(room, other.room or size)
        if count + len(other.feeds) <= room_then and _fits(length + _bytes(other), limit):
            chosen.append(other)
            count, length, room = count + len(other.feeds), length + _bytes(other), room_then
    return chosen


def _fits(length: int, limit: GroupLimit) -> bool:
    return limit.name_bytes is None or length <= limit.name_bytes


def _bytes(group: Group) -> int:
    return sum(len(feed.place) + 1 for feed in group.feeds)


def excess(group: Group, limit: GroupLimit) -> list[FeedRow]:
    """Feeds of the group that one request cannot name any more: a smaller group was configured."""
    kept, length = 0, 0
    for feed in group.feeds:
        length += len(feed.place) + 1
        if kept == limit.places or (kept and not _fits(length, limit)):
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
