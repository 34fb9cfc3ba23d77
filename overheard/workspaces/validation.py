"""Validate a workspace spec: check every field against its bounds, and normalize a valid spec."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

import msgspec

from overheard import canary, quiet_hours, schedule
from overheard.channels import ChannelOptions
from overheard.errors import InvalidInput
from overheard.sources.registry import SOURCES, watchable
from overheard.workspaces.mutes import mute_problems
from overheard.workspaces.parts import (
    NAME_MAX_CHARS,
    SCHEDULE_MAX_CHARS,
    channel_problems,
    name_problems,
    pattern_problems,
    query_problems,
    quoted,
    text_problems,
    too_long,
)
from overheard.workspaces.places import canonical_place
from overheard.workspaces.query_scope import normalized_scope, scope_problems, watched_kinds
from overheard.workspaces.spec import KINDS, QuerySpec, WorkspaceSpec, watch_fields

SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
# A generated file may have the same mistake in every row. Chosen, not measured.
MAX_PROBLEMS_SHOWN = 200
# Only for checking the form of addresses: nothing is sent with it, so its timeout never counts.
ANY_ADDRESS = ChannelOptions(allow_private=True, timeout=1, user_agent="Overheard")
LimitCheck = Callable[[WorkspaceSpec], Iterable[str]]  # returns a problem for each exceeded key of [limits]


def unlimited(spec: WorkspaceSpec) -> Iterable[str]:
    """Return no problems: for specs that no limit applies to."""
    return ()


def validated(
    spec: WorkspaceSpec, options: ChannelOptions = ANY_ADDRESS, check_limits: LimitCheck = unlimited
) -> WorkspaceSpec:
    """Return the workspace, normalized. Raises InvalidInput with a line for each problem."""
    if found := list(problems(spec, options, check_limits)):
        raise InvalidInput(first_lines(found))
    return normalized(spec)


def validated_query(spec: WorkspaceSpec, query: QuerySpec, check_limits: LimitCheck = unlimited) -> QuerySpec:
    """Return a query that a valid workspace is to have, normalized. Raises InvalidInput with a line for each problem.

    The workspace's other parts are not checked again: a rule may be newer than they are.
    """
    others = tuple(each for each in spec.query if each.name != query.name)
    watched = watched_kinds(spec)
    found = list(check_limits(msgspec.structs.replace(spec, query=(*others, query)))) or [
        *name_problems("query", [query.name]),
        *scope_problems(query, watched),
        *query_problems(query),
        *pattern_problems([query], others),
    ]
    if found:
        raise InvalidInput(first_lines(found))
    return normalized_scope(query, watched)


def problems(spec: WorkspaceSpec, options: ChannelOptions, check_limits: LimitCheck) -> Iterator[str]:
    """Yield everything that can never work. Lengths come first: an overlong text is neither parsed nor repeated."""
    yield from _slug_problems(spec.slug)
    if spec.name:
        yield from text_problems("name", spec.name, NAME_MAX_CHARS)
    checks = (("timezone", spec.timezone, schedule.zone), ("every", spec.every, schedule.check))
    for field, text, check in (*checks, ("digest", spec.digest, schedule.check)):
        if len(text) > SCHEDULE_MAX_CHARS:
            yield too_long(field, text, SCHEDULE_MAX_CHARS)
            continue
        try:
            check(text)
        except InvalidInput as error:
            yield f"{field}: {error}"
    yield from _hours_problems(spec)
    yield from dict.fromkeys(_watch_problems(spec))
    yield from _source_problems(spec)
    known = msgspec.structs.replace(spec, watch=tuple(watch for watch in spec.watch if watch.source in watchable()))
    # [limits] comes before the parts are checked one by one: parsing a hundred thousand queries takes minutes. It
    # counts the feeds of the sources that are known; places, of which there may be as many, come after it.
    if exceeded := list(check_limits(known)):
        yield from exceeded
        return
    # Each once, as several watches may name the same wrong place.
    yield from dict.fromkeys(_place_problems(known))
    yield from name_problems("query", (query.name for query in spec.query))
    yield from name_problems("channel", (channel.name for channel in spec.channel))
    watched = watched_kinds(known)
    for query in spec.query:
        yield from scope_problems(query, watched)
        yield from query_problems(query)
    yield from pattern_problems(spec.query)
    names = {query.name for query in spec.query}
    for channel in spec.channel:
        yield from channel_problems(channel, options, names)
    for mute in spec.mute:
        yield from mute_problems(mute, spec.timezone, names)


def _hours_problems(spec: WorkspaceSpec) -> Iterator[str]:
    try:
        for field, text in (("quiet", spec.quiet), ("working", spec.working)):
            if len(text) > SCHEDULE_MAX_CHARS:
                yield too_long(field, text, SCHEDULE_MAX_CHARS)
                return
        quiet_hours.check(spec.quiet, spec.working)
    except InvalidInput as error:
        yield f"quiet, working: {error}"


def _slug_problems(slug: str) -> Iterator[str]:
    if not SLUG.fullmatch(slug):
        yield f"slug {quoted(slug)}: lower-case letters, digits, - and _ only, at most 63"
    elif slug.isdecimal():
        yield f"slug {slug!r}: digits alone are a workspace's number; put a letter into it"
    elif slug == canary.WORKSPACE:
        yield f"slug {slug!r}: Overheard's own ([canary] in pipeline.toml); take another"


def _watch_problems(spec: WorkspaceSpec) -> Iterator[str]:
    if not spec.subreddits and not spec.watch:
        yield 'subreddits: name at least one, or ["all"]; or write a [[workspace.watch]]'
    if not spec.kinds:
        yield 'kinds: "posts", "comments" or both'
    for watch in spec.watch:
        where = f"watch of {quoted(watch.source)}"
        if not spec.places_of(watch):
            yield f"{where}: places: name at least one"
        if watch.kinds == ():
            yield f'{where}: kinds: "posts", "comments" or both'
    for source, _, kinds in spec.watches:
        # A watch that nothing is read of would look as if nothing was ever found.
        if source in SOURCES and kinds and not SOURCES[source].feeds_for(kinds):
            has = msgspec.json.encode(SOURCES[source].kinds_read(KINDS)).decode()
            yield f"watch of {source}: kinds: it has no {' and '.join(kinds)}; write kinds = {has} in this watch"


def _source_problems(spec: WorkspaceSpec) -> Iterator[str]:
    valid = watchable()
    for name in dict.fromkeys(watch.source for watch in spec.watch):
        if name not in valid:
            yield f"watch: source {quoted(name)} is not known; valid: {', '.join(valid)}"


def _place_problems(spec: WorkspaceSpec) -> Iterator[str]:
    for source, places, _ in spec.watches:
        # Identity, because a watch may name equal places.
        where = "subreddits" if places is spec.subreddits else f"watch of {source}: places"
        for place in places:
            try:
                canonical_place(source, place)
            except InvalidInput as error:
                yield f"{where}: {error}"


def normalized(spec: WorkspaceSpec) -> WorkspaceSpec:
    """Return a valid workspace with a name, and with all places as their sources write them."""
    watching = watched_kinds(spec)
    queries = tuple(normalized_scope(query, watching) for query in spec.query)
    watched = (
        (source, canonical_place(source, place), kinds) for source, places, kinds in spec.watches for place in places
    )
    return msgspec.structs.replace(spec, name=spec.name or spec.slug, query=queries, **watch_fields(watched))


def first_lines(problems: list[str]) -> str:
    """Return the first problems, a line each, and how many more there are."""
    more = len(problems) - MAX_PROBLEMS_SHOWN
    return "\n".join([*problems[:MAX_PROBLEMS_SHOWN], *([f"… and {more:,} more problems"] if more > 0 else [])])
