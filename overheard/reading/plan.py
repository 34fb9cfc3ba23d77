"""The plan of one source: how often each group is read, and whether feeds should be grouped in another way."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from overheard.reading import intervals as solved
from overheard.reading.intervals import GroupLoad
from overheard.reading.packing import PackedFeed, Packing, RequestRoom, balanced, place, ranked
from overheard.reading.paging import fewest_bound

# What a feed that changes its group costs, about a request until its new group is read as one, has to be gained within
# this time, and this share of the requests, or of the items' mean age, besides. Both are chosen, not measured.
PAYBACK_SECONDS = 3600.0
REPACK_GAIN = 0.05
HOT_GROUPS = (1, 2, 4, 8, 16)  # how many groups of the busiest feeds are considered
ALIKE_FACTOR = 4.0  # feeds whose longest intervals differ by less may be read together; chosen, not measured

Pack = Callable[[Sequence[PackedFeed], RequestRoom], Packing]


class GroupFeeds(msgspec.Struct, frozen=True):
    """The feeds that one request names together. ``fixed``: no other feed may join, such as everything of a source.

    ``by_number``: they are read by the numbers of their items.
    """

    id: int
    kind: str
    feeds: tuple[PackedFeed, ...]
    fixed: bool = False
    by_number: bool = False

    @property
    def load(self) -> GroupLoad:
        """Return its rate, and how long it may wait."""
        return GroupLoad(sum(feed.rate for feed in self.feeds), min(feed.every for feed in self.feeds), self.by_number)


class ReadingRules(msgspec.Struct, frozen=True):
    """``budget``: requests a second. ``freshest``: no interval need be shorter; None: spare budget is saved.

    ``other_work``: the requests a second that work without a deadline would take, such as filling gaps. It gets them
    before freshness does, but at most half of what is spare.
    """

    room: RequestRoom
    budget: float
    freshest: float | None
    other_work: float = 0.0


class GroupPlan(msgspec.Struct, frozen=True):
    """How often a group is read. Rates are a second."""

    group: GroupFeeds
    interval: float
    rate: float
    requests: float


class ReadingPlan(msgspec.Struct, frozen=True):
    """``packing``: by kind, the ids of the feeds that should be read together; empty if the groups may stay.

    ``bound``: the requests a second of a reader that knew all that comes; ``demanded``: the fewest with which each
    workspace gets what it asks for; ``requests``: those of this plan.
    """

    groups: tuple[GroupPlan, ...]
    bound: float
    demanded: float
    requests: float
    packing: Mapping[str, tuple[tuple[int, ...], ...]] = {}


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
    return ReadingPlan(
        groups=planned,
        bound=_bound(groups, rules.room),
        demanded=solved.cost(loads, solved.fewest(loads)),
        requests=sum(each.requests for each in planned),
        packing=_better_packing(groups, rules) if repack else {},
    )


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


def _better_packing(groups: Sequence[GroupFeeds], rules: ReadingRules) -> Mapping[str, tuple[tuple[int, ...], ...]]:
    """Return another packing if it is so much better that the change pays; empty if not."""
    movable = [group for group in groups if not group.fixed]
    if not movable:
        return {}
    fixed = [group.load for group in groups if group.fixed]
    group_of = {feed.id: group.id for group in movable for feed in group.feeds}
    now = _score([group.load for group in groups], rules)
    best, best_gain = None, 0.0
    for packings in _packings(movable, rules):
        gain = 1.0 - _score([*_loads(packings), *fixed], rules) / now - REPACK_GAIN
        gain -= _moved(packings, group_of) / (rules.budget * PAYBACK_SECONDS)
        if gain > best_gain:
            best, best_gain = packings, gain
    if best is None:
        return {}
    return {kind: tuple(tuple(feed.id for feed in packed) for packed in packing) for kind, packing in best.items()}


def _packings(groups: Sequence[GroupFeeds], rules: ReadingRules) -> Iterator[Mapping[str, Packing]]:
    """Yield the packings worth considering."""
    count = sum(len(group.feeds) for group in groups)
    if rules.freshest is not None:
        busiest = sorted((feed.rate for group in groups for feed in group.feeds), reverse=True)
        for hot in HOT_GROUPS:
            if hot * rules.room.feeds < count:
                yield _with_hot(groups, busiest[hot * rules.room.feeds], rules.room)
    # Nearly all feeds change their groups then; half of them may stay by chance.
    if count / 2.0 < rules.budget * PAYBACK_SECONDS:
        by_kind = _by_kind(groups)
        for pack in (balanced,) if rules.freshest is None else (balanced, ranked):
            yield {kind: _packed(feeds, pack, rules.room) for kind, feeds in by_kind.items()}


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
    return [
        GroupLoad(sum(feed.rate for feed in feeds), min(feed.every for feed in feeds))
        for packing in packings.values()
        for feeds in packing
    ]


def _moved(packings: Mapping[str, Packing], group_of: Mapping[int, int]) -> int:
    """Return how many feeds change their group; most of each new group may be what an old one keeps."""
    moved = 0
    for packing in packings.values():
        for feeds in packing:
            (_, kept), *_ = Counter(group_of[feed.id] for feed in feeds).most_common(1)
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
    chosen = solved.within(loads, rules.budget, freshest=rules.freshest)
    rates = [max(load.rate, solved.QUIET_RATE) for load in loads]
    age = sum(rate * interval for rate, interval in zip(rates, chosen, strict=True)) / sum(rates)
    # Beyond the budget nothing is fresh: what cannot be afforded counts as waiting.
    return age * max(1.0, solved.cost(loads, chosen) / rules.budget)
