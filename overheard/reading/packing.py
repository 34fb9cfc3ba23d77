"""Which feeds are read together. A request names several; their new items share its pages.

Two ways: ``balanced`` gives all groups equal rates, so that quiet feeds are read for nothing with the busy ones, which
costs the fewest requests. ``ranked`` puts busy feeds with busy ones: those may be read often, and a burst of one delays
no quiet feed.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class PackedFeed(NamedTuple):
    """A feed: its new items a second, the longest time in seconds between two readings, and the bytes of its name."""

    id: int
    rate: float
    every: float
    name_bytes: int


# The bin of the feeds that are read by their items' numbers, and how many of one kind may be read so: each reading
# updates them all, and names them in its message.
BY_NUMBER_BIN = 0
BY_NUMBER_MAX_FEEDS = 5000


class RequestRoom(NamedTuple):
    """How many feeds, and how many bytes of names, one request may have (None: any number)."""

    feeds: int
    name_bytes: int | None


Packing = list[list[PackedFeed]]
OpenGroup = tuple[float, int, int, int]  # one that feeds may join: its rate, its number, its feeds, the bytes of names


def balanced(feeds: Sequence[PackedFeed], room: RequestRoom) -> Packing:
    """Return groups of nearly equal rates: each feed, the busiest first, joins the group that has least."""
    groups: Packing = [[] for _ in range(_groups_needed(feeds, room))]
    free: list[OpenGroup] = [(0.0, number, 0, 0) for number in range(len(groups))]
    alone: Packing = []
    for feed in busiest_first(feeds):
        if (group := _pop_least(free, feed, room)) is None:
            alone.append([feed])
        else:
            heapq.heappush(free, _with_feed(group, feed))
            groups[group[1]].append(feed)
    return [group for group in (*groups, *alone) if group]


def ranked(feeds: Sequence[PackedFeed], room: RequestRoom) -> Packing:
    """Return groups in the order of rates: the busiest feeds together, then the next ones."""
    groups: Packing = []
    used = 0
    for feed in busiest_first(feeds):
        if not groups or not _fits(len(groups[-1]), used, feed, room):
            groups.append([])
            used = 0
        groups[-1].append(feed)
        used += feed.name_bytes
    return groups


def place(new: Sequence[PackedFeed], groups: Mapping[int, Sequence[PackedFeed]], room: RequestRoom) -> dict[int, int]:
    """Return for each new feed the group with the least to read that has room for it and is read often enough.

    Feeds for which there is none are left out.
    """
    if not new:
        return {}
    free: dict[float, list[OpenGroup]] = {}  # by how long the groups may wait
    for number, feeds in groups.items():
        rate, name_bytes = sum(feed.rate for feed in feeds), sum(feed.name_bytes for feed in feeds)
        every = min(feed.every for feed in feeds)
        heapq.heappush(free.setdefault(every, []), (rate, number, len(feeds), name_bytes))
    placed: dict[int, int] = {}
    for feed in busiest_first(new):
        taken: dict[float, OpenGroup] = {}
        for every, some in free.items():
            if every <= feed.every and (group := _pop_least(some, feed, room)) is not None:
                taken[every] = group
        chosen = min(taken, key=lambda every: taken[every], default=None)
        for every, group in taken.items():
            if every == chosen:
                placed[feed.id] = group[1]
            heapq.heappush(free[every], _with_feed(group, feed) if every == chosen else group)
    return placed


def _pop_least(groups: list[OpenGroup], feed: PackedFeed, room: RequestRoom) -> OpenGroup | None:
    """Remove and return the first group of a heap that has room for the feed; None if there is none.

    Groups before it that have as many feeds as a request may name are removed, too.
    """
    skipped = []
    while groups:
        group = heapq.heappop(groups)
        _, _, count, used = group
        if _fits(count, used, feed, room):
            break
        if count < room.feeds:  # a shorter name may still fit
            skipped.append(group)
    else:
        group = None
    for each in skipped:
        heapq.heappush(groups, each)
    return group


def _with_feed(group: OpenGroup, feed: PackedFeed) -> OpenGroup:
    rate, number, feeds, name_bytes = group
    return rate + feed.rate, number, feeds + 1, name_bytes + feed.name_bytes


def busiest_first(feeds: Sequence[PackedFeed]) -> list[PackedFeed]:
    """Return the feeds in the order of their rates."""
    return sorted(feeds, key=lambda feed: (-feed.rate, feed.id))


def _groups_needed(feeds: Sequence[PackedFeed], room: RequestRoom) -> int:
    by_bytes = 0 if room.name_bytes is None else math.ceil(sum(feed.name_bytes for feed in feeds) / room.name_bytes)
    return max(math.ceil(len(feeds) / room.feeds), by_bytes, 1)


def _fits(count: int, used: int, feed: PackedFeed, room: RequestRoom) -> bool:
    return count < room.feeds and (room.name_bytes is None or used + feed.name_bytes <= room.name_bytes)
