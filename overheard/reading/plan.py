"""The plan of one source: how often each group is read, and whether feeds should be grouped in another way."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from overheard.reading import intervals as solved
from overheard.reading.intervals import GroupLoad
from overheard.reading.packing import PackedFeed, Packing, RequestRoom, balanced, ranked
from overheard.reading.paging import fewest_bound

# Feeds change their groups only if that saves so much of the requests, or of the items' mean age. It has to be much:
# nearly every feed that changes costs a request until its new group is read as one, and for so long items are later.
# In a simulation of 2,000 busy subreddits that took twenty minutes, for a fifth less of the mean age.
REPACK_GAIN = 0.40
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
    by_kind = _by_kind([group for group in groups if not group.fixed])
    if not by_kind:
        return {}
    fixed = [group.load for group in groups if group.fixed]
    best = min(_packings(by_kind, fixed, rules), key=lambda candidate: candidate[0], default=None)
    now = _score([group.load for group in groups], rules)
    if best is None or best[0] > now * (1.0 - REPACK_GAIN):
        return {}
    return {kind: tuple(tuple(feed.id for feed in packed) for packed in packing) for kind, packing in best[1].items()}


def _packings(
    by_kind: Mapping[str, Sequence[PackedFeed]], fixed: Sequence[GroupLoad], rules: ReadingRules
) -> Iterator[tuple[float, Mapping[str, Packing]]]:
    """Yield the packings worth considering, each with its score."""
    for pack in (balanced,) if rules.freshest is None else (balanced, ranked):
        packings = {kind: _packed(feeds, pack, rules.room) for kind, feeds in by_kind.items()}
        loads = [
            GroupLoad(sum(feed.rate for feed in each), min(feed.every for feed in each))
            for packing in packings.values()
            for each in packing
        ]
        yield _score([*loads, *fixed], rules), packings


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
