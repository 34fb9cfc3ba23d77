"""Validate a workspace spec: check every field against its bounds, and normalize a valid spec."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

import msgspec

from overheard import canary, quiet_hours, schedule
from overheard.channels import ChannelOptions
from overheard.errors import InvalidInput
from overheard.sources.registry import SOURCES, watchable
from overheard.workspaces.mutes import CONDITION_MAX_CHARS, mute_label, mute_problems, normalized_mute
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
from overheard.workspaces.places import beside_all_problems, canonical_place
from overheard.workspaces.problems import SpecProblem, valid_names, within
from overheard.workspaces.query_scope import Watched, normalized_scope, place_problems, scope_problems, watched_kinds
from overheard.workspaces.spec import KINDS, ChannelSpec, MuteSpec, QuerySpec, WatchKind, WorkspaceSpec, watch_fields

SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
# A generated file may have the same mistake in every row. Chosen, not measured.
MAX_PROBLEMS_SHOWN = 200
# Only for checking the form of addresses: nothing is sent with it, so its timeout never counts.
ANY_ADDRESS = ChannelOptions(allow_private=True, timeout=1, user_agent="Overheard")
CHECKED_TEXTS: dict[str, Callable[[str], object]] = {
    "timezone": schedule.zone,
    "every": schedule.check,
    "digest": schedule.check,
    "quiet": quiet_hours.parse,
    "working": quiet_hours.parse,
}
LimitCheck = Callable[[WorkspaceSpec], Iterable[str]]  # returns a problem for each exceeded key of [limits]


def unlimited(spec: WorkspaceSpec) -> Iterable[str]:
    """Return no problems: for specs that no limit applies to."""
    return ()


def validated(
    spec: WorkspaceSpec, options: ChannelOptions = ANY_ADDRESS, check_limits: LimitCheck = unlimited
) -> WorkspaceSpec:
    """Return the workspace, normalized. Raises InvalidInput with a line for each problem."""
    _refuse(problems(spec, options, check_limits))
    return normalized(spec)


def validated_query(spec: WorkspaceSpec, query: QuerySpec, check_limits: LimitCheck = unlimited) -> QuerySpec:
    """Return a query that a valid workspace is to have, normalized. Raises InvalidInput with a line for each problem.

    The workspace's other parts are not checked again: a rule may be newer than they are.
    """
    others = tuple(each for each in spec.query if each.name != query.name)
    watched = watched_kinds(spec)
    _refuse(within((), check_limits(msgspec.structs.replace(spec, query=(*others, query)))))
    _refuse(
        [
            *name_problems("query", [query.name]),
            *scope_problems(query, watched),
            *within((), query_problems(query)),
            *pattern_problems([query], others),
        ]
    )
    return normalized_scope(query, watched)


def check_query_name(name: str) -> None:
    """Raise InvalidInput if a query cannot have this name."""
    _refuse(name_problems("query", [name]))


def validated_channel(
    spec: WorkspaceSpec, channel: ChannelSpec, options: ChannelOptions, check_limits: LimitCheck = unlimited
) -> ChannelSpec:
    """Return a channel that a valid workspace is to have. Raises InvalidInput with a line for each problem."""
    others = tuple(each for each in spec.channel if each.name != channel.name)
    _refuse(within((), check_limits(msgspec.structs.replace(spec, channel=(*others, channel)))))
    names = [query.name for query in spec.query]
    _refuse([*name_problems("channel", [channel.name]), *channel_problems(channel, options, names)])
    return channel


def validated_mute(spec: WorkspaceSpec, mute: MuteSpec) -> MuteSpec:
    """Return a mute that a valid workspace is to have, normalized. Raises InvalidInput with a line for each problem."""
    watched = watched_kinds(spec)
    _refuse(_mute_problems(spec, mute, watched))
    return normalized_mute(mute, spec.timezone, watched)


def _refuse(found: Iterable[SpecProblem]) -> None:
    if lines := [problem.text for problem in found]:
        raise InvalidInput(first_lines(lines))


def problems(spec: WorkspaceSpec, options: ChannelOptions, check_limits: LimitCheck) -> Iterator[SpecProblem]:
    """Yield everything that can never work. Lengths come first: an overlong text is neither parsed nor repeated."""
    yield from within(("slug",), _slug_problems(spec.slug))
    if spec.name:
        yield from within(("name",), text_problems("name", spec.name, NAME_MAX_CHARS))
    invalid: set[str] = set()
    for field, check in CHECKED_TEXTS.items():
        if text_problem := _checked(field, getattr(spec, field), check):
            invalid.add(field)
            yield SpecProblem(text_problem, (field,))
    if not invalid & {"quiet", "working"}:
        yield from within(("quiet" if spec.quiet else "working",), _hours_problems(spec))
    yield from dict.fromkeys(_watch_problems(spec))
    yield from _source_problems(spec)
    known = msgspec.structs.replace(spec, watch=tuple(watch for watch in spec.watch if watch.source in watchable()))
    # [limits] comes before the parts are checked one by one: parsing a hundred thousand queries takes minutes. It
    # counts the feeds of the sources that are known; places, of which there may be as many, come after it.
    if exceeded := list(check_limits(known)):
        yield from within((), exceeded)
        return
    # Each once, as several watches may name the same wrong place.
    yield from {problem.text: problem for problem in _place_problems(spec)}.values()
    yield from beside_all_problems(spec)
    yield from name_problems("query", (query.name for query in spec.query))
    yield from name_problems("channel", (channel.name for channel in spec.channel))
    watched = watched_kinds(known)
    for row, query in enumerate(spec.query):
        yield from within(("query", row), scope_problems(query, watched))
        yield from within(("query", row, "text"), query_problems(query))
    yield from pattern_problems(spec.query)
    names = [query.name for query in spec.query]
    for row, channel in enumerate(spec.channel):
        yield from within(("channel", row), channel_problems(channel, options, names))
    for row, mute in enumerate(spec.mute):
        # Without its timezone, what it says of times cannot be checked.
        if "timezone" not in invalid:
            yield from within(("mute", row), _mute_problems(spec, mute, watched))


def _checked(field: str, text: str, check: Callable[[str], object]) -> str | None:
    """Return what is wrong with a text, by its length and by ``check``."""
    if len(text) > SCHEDULE_MAX_CHARS:
        return too_long(field, text, SCHEDULE_MAX_CHARS)
    try:
        check(text)
    except InvalidInput as error:
        return f"{field}: {error}"
    return None


def _hours_problems(spec: WorkspaceSpec) -> Iterator[str]:
    try:
        quiet_hours.check(spec.quiet, spec.working)
    except InvalidInput as error:
        yield f"quiet, working: {error}"


def _mute_problems(spec: WorkspaceSpec, mute: MuteSpec, watched: Watched) -> Iterator[SpecProblem]:
    yield from mute_problems(mute, spec.timezone, [query.name for query in spec.query])
    if mute.place and len(mute.place) <= CONDITION_MAX_CHARS:
        for problem in place_problems(mute.place, list(watched), watched):
            yield SpecProblem(f"{mute_label(mute)}: place: {problem}", ("place",))


def _slug_problems(slug: str) -> Iterator[str]:
    if not SLUG.fullmatch(slug):
        yield f"slug {quoted(slug)}: lower-case letters, digits, - and _ only, at most 63"
    elif slug.isdecimal():
        yield f"slug {slug!r}: digits alone are a workspace's number; put a letter into it"
    elif slug == canary.WORKSPACE:
        yield f"slug {slug!r}: Overheard's own ([canary] in pipeline.toml); take another"


def _watch_problems(spec: WorkspaceSpec) -> Iterator[SpecProblem]:
    if not spec.subreddits and not spec.watch:
        yield SpecProblem('subreddits: name at least one, or ["all"]; or write a [[workspace.watch]]', ("subreddits",))
    if not spec.kinds:
        yield SpecProblem('kinds: "posts", "comments" or both', ("kinds",))
    for row, watch in enumerate(spec.watch):
        where = f"watch of {quoted(watch.source)}"
        if not spec.places_of(watch) and watch.source in watchable():
            yield SpecProblem(f"{where}: places: name at least one", ("watch", row, "places"))
        if watch.kinds == ():
            yield SpecProblem(f'{where}: kinds: "posts", "comments" or both', ("watch", row, "kinds"))
    for row, (source, _, kinds) in _numbered_watches(spec):
        # A watch that nothing is read of would look as if nothing was ever found.
        if source in SOURCES and kinds and not SOURCES[source].feeds_for(kinds):
            has = msgspec.json.encode(SOURCES[source].kinds_read(KINDS)).decode()
            yield SpecProblem(
                f"watch of {source}: kinds: it has no {' and '.join(kinds)}; write kinds = {has} in this watch",
                ("watch", row, "kinds"),
            )


def _source_problems(spec: WorkspaceSpec) -> Iterator[SpecProblem]:
    valid = watchable()
    rows = {watch.source: row for row, watch in reversed(list(enumerate(spec.watch)))}
    for name in dict.fromkeys(watch.source for watch in spec.watch):
        if name not in valid:
            yield SpecProblem(
                f"watch: source {quoted(name)} is not known; {valid_names(name, valid)}",
                ("watch", rows[name], "source"),
            )


def _place_problems(spec: WorkspaceSpec) -> Iterator[SpecProblem]:
    for row, (source, places, _) in _numbered_watches(spec):
        is_shorthand = row < 0
        where = "subreddits" if is_shorthand else f"watch of {source}: places"
        path = ("subreddits",) if is_shorthand else ("watch", row, "places")
        for place in places if source in watchable() else ():
            try:
                canonical_place(source, place)
            except InvalidInput as error:
                yield SpecProblem(f"{where}: {error}", path)


def _numbered_watches(spec: WorkspaceSpec) -> Iterator[tuple[int, tuple[str, tuple[str, ...], tuple[WatchKind, ...]]]]:
    """Yield the watches with the rows of their tables; the shorthand, which has none, comes first, with -1."""
    return iter(enumerate(spec.watches, start=-1 if spec.subreddits else 0))


def normalized(spec: WorkspaceSpec) -> WorkspaceSpec:
    """Return a valid workspace with a name, and with all places as their sources write them."""
    watching = watched_kinds(spec)
    queries = tuple(normalized_scope(query, watching) for query in spec.query)
    watched = (
        (source, canonical_place(source, place), kinds) for source, places, kinds in spec.watches for place in places
    )
    mutes = tuple(normalized_mute(mute, spec.timezone, watching) for mute in spec.mute)
    return msgspec.structs.replace(
        spec, name=spec.name or spec.slug, query=queries, mute=mutes, **watch_fields(watched)
    )


def first_lines(problems: list[str]) -> str:
    """Return the first problems, a line each, and how many more there are."""
    more = len(problems) - MAX_PROBLEMS_SHOWN
    return "\n".join([*problems[:MAX_PROBLEMS_SHOWN], *([f"… and {more:,} more problems"] if more > 0 else [])])
