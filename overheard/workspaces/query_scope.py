"""Validate and normalize what a query is limited to: only what its workspace watches can ever match."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress

from msgspec.structs import replace

from overheard.errors import InvalidInput
from overheard.items import ALL, place_key
from overheard.sources.registry import SOURCES, place_label, watchable
from overheard.workspaces.parts import quoted
from overheard.workspaces.places import canonical_place
from overheard.workspaces.problems import SpecProblem, valid_names
from overheard.workspaces.spec import KINDS, QuerySpec, WatchKind, WorkspaceSpec

SCOPE_MAX_NAMES = 200  # places or sources of one query; chosen, not measured: more are a query for all of them
NAMES_SHOWN = 10

# The kinds of items that a workspace wants of each place, by source and key. Of a source, ALL stands for every place.
Watched = Mapping[str, Mapping[str, Collection[WatchKind]]]


def watched_kinds(spec: WorkspaceSpec) -> Watched:
    """Return what the workspace watches; places that are not valid are left out."""
    watched: dict[str, dict[str, set[WatchKind]]] = {}
    for source, places, kinds in spec.watches:
        of_source = watched.setdefault(source, {})
        for place in places:
            with suppress(InvalidInput):
                read = SOURCES[source].kinds_read(kinds)
                of_source.setdefault(place_key(canonical_place(source, place)), set()).update(
                    kind for kind in kinds if kind in read
                )
    return watched


def scope_problems(query: QuerySpec, watched: Watched) -> Iterator[SpecProblem]:
    """Yield why no item that the workspace watches is within the query's limits, or within a part of them."""
    where = f"query {quoted(query.name)}"
    found = list(_name_problems(query, watched)) or list(_kind_problems(query, watched))
    for key, text in found:
        yield SpecProblem(f"{where}: {key}: {text}", (key,))


def normalized_scope(query: QuerySpec, watched: Watched) -> QuerySpec:
    """Return a valid query with its places as their sources write them, and everything once."""
    places = {
        place_key(canonical): canonical
        for place in query.places
        for source, canonical in _readings(place, query.sources or watched)
        if place_key(canonical) != ALL and _kinds_of(source, canonical, watched)
    }
    kinds = tuple(kind for kind in KINDS if kind in query.kinds)
    return replace(query, places=tuple(places.values()), sources=tuple(dict.fromkeys(query.sources)), kinds=kinds)


def _name_problems(query: QuerySpec, watched: Watched) -> Iterator[tuple[str, str]]:
    """Yield (key, what is wrong with its names)."""
    for field, names in (("places", query.places), ("sources", query.sources)):
        if len(names) > SCOPE_MAX_NAMES:
            yield field, f"{len(names):,} names, {SCOPE_MAX_NAMES} are allowed; make several queries"
            return
    for name in dict.fromkeys(query.sources):
        if name not in watchable():
            yield "sources", f"{quoted(name)} is not known; {valid_names(name, watchable())}"
        elif name not in watched:
            yield "sources", f"the workspace does not watch {name}; it watches {', '.join(watched)}"
    candidates = [name for name in dict.fromkeys(query.sources or watched) if name in watched]
    keys = {place.strip().lower() for place in query.places}
    if ALL in keys and len(keys) > 1:
        yield "places", f"{ALL!r} beside other places; leave them out, or make two queries"
        return
    for place in dict.fromkeys(query.places):
        yield from (("places", problem) for problem in place_problems(place, candidates, watched))
    if query.places and query.sources and len(candidates) > 1:
        with_places = {name for place in query.places for name, _ in _readings(place, candidates)}
        for name in candidates:
            if name not in with_places:
                problem = f"none of its places is one of {name}, so that nothing of it can match; make two queries"
                yield "sources", problem


def place_problems(place: str, candidates: Collection[str], watched: Watched) -> Iterator[str]:
    """Yield why a place of one of these sources is not watched."""
    if not any(watched[source] for source in candidates):
        return  # reported already
    readings = list(_readings(place, candidates))
    if not readings:
        yield f"{quoted(place)} is not a place of {' or '.join(candidates)}; {_what_is(candidates, watched)}"
    elif place.strip().lower() != ALL and not any(_kinds_of(*reading, watched) for reading in readings):
        names = " or ".join(dict.fromkeys(place_label(source, canonical) for source, canonical in readings))
        yield f"the workspace does not watch {names}; {_what_is(candidates, watched)}"


def _kind_problems(query: QuerySpec, watched: Watched) -> Iterator[tuple[str, str]]:
    """Yield (key, what is wrong with its kinds)."""
    candidates = query.sources or watched
    readings = [reading for place in query.places for reading in _readings(place, candidates)]
    if any(place_key(place) == ALL for _, place in readings):
        readings = []
    kinds = (
        {kind for reading in readings for kind in _kinds_of(*reading, watched)}
        if readings
        else {kind for source in candidates for kinds in watched[source].values() for kind in kinds}
    )
    for kind in dict.fromkeys(query.kinds):
        if kind not in kinds:
            there = " of these places" if readings else f" of {' and '.join(query.sources)}" if query.sources else ""
            yield "kinds", f"the workspace does not watch {kind}{there}"


def _readings(place: str, sources: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield (source, canonical place) for each of the sources that has places of this form."""
    for source in sources:
        with suppress(InvalidInput):
            yield source, canonical_place(source, place)


def _kinds_of(source: str, place: str, watched: Watched) -> set[WatchKind]:
    """Return the kinds that the workspace wants of a place, by its own name or because it watches all of the source."""
    of_source = watched.get(source, {})
    return {*of_source.get(place_key(place), ()), *of_source.get(ALL, ())}


def _what_is(sources: Collection[str], watched: Watched) -> str:
    """Return what the workspace watches of these sources, for the end of an error message."""
    labels = [place_label(source, place) for source in sources for place in watched[source]]
    more = f" and {len(labels) - NAMES_SHOWN:,} more" if len(labels) > NAMES_SHOWN else ""
    return f"it watches {', '.join(labels[:NAMES_SHOWN])}{more}"
