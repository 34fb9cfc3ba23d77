"""Places as their sources write them, and those that a watch of everything makes needless."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from overheard.errors import InvalidInput
from overheard.items import ALL
from overheard.sources.registry import SOURCES, place_label, source_type
from overheard.sources.source_type import check_any_place
from overheard.workspaces.pasted_sites import PLACES_ARE_ADDRESSES
from overheard.workspaces.pasted_urls import place_from
from overheard.workspaces.problems import SpecProblem
from overheard.workspaces.spec import KINDS, WatchKind, WorkspaceSpec

NAMES_SHOWN = 3


def canonical_place(source: str, text: str) -> str:
    """Return a place as its source writes it; an address from a browser may stand for one. Raises InvalidInput."""
    check = SOURCES[source].check_place
    if check is check_any_place:  # an address is a place as any other text: of what was recorded of a feed
        return check(text)
    # A name is what it says; but a host may be a place of some sources, and a page of another at the same time.
    if "://" not in text and source not in PLACES_ARE_ADDRESSES:
        with suppress(InvalidInput):
            return check(text)
    return check(place_from(source, text))


def beside_all_problems(spec: WorkspaceSpec) -> Iterator[SpecProblem]:
    """Yield what is watched of a source that can be asked for its places, beside all of it: it would be read twice."""
    wanted = _kinds_by_place(spec)
    for (source, place), of_all in wanted.items():
        if place != ALL or not of_all or source_type(source).places_size is None:
            continue
        beside = [
            place_label(source, other)
            for (name, other), kinds in wanted.items()
            if name == source and other != ALL and kinds <= of_all
        ]
        if beside:
            more = f" and {len(beside) - NAMES_SHOWN:,} more" if len(beside) > NAMES_SHOWN else ""
            read = " and ".join(kind for kind in KINDS if kind in of_all)
            yield SpecProblem(
                f"watch of {source}: {ALL!r} beside {', '.join(beside[:NAMES_SHOWN])}{more}: all {read} are read"
                f" already; leave the names out, or {ALL!r}",
                ("subreddits",) if spec.subreddits else (),
            )


def _kinds_by_place(spec: WorkspaceSpec) -> dict[tuple[str, str], set[WatchKind]]:
    wanted: dict[tuple[str, str], set[WatchKind]] = {}
    for source, places, kinds in spec.watches:
        for place in places:
            with suppress(InvalidInput, KeyError):  # reported elsewhere
                wanted.setdefault((source, canonical_place(source, place).lower()), set()).update(kinds)
    return wanted
