"""Whether feeds should be grouped in another way, and how.

Three ways are considered: to move only the busiest feeds, into groups of their own; to pack all feeds anew; and to have
the feeds of a kind join what is read by numbers, or leave it. Each feed that changes its group costs about a request.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import msgspec

from overheard.reading import intervals as solved
from overheard.reading.group_feeds import GroupFeeds, load_of
from overheard.reading.intervals import GroupLoad
from overheard.reading.packing import (
    BY_NUMBER_MAX_FEEDS,
    PackedFeed,
    Packing,
    RequestRoom,
    balanced,
    busiest_first,
    place,
    ranked,
)
from overheard.reading.paging import pages_by_number
from overheard.reading.rules import ReadingRules

# What a feed that changes its group costs, about a request until its new group is read as one, has to be gained within
# this time, and this share of the requests, or of the items' mean age, besides. Both are chosen, not measured.
PAYBACK_SECONDS = 3600.0
REPACK_GAIN = 0.05
CATCH_UP_SECONDS = 660.0  # a first reading by numbers begins with those that were given out so long ago
CATCH_UP_MAX_SECONDS = 600.0  # until the head is reached; chosen, not measured
HOT_GROUPS = (1, 2, 4, 8, 16)  # how many groups of the busiest feeds are considered
ALIKE_FACTOR = 4.0  # feeds whose longest intervals differ by less may be read together; chosen, not measured

Pack = Callable[[Sequence[PackedFeed], RequestRoom], Packing]


class KindPacking(NamedTuple):
    """What is read together of one kind, as listings. ``loads``: of the groups, in their order.

    ``moved``: how many feeds change their group; most of each new group may be what an old one keeps.
    """

    groups: Sequence[Sequence[PackedFeed]]
    loads: Sequence[GroupLoad]
    moved: int


class Regrouping(NamedTuple):
    """A way to group feeds anew: by kind, what is read together as a listing, and what joins a reading by numbers.

    ``loads``: of all groups after that. ``catching_up``: requests until numbers that begin to be read are at the head.
    """

    packings: Mapping[str, KindPacking]
    joining: Sequence[PackedFeed]
    loads: Sequence[GroupLoad]
    catching_up: float = 0.0

    @property
    def cost(self) -> float:
        """Return how many requests the change takes."""
        return sum(packing.moved for packing in self.packings.values()) + self.catching_up


class Regroupings:
    """The ways to group the feeds of one source that are worth considering."""

    def __init__(self, groups: Sequence[GroupFeeds], rules: ReadingRules) -> None:
        self._groups = groups
        self._rules = rules
        self._listed: dict[str, list[GroupFeeds]] = {}
        self._others: list[GroupFeeds] = []
        for group in groups:
            (self._others if group.fixed or group.numbers else self._listed.setdefault(group.kind, [])).append(group)
        self._group_of = {feed.id: group.id for group in self._all_listed() for feed in group.feeds}
        self._anew: dict[tuple[str, Pack], KindPacking] = {}

    def best(self) -> Regrouping | None:
        """Return other groups if they are so much better that the change pays."""
        now = _score([group.load for group in self._groups], self._rules)
        best, best_gain = None, 0.0
        for regrouping in self._considered():
            gain = 1.0 - _score(regrouping.loads, self._rules) / now - REPACK_GAIN
            gain -= regrouping.cost / (self._rules.budget * PAYBACK_SECONDS)
            if gain > best_gain:
                best, best_gain = regrouping, gain
        return best

    def _considered(self) -> Iterator[Regrouping]:
        fixed = [group.load for group in self._others]
        for packings in chain(self._with_hot(), self._all_anew([*self._listed])):
            yield Regrouping(packings, (), [*_loads(packings), *fixed])
        for kind in self._rules.numbers:
            yield from self._joining(kind)
        for group in self._others:
            if group.numbers and not group.fixed:
                rest = [other.load for other in (*self._all_listed(), *self._others) if other is not group]
                for pack in self._ways():
                    packings = {group.kind: self._packed(group.feeds, pack)}
                    yield Regrouping(packings, (), [*_loads(packings), *rest])

    def _joining(self, kind: str) -> Iterator[Regrouping]:
        """Yield how the feeds of a kind would be read by numbers, and those of other kinds as now, or packed anew."""
        rules = self._rules
        numbered = [group for group in self._others if group.kind == kind and group.numbers]
        already = [feed for group in numbered for feed in group.feeds]
        feeds = busiest_first([feed for group in self._listed.get(kind, ()) for feed in group.feeds])
        count = max(BY_NUMBER_MAX_FEEDS - len(already), 0)
        joining, left = feeds[:count], feeds[count:]
        if not joining:
            return
        packings = {kind: self._packed(left, balanced)} if left else {}
        numbers = max([rules.numbers[kind], *(group.numbers for group in numbered)])
        loads = [load_of([*already, *joining], numbers), *_loads(packings)]
        loads += [group.load for group in self._others if group not in numbered]
        catching_up = 0.0 if numbered else pages_by_number(numbers * CATCH_UP_SECONDS)
        rest = [other for other in self._listed if other != kind]
        as_now = [*loads, *(group.load for other in rest for group in self._listed[other])]
        if catching_up and not _catches_up(catching_up, as_now, rules):
            return
        yield Regrouping(packings, joining, as_now, catching_up)
        for anew in self._all_anew(rest):
            yield Regrouping({**packings, **anew}, joining, [*loads, *_loads(anew)], catching_up)

    def _with_hot(self) -> Iterator[Mapping[str, KindPacking]]:
        """Yield the groups as they are, but with ever more of the busiest feeds in groups of their own."""
        if self._rules.freshest is None:
            return
        size = self._rules.room.feeds
        rates = sorted((feed.rate for group in self._all_listed() for feed in group.feeds), reverse=True)
        limits = [rates[hot * size] for hot in HOT_GROUPS if hot * size < len(rates)]
        if not limits:
            return
        for packings in zip(*(self._without_busier(kind, limits) for kind in self._listed), strict=True):
            yield dict(zip(self._listed, packings, strict=True))

    def _without_busier(self, kind: str, limits: Sequence[float]) -> Iterator[KindPacking]:
        """Yield the groups as they are, but with all feeds of more than a rate in groups of their own, for each rate.

        ``limits``: the rates, falling. What is left of a group that such feeds leave half empty joins others.
        """
        groups = {group.id: group for group in self._listed[kind]}
        least = {group.id: min(len(group.feeds), self._rules.room.feeds / 2.0) for group in self._listed[kind]}
        busy = [(feed, group.id) for group in self._listed[kind] for feed in group.feeds if feed.rate > limits[-1]]
        for rate, before in zip(limits, (math.inf, *limits), strict=False):
            for number in {number for feed, number in busy if rate < feed.rate <= before}:
                quiet = tuple(feed for feed in groups[number].feeds if feed.rate <= rate)
                groups[number] = msgspec.structs.replace(groups[number], feeds=quiet)
            kept = {number: group for number, group in groups.items() if len(group.feeds) >= least[number]}
            rest = [feed for number, group in groups.items() if number not in kept for feed in group.feeds]
            yield self._apart([feed for feed, _ in busy if feed.rate > rate], kept, rest)

    def _apart(
        self, hot: Sequence[PackedFeed], kept: Mapping[int, GroupFeeds], rest: Sequence[PackedFeed]
    ) -> KindPacking:
        """Return the ``kept`` groups, which the ``rest`` joins where there is room, and groups of all other feeds."""
        room = self._rules.room
        placed = place(rest, {number: group.feeds for number, group in kept.items()}, room)
        joining: dict[int, list[PackedFeed]] = {}
        for feed in rest:
            if feed.id in placed:
                joining.setdefault(placed[feed.id], []).append(feed)
        joined = {
            number: msgspec.structs.replace(kept[number], feeds=(*kept[number].feeds, *feeds))
            for number, feeds in joining.items()
        }
        groups = [*{**kept, **joined}.values()]
        before = ranked(hot, room)
        after = ranked([feed for feed in rest if feed.id not in placed], room)
        return KindPacking(
            groups=[*before, *(group.feeds for group in groups), *after],
            loads=[*map(load_of, before), *(group.load for group in groups), *map(load_of, after)],
            moved=self._moved([*before, *(group.feeds for group in joined.values()), *after]),
        )

    def _all_anew(self, kinds: Sequence[str]) -> Iterator[Mapping[str, KindPacking]]:
        # Nearly all feeds change their groups then; half of them may stay by chance.
        count = sum(len(group.feeds) for kind in kinds for group in self._listed[kind])
        if not count or count / 2.0 >= self._rules.budget * PAYBACK_SECONDS:
            return
        for pack in self._ways():
            yield {kind: self._packed_anew(kind, pack) for kind in kinds}

    def _packed_anew(self, kind: str, pack: Pack) -> KindPacking:
        if (kind, pack) not in self._anew:  # as the only change, and beside another kind that is read by numbers
            feeds = [feed for group in self._listed[kind] for feed in group.feeds]
            self._anew[kind, pack] = self._packed(feeds, pack)
        return self._anew[kind, pack]

    def _packed(self, feeds: Iterable[PackedFeed], pack: Pack) -> KindPacking:
        """Pack feeds that may wait for about equally long: all of a group are read for the most impatient one."""
        alike: dict[int, list[PackedFeed]] = {}
        for feed in feeds:
            alike.setdefault(int(math.log(feed.every, ALIKE_FACTOR)), []).append(feed)
        groups = [group for level in sorted(alike) for group in pack(alike[level], self._rules.room)]
        return KindPacking(groups, [load_of(group) for group in groups], self._moved(groups))

    def _ways(self) -> tuple[Pack, ...]:
        return (balanced,) if self._rules.freshest is None else (balanced, ranked)

    def _moved(self, groups: Iterable[Sequence[PackedFeed]]) -> int:
        moved = 0
        for feeds in groups:
            # What was read by numbers stays together as it is divided.
            (_, kept), *_ = Counter(self._group_of.get(feed.id) for feed in feeds).most_common(1)
            moved += len(feeds) - kept
        return moved

    def _all_listed(self) -> Iterator[GroupFeeds]:
        return (group for groups in self._listed.values() for group in groups)


def _catches_up(requests: float, loads: Sequence[GroupLoad], rules: ReadingRules) -> bool:
    """Return True if numbers that begin to be read are soon at the head, with what all else leaves of the budget."""
    return requests < (rules.budget - solved.cost(loads, solved.fewest(loads))) * CATCH_UP_MAX_SECONDS


def _loads(packings: Mapping[str, KindPacking]) -> list[GroupLoad]:
    return [load for packing in packings.values() for load in packing.loads]


def _score(loads: Sequence[GroupLoad], rules: ReadingRules) -> float:
    """Return what is to be small: the mean age of the items if the budget buys freshness, else the requests."""
    if rules.freshest is None:
        return solved.cost(loads, solved.fewest(loads))
    chosen = solved.within(loads, rules.budget, freshest=rules.freshest, steps=solved.ROUGH_SOLVE_STEPS)
    rates = [max(load.rate, solved.QUIET_RATE) for load in loads]
    # Numbers fill pages, however often they are asked for: more often than was wanted gains nothing.
    least = [rules.freshest if load.numbers else 0.0 for load in loads]
    ages = (rate * max(interval, wanted) for rate, interval, wanted in zip(rates, chosen, least, strict=True))
    # What cannot be afforded waits for longer and longer.
    excess = max(solved.cost(loads, chosen) / rules.budget - 1.0, 0.0)
    return sum(ages) / sum(rates) + excess * PAYBACK_SECONDS / 2.0
