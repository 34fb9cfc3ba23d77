"""The plan of one source: how often each group is read, and whether feeds should be grouped in another way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from overheard.reading import intervals as solved
from overheard.reading.group_feeds import GroupFeeds
from overheard.reading.packing import PackedFeed, RequestRoom
from overheard.reading.paging import fewest_bound
from overheard.reading.regrouping import Regroupings
from overheard.reading.rules import ReadingRules


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
    better = Regroupings(groups, rules).best() if repack and groups else None
    return ReadingPlan(
        groups=planned,
        bound=_bound(groups, rules.room),
        demanded=solved.cost(loads, solved.fewest(loads)),
        requests=sum(each.requests for each in planned),
        packing={kind: _ids(packing.groups) for kind, packing in better.packings.items()} if better else {},
        by_number=frozenset(feed.id for feed in better.joining) if better else frozenset(),
    )


def _ids(groups: Iterable[Sequence[PackedFeed]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(feed.id for feed in feeds) for feeds in groups)


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
