"""The plan of one source: how often each group is read, and whether feeds should be grouped in another way."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from overheard.reading import intervals as solved
from overheard.reading.intervals import GroupLoad
from overheard.reading.packing import (
    ANY_ROOM,
    BY_NUMBER_MAX_FEEDS,
    PackedFeed,
    Packing,
    RequestRoom,
    balanced,
    place,
    ranked,
)
from overheard.reading.paging import fewest_bound, pages_by_number

# What a feed that changes its group costs, about a request until its new group is read as one, has to be gained within
# this time, and this share of the requests, or of the items' mean age, besides. Both are chosen, not measured.
PAYBACK_SECONDS = 3600.0
REPACK_GAIN = 0.05
CATCH_UP_SECONDS = 660.0  # a first reading by numbers begins with those that were given out so long ago
CATCH_UP_MAX_SECONDS = 600.0  # until the head is reached; chosen, not measured
HOT_GROUPS = (1, 2, 4, 8, 16)  # how many groups of the busiest feeds are considered
ALIKE_FACTOR = 4.0  # feeds whose longest intervals differ by less may be read together; chosen, not measured

Pack = Callable[[Sequence[PackedFeed], RequestRoom], Packing]


class GroupFeeds(msgspec.Struct, frozen=True):
    """The feeds that one request names together. ``fixed``: they stay together, such as everything of a source.

    ``numbers``: of items, that have to be looked up a second if they are read by these, whosever they are; else 0.
    """

    id: int
    kind: str
    feeds: tuple[PackedFeed, ...]
    fixed: bool = False
    numbers: float = 0.0

    @property
    def load(self) -> GroupLoad:
        """Return its rate, and how long it may wait."""
        return _load(self.feeds, self.numbers)


class ReadingRules(msgspec.Struct, frozen=True):
    """``budget``: requests a second. ``freshest``: no interval need be shorter; None: spare budget is saved.

    ``other_work``: the requests a second that work without a deadline would take, such as filling gaps. It gets them
    before freshness does, but at most half of what is spare. ``numbers``: by kind, of all of the source's items, how
    many are given out a second, where feeds may be read by them.
    """

    room: RequestRoom
    budget: float
    freshest: float | None
    other_work: float = 0.0
    numbers: Mapping[str, float] = {}


class GroupPlan(msgspec.Struct, frozen=True):
    """How often a group is read. Rates are a second."""

    group: GroupFeeds
    interval: float
    rate: float
    requests: float


class ReadingPlan(msgspec.Struct, frozen=True):
    """``packing``: by kind, the ids of the feeds that should be read together; empty if the groups may stay.
    ``by_number``: the ids of those that should join what is read by numbers.

    ``bound``: the requests a second of a reader that knew all that comes; ``demanded``: the fewest with which each
    workspace gets what it asks for; ``requests``: those of this plan.
    """

    groups: tuple[GroupPlan, ...]
    bound: float
    demanded: float
    requests: float
    packing: Mapping[str, tuple[tuple[int, ...], ...]] = {}
    by_number: frozenset[int] = frozenset()


class Regrouping(NamedTuple):
    """A way to group feeds anew: by kind, what is read together as a listing, and what joins a reading by numbers.

    ``loads``: of all groups after that. ``catching_up``: requests until numbers that begin to be read are at the head.
    """

    packings: Mapping[str, Packing]
    joining: Sequence[PackedFeed]
    loads: Sequence[GroupLoad]
    catching_up: float = 0.0


def plan(groups: Sequence[GroupFeeds], rules: ReadingRules, *, repack: bool = True) -> ReadingPlan:
    """Plan the readings of one source's groups, whatever their kinds: they share its budget.

    ``repack``: consider grouping the feeds in another way, which takes several times as long.
    """
    groups = [group for group in groups if group.feeds]
    loads = [group.load for group in groups]
    chosen = solved.within(loads, rules.budget, freshest=rules.freshest, other_work=rules.other_work)
    planned = tuple(
        GroupPlan(group, interval, load.rate, load.requests_per_second(interval))
        for group, load, interval in zip(groups, loads, chosen, strict=True)
    )
    better = _better_grouping(groups, rules) if repack and groups else None
    return ReadingPlan(
        groups=planned,
        bound=_bound(groups, rules.room),
        demanded=solved.cost(loads, solved.fewest(loads)),
        requests=sum(each.requests for each in planned),
        packing={kind: _ids(packing) for kind, packing in better.packings.items()} if better else {},
        by_number=frozenset(feed.id for feed in better.joining) if better else frozenset(),
    )


def _ids(packing: Packing) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(feed.id for feed in packed) for packed in packing)


def _load(feeds: Sequence[PackedFeed], numbers: float = 0.0) -> GroupLoad:
    return GroupLoad(sum(feed.rate for feed in feeds), min(feed.every for feed in feeds), numbers)


def _bound(groups: Sequence[GroupFeeds], room: RequestRoom) -> float:
    by_kind = _by_kind(groups)
    return sum(
        fewest_bound([feed.rate for feed in feeds], [feed.every for feed in feeds], room.feeds)
        for feeds in by_kind.values()
    )


def _by_kind(groups: Sequence[GroupFeeds]) -> dict[str, list[PackedFeed]]:
    by_kind: dict[str, list[PackedFeed]] = {}
    for group in groups:
        by_kind.setdefault(group.kind, []).extend(group.feeds)
    return by_kind


def _better_grouping(groups: Sequence[GroupFeeds], rules: ReadingRules) -> Regrouping | None:
    """Return other groups if they are so much better that the change pays."""
    listed = [group for group in groups if not group.fixed and not group.numbers]
    others = [group for group in groups if group.fixed or group.numbers]
    group_of = {feed.id: group.id for group in listed for feed in group.feeds}
    now = _score([group.load for group in groups], rules)
    best, best_gain = None, 0.0
    for regrouping in _regroupings(listed, others, rules):
        gain = 1.0 - _score(regrouping.loads, rules) / now - REPACK_GAIN
        cost = _moved(regrouping.packings, group_of) + regrouping.catching_up
        gain -= cost / (rules.budget * PAYBACK_SECONDS)
        if gain > best_gain:
            best, best_gain = regrouping, gain
    return best


def _catches_up(requests: float, loads: Sequence[GroupLoad], rules: ReadingRules) -> bool:
    """Return True if numbers that begin to be read are soon at the head, with what all else leaves of the budget."""
    return requests < (rules.budget - solved.cost(loads, solved.fewest(loads))) * CATCH_UP_MAX_SECONDS


def _regroupings(
    listed: Sequence[GroupFeeds], others: Sequence[GroupFeeds], rules: ReadingRules
) -> Iterator[Regrouping]:
    """Yield the ways to group feeds that are worth considering."""
    fixed = [group.load for group in others]
    for packings in _packings(listed, rules):
        yield Regrouping(packings, (), [*_loads(packings), *fixed])
    for kind in rules.numbers:
        yield from _joining(kind, listed, others, rules)
    for group in others:
        if group.numbers and not group.fixed:
            rest = [other.load for other in (*listed, *others) if other is not group]
            for pack in _ways(rules):
                packings = {group.kind: _packed(group.feeds, pack, rules.room)}
                yield Regrouping(packings, (), [*_loads(packings), *rest])


def _joining(
    kind: str, listed: Sequence[GroupFeeds], others: Sequence[GroupFeeds], rules: ReadingRules
) -> Iterator[Regrouping]:
    """Yield how the feeds of a kind would be read by numbers, and those of other kinds as now, or packed anew."""
    numbered = [group for group in others if group.kind == kind and group.numbers]
    already = [feed for group in numbered for feed in group.feeds]
    feeds = ranked([feed for group in listed if group.kind == kind for feed in group.feeds], ANY_ROOM)
    joining = feeds[0][: max(BY_NUMBER_MAX_FEEDS - len(already), 0)] if feeds else []
    if not joining:
        return
    left = feeds[0][len(joining) :]
    packings = {kind: _packed(left, balanced, rules.room)} if left else {}
    numbers = max([rules.numbers[kind], *(group.numbers for group in numbered)])
    loads = [_load([*already, *joining], numbers), *_loads(packings)]
    loads += [group.load for group in others if group not in numbered]
    rest = [group for group in listed if group.kind != kind]
    catching_up = 0.0 if numbered else pages_by_number(numbers * CATCH_UP_SECONDS)
    as_now = [*loads, *(group.load for group in rest)]
    if catching_up and not _catches_up(catching_up, as_now, rules):
        return
    yield Regrouping(packings, joining, as_now, catching_up)
    for anew in _all_anew(rest, rules):
        yield Regrouping({**packings, **anew}, joining, [*loads, *_loads(anew)], catching_up)


def _packings(groups: Sequence[GroupFeeds], rules: ReadingRules) -> Iterator[Mapping[str, Packing]]:
    """Yield the packings worth considering."""
    count = sum(len(group.feeds) for group in groups)
    if rules.freshest is not None:
        busiest = sorted((feed.rate for group in groups for feed in group.feeds), reverse=True)
        for hot in HOT_GROUPS:
            if hot * rules.room.feeds < count:
                yield _with_hot(groups, busiest[hot * rules.room.feeds], rules.room)
    yield from _all_anew(groups, rules)


def _all_anew(groups: Sequence[GroupFeeds], rules: ReadingRules) -> Iterator[Mapping[str, Packing]]:
    # Nearly all feeds change their groups then; half of them may stay by chance.
    count = sum(len(group.feeds) for group in groups)
    if not count or count / 2.0 >= rules.budget * PAYBACK_SECONDS:
        return
    by_kind = _by_kind(groups)
    for pack in _ways(rules):
        yield {kind: _packed(feeds, pack, rules.room) for kind, feeds in by_kind.items()}


def _ways(rules: ReadingRules) -> tuple[Pack, ...]:
    return (balanced,) if rules.freshest is None else (balanced, ranked)


def _with_hot(groups: Sequence[GroupFeeds], rate: float, room: RequestRoom) -> Mapping[str, Packing]:
    """Return the groups as they are, but with all feeds of more than this rate in groups of their own.

    What is left of a group that they leave half empty joins others.
    """
    packings: dict[str, Packing] = {}
    for kind in {group.kind for group in groups}:
        hot: list[PackedFeed] = []
        kept: dict[int, Sequence[PackedFeed]] = {}
        rest: list[PackedFeed] = []
        for group in groups:
            if group.kind != kind:
                continue
            quiet = [feed for feed in group.feeds if feed.rate <= rate]
            hot += [feed for feed in group.feeds if feed.rate > rate]
            if len(quiet) < min(len(group.feeds), room.feeds / 2.0):
                rest += quiet
            else:
                kept[group.id] = quiet
        placed = place(rest, kept, room)
        joined = {number: [*feeds] for number, feeds in kept.items()}
        for feed in rest:
            if feed.id in placed:
                joined[placed[feed.id]].append(feed)
        left = [feed for feed in rest if feed.id not in placed]
        packings[kind] = [*ranked(hot, room), *joined.values(), *ranked(left, room)]
    return packings


def _loads(packings: Mapping[str, Packing]) -> list[GroupLoad]:
    return [_load(feeds) for packing in packings.values() for feeds in packing]


def _moved(packings: Mapping[str, Packing], group_of: Mapping[int, int]) -> int:
    """Return how many feeds change their group; most of each new group may be what an old one keeps."""
    moved = 0
    for packing in packings.values():
        for feeds in packing:
            # What was read by numbers stays together as it is divided.
            (_, kept), *_ = Counter(group_of.get(feed.id) for feed in feeds).most_common(1)
            moved += len(feeds) - kept
    return moved


def _packed(feeds: Sequence[PackedFeed], pack: Pack, room: RequestRoom) -> Packing:
    """Pack feeds that may wait for about equally long together: all of a group are read for the most impatient one."""
    alike: dict[int, list[PackedFeed]] = {}
    for feed in feeds:
        alike.setdefault(int(math.log(feed.every, ALIKE_FACTOR)), []).append(feed)
    return [group for level in sorted(alike) for group in pack(alike[level], room)]


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
