"""The plan of a source's readings, from what the database knows: the tick follows it, and ``source plan`` shows it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec

from overheard.config import Config
from overheard.db import reading
from overheard.db.database import Db
from overheard.db.reading import FeedState
from overheard.errors import InvalidInput
from overheard.items import ALL
from overheard.operations import other_work, request_rates
from overheard.operations.other_work import OtherWork
from overheard.reading.group_feeds import GroupFeeds
from overheard.reading.packing import BY_NUMBER_BIN, BY_NUMBER_MAX_FEEDS, PackedFeed, RequestRoom, place
from overheard.reading.plan import GroupPlan, ReadingPlan, plan
from overheard.reading.rules import ReadingRules
from overheard.schedule import spacing
from overheard.sources.registry import SOURCES

# Of the budget: the rest is for what nobody can plan, such as runs by hand, logins and second pages.
PLANNED_FRACTION = 0.95
# A workspace that is due less often is served by a reading when it is due; until then its feeds may be this old.
LONGEST_SECONDS = 3600.0
NUMBERS_PER_ITEM = 1.05  # until the pace of a source's numbers is known
NEW_FEED_RATE = 0.001  # items a second, until a first reading tells


class SourcePlan(msgspec.Struct, frozen=True):
    """``budget``: requests a second that the plan may use; ``feeds``: those that are watched, by their ids.

    ``other_work``: what else would use the budget, as far as the plan leaves room for it.
    """

    source: str
    plan: ReadingPlan
    budget: float
    feeds: Mapping[int, FeedState]
    other_work: OtherWork

    @property
    def unread(self) -> bool:
        """Return True if the rate of some feed is not known yet: it should not change its group by a guess."""
        return any(feed.rate is None and not feed.failures for feed in self.feeds.values())

    @property
    def overloaded(self) -> bool:
        """Return True if workspaces wait for longer than they ask, because the budget is too small."""
        return self.plan.demanded > self.budget

    @property
    def costliest_of_all(self) -> GroupPlan | None:
        """Return which of the groups with everything of the source takes most requests; None if there is none."""
        everything = {feed.id for feed in self.feeds.values() if feed.place == ALL}
        groups = [each for each in self.plan.groups if any(feed.id in everything for feed in each.group.feeds)]
        return max(groups, key=lambda each: each.requests, default=None)


def planned_sources(config: Config) -> list[str]:
    """Return the sources whose readings are planned: those whose requests read several feeds, and that are set up."""
    return [each.name for each in SOURCES.values() if each.merged and each.missing_setting(config) is None]


def requests_per_second(db: Db, source: str, config: Config) -> float:
    """Return the requests a second that a source's plan may use."""
    budget = SOURCES[source].budget(config)
    if budget is None:
        return 0.0
    return PLANNED_FRACTION * budget.per_minute * len(request_rates.usable(db, budget).keys) / 60.0


def spacing_of(every: str, timezone: str, now: float) -> float:
    """Return the seconds between two due times of a workspace; infinity for a schedule that can no longer be read."""
    try:
        return spacing(every, timezone, now)
    except InvalidInput:  # ``schedules.unreadable_schedules`` reports it
        return math.inf


def longest_intervals(db: Db, source: str, now: float) -> dict[int, float]:
    """Return for each feed the longest time in seconds between two readings that its workspaces allow."""
    spacings: dict[tuple[str, str], float] = {}
    longest: dict[int, float] = {}
    for feed, every, timezone in reading.schedules(db, source):
        if (every, timezone) not in spacings:
            spacings[every, timezone] = min(spacing_of(every, timezone, now), LONGEST_SECONDS)
        longest[feed] = min(longest.get(feed, LONGEST_SECONDS), spacings[every, timezone])
    return longest


def source_plan(
    db: Db, source: str, config: Config, longest: Mapping[int, float], *, now: float, repack: bool
) -> SourcePlan:
    """Return the plan of a source. ``longest``: from ``longest_intervals``; ``repack``: consider other groups."""
    feeds = {feed.id: feed for feed in reading.watched_feeds(db, source)}
    # Many feeds that back off, each of them alone, would be planned for most of the budget, and take none of it.
    readable = [feed for feed in feeds.values() if feed.retry_at <= now]
    budget = requests_per_second(db, source, config)
    others = other_work.wanted(db, source, readable, config, now)
    rules = ReadingRules(
        room=request_room(source, config),
        budget=budget,
        freshest=config.fetch.freshest if config.fetch.spare == "freshness" else None,
        other_work=others.requests,
        numbers=reading.paces(db, source) if SOURCES[source].numbered_size is not None else {},
    )
    groups = _groups(source, readable, longest, rules.numbers)
    return SourcePlan(source, plan(groups, rules, repack=repack), budget, feeds, others)


def current(db: Db, source: str, config: Config, now: float) -> SourcePlan:
    """Return the plan of a source, for its groups as they are."""
    return source_plan(db, source, config, longest_intervals(db, source, now), now=now, repack=False)


def request_room(source: str, config: Config) -> RequestRoom:
    """Return how many feeds one request to the source may name."""
    return RequestRoom(config.fetch.group_size, SOURCES[source].name_bytes)


def placements(feeds: Iterable[FeedState], longest: Mapping[int, float], room: RequestRoom) -> dict[int, int]:
    """Return bins for the feeds that were read and have none yet, where existing bins have room for them."""
    placed: dict[int, int] = {}
    by_kind: dict[str, list[FeedState]] = {}
    for feed in feeds:
        if not feed.failures and (feed.bin is not None or feed.rate is not None):
            by_kind.setdefault(feed.kind, []).append(feed)
    for some in by_kind.values():
        by_number = sum(feed.bin == BY_NUMBER_BIN for feed in some)
        if by_number:
            new = [feed.id for feed in some if feed.bin is None]
            placed |= dict.fromkeys(new[: max(BY_NUMBER_MAX_FEEDS - by_number, 0)], BY_NUMBER_BIN)
            continue
        bins: dict[int, list[PackedFeed]] = {}
        unplaced = [_packed(feed, longest) for feed in some if feed.bin is None and feed.place != ALL]
        for feed in some:
            if feed.bin is not None:
                bins.setdefault(feed.bin, []).append(_packed(feed, longest))
        placed |= place(unplaced, bins, room)
    return placed


def _groups(
    source: str, feeds: Iterable[FeedState], longest: Mapping[int, float], paces: Mapping[str, float]
) -> list[GroupFeeds]:
    """Return what is to be read together: the feeds of a bin, or of a group that has none yet."""
    together: dict[tuple[str, int, int], list[FeedState]] = {}
    for feed in feeds:
        if feed.bin is not None and (not _is_alone(feed) or feed.place == ALL):
            key = (feed.kind, 1, feed.bin)
        else:
            key = (feed.kind, 0, feed.group_id)
        together.setdefault(key, []).append(feed)
    return [
        GroupFeeds(
            id=number,
            kind=kind,
            feeds=tuple(_packed(feed, longest) for feed in some),
            fixed=any(_is_alone(feed) or feed.rate is None for feed in some),
            numbers=_numbers(source, kind, some, paces),
        )
        for number, ((kind, _, _), some) in enumerate(sorted(together.items()))
    ]


def _numbers(source: str, kind: str, feeds: Iterable[FeedState], paces: Mapping[str, float]) -> float:
    """Return how many numbers a second are looked up for these feeds; 0 if they are read as a listing."""
    everything = [feed for feed in feeds if feed.place == ALL]
    if SOURCES[source].numbered_size is None or not (everything or any(feed.bin == BY_NUMBER_BIN for feed in feeds)):
        return 0.0
    rate = max((feed.rate or 0.0 for feed in everything), default=0.0)
    return paces.get(kind) or NUMBERS_PER_ITEM * rate or NEW_FEED_RATE


def _is_alone(feed: FeedState) -> bool:
    """Return True for what is read alone: everything of a source, and what was refused, until it is read again."""
    return feed.failures > 0 or feed.place == ALL


def _packed(feed: FeedState, longest: Mapping[int, float]) -> PackedFeed:
    rate = NEW_FEED_RATE if feed.rate is None else feed.rate
    return PackedFeed(feed.id, rate, longest.get(feed.id, LONGEST_SECONDS), len(feed.place) + 1)
