"""Which feeds are read together. A request names several; their new items share its pages.

Two ways: ``balanced`` gives all groups equal rates, so that quiet feeds are read for nothing with the busy ones, which
costs the fewest requests. ``ranked`` puts busy feeds with busy ones: those may be read often, and a burst of one delays
no quiet feed.
"""

from __future__ import annotations

import heapq
import math
import sys
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


ANY_ROOM = RequestRoom(sys.maxsize, None)
Packing = list[list[PackedFeed]]


def balanced(feeds: Sequence[PackedFeed], room: RequestRoom) -> Packing:
    """Return groups of nearly equal rates: each feed, the busiest first, joins the group that has least."""
    count = _groups_needed(feeds, room)
    groups: Packing = [[] for _ in range(count)]
    free = [(0.0, number, 0) for number in range(count)]  # rate, group, bytes
    full: Packing = []
    for feed in _busiest_first(feeds):
        skipped = []
        while free:
            rate, number, used = heapq.heappop(free)
            if _fits(len(groups[number]), used, feed, room):
                groups[number].append(feed)
                heapq.heappush(free, (rate + feed.rate, number, used + feed.name_bytes))
                break
            if len(groups[number]) < room.feeds:  # a shorter name may still fit
                skipped.append((rate, number, used))
        else:
            full.append([feed])
        for entry in skipped:
            heapq.heappush(free, entry)
    return [group for group in (*groups, *full) if group]


def ranked(feeds: Sequence[PackedFeed], room: RequestRoom) -> Packing:
    """Return groups in the order of rates: the busiest feeds together, then the next ones."""
    groups: Packing = []
    used = 0
    for feed in _busiest_first(feeds):
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
    counts = {key: len(feeds) for key, feeds in groups.items()}
    used = {key: sum(feed.name_bytes for feed in feeds) for key, feeds in groups.items()}
    rates = {key: sum(feed.rate for feed in feeds) for key, feeds in groups.items()}
    every = {key: min(feed.every for feed in feeds) for key, feeds in groups.items()}
    placed: dict[int, int] = {}
    for feed in _busiest_first(new):
        free = [key for key in groups if every[key] <= feed.every and _fits(counts[key], used[key], feed, room)]
        if not free:
            continue
        key = placed[feed.id] = min(free, key=lambda each: (rates[each], each))
        counts[key] += 1
        used[key] += feed.name_bytes
        rates[key] += feed.rate
    return placed


def _busiest_first(feeds: Sequence[PackedFeed]) -> list[PackedFeed]:
    return sorted(feeds, key=lambda feed: (-feed.rate, feed.id))


def _groups_needed(feeds: Sequence[PackedFeed], room: RequestRoom) -> int:
    by_bytes = 0 if room.name_bytes is None else math.ceil(sum(feed.name_bytes for feed in feeds) / room.name_bytes)
    return max(math.ceil(len(feeds) / room.feeds), by_bytes, 1)


def _fits(count: int, used: int, feed: PackedFeed, room: RequestRoom) -> bool:
    return count < room.feeds and (room.name_bytes is None or used + feed.name_bytes <= room.name_bytes)
