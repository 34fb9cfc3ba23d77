"""What a workspace may be: every field against its bounds, and what is right made tidy."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import msgspec

from overheard import canary, schedule
from overheard.channels import ChannelOptions
from overheard.channels.redact import HIDDEN, redact
from overheard.channels.registry import validate_url
from overheard.channels.rendering.sanitize import truncate
from overheard.errors import InvalidInput
from overheard.matching.language import QuerySyntaxError, parse
from overheard.sources.registry import SOURCES, watchable
from overheard.workspaces.spec import ChannelSpec, QuerySpec, WorkspaceSpec, watch_fields

SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # NUL, and half a surrogate pair: no database takes them
NOT_STORABLE = "it holds a character that cannot be stored (NUL or half of a surrogate pair)"

# How long the parts may be (a query: ``matching.language``); how many, says [limits].
NAME_MAX_CHARS = 100  # of a workspace, a query, a channel
SCHEDULE_MAX_CHARS = 100
URL_MAX_CHARS = 4096
SECRET_MAX_CHARS = 256
PROBLEMS_SHOWN = 200

ANY_ADDRESS = ChannelOptions(allow_private=True, timeout=1, user_agent="Overheard")
LimitCheck = Callable[[WorkspaceSpec], Iterable[str]]  # what of a workspace is more than it may have: [limits]


def unlimited(spec: WorkspaceSpec) -> Iterable[str]:
    """Refuse nothing."""
    return ()


def validated(
    spec: WorkspaceSpec, options: ChannelOptions = ANY_ADDRESS, refusal: LimitCheck = unlimited
) -> WorkspaceSpec:
    """Return the same workspace, tidied. Raises InvalidInput with all of it that can never work, a line each."""
    if found := list(problems(spec, options, refusal)):
        raise InvalidInput(first_lines(found))
    return normalized(spec)


def problems(spec: WorkspaceSpec, options: ChannelOptions, refusal: LimitCheck) -> Iterator[str]:
    """Say what can never work. Bounds come first: what is too long is neither parsed nor repeated in a message."""
    yield from _slug(spec.slug)
    if spec.name:
        yield from _text_problems("name", spec.name, NAME_MAX_CHARS)
    checks = (("timezone", spec.timezone, schedule.zone), ("every", spec.every, schedule.check))
    for field, text, check in (*checks, ("digest", spec.digest, schedule.check)):
        if len(text) > SCHEDULE_MAX_CHARS:
            yield _too_long(field, text, SCHEDULE_MAX_CHARS)
            continue
        try:
            check(text)
        except InvalidInput as error:
            yield f"{field}: {error}"
    yield from _watches(spec)
    # Parsing a hundred thousand queries takes minutes.
    if first := list(_unknown_sources(spec)) or list(refusal(spec)):
        yield from first
        return
    yield from dict.fromkeys(_places(spec))
    yield from _names("query", (query.name for query in spec.query))
    yield from _names("channel", (channel.name for channel in spec.channel))
    for query in spec.query:
        yield from _query(query)
    for channel in spec.channel:
        yield from _channel(channel, options)


def _slug(slug: str) -> Iterator[str]:
    if not SLUG.fullmatch(slug):
        yield f"slug {_named(slug)}: lower-case letters, digits, - and _ only, at most 63"
    elif slug.isdecimal():
        yield f"slug {slug!r}: digits alone are a workspace's number; put a letter into it"
    elif slug == canary.WORKSPACE:
        yield f"slug {slug!r}: Overheard's own ([canary] in pipeline.toml); take another"


def _watches(spec: WorkspaceSpec) -> Iterator[str]:
    if not spec.subreddits and not spec.watch:
        yield 'subreddits: name at least one, or ["all"]; or write a [[workspace.watch]]'
    if not spec.kinds:
        yield 'kinds: "posts", "comments" or both'
    for each in spec.watch:
        if not each.places:
            yield f"watch of {_named(each.source)}: places: name at least one"
        if each.kinds == ():
            yield f'watch of {_named(each.source)}: kinds: "posts", "comments" or both'


def _unknown_sources(spec: WorkspaceSpec) -> Iterator[str]:
    valid = watchable()
    for name in dict.fromkeys(each.source for each in spec.watch):
        if name not in valid:
            yield f"watch: source {_named(name)} is not known; valid: {', '.join(valid)}"


def _places(spec: WorkspaceSpec) -> Iterator[str]:
    for source, places, _ in spec.watches:
        where = "subreddits" if places is spec.subreddits else f"watch of {source}: places"
        for place in places:
            try:
                SOURCES[source].check_place(place)
            except InvalidInput as error:
                yield f"{where}: {error}"


def _query(query: QuerySpec) -> Iterator[str]:
    where = f"query {_named(query.name)}"
    if UNSTORABLE.search(query.text):
        yield f"{where}: {NOT_STORABLE}"
        return
    try:
        parse(query.text)
    except QuerySyntaxError as error:
        yield f"{where}:\n{error}"


def _channel(channel: ChannelSpec, options: ChannelOptions) -> Iterator[str]:
    where = f"channel {_named(channel.name)}"
    if HIDDEN in channel.url[:URL_MAX_CHARS] and channel.url == redact(channel.url):
        yield (
            f"{where}: its address was left out when it was exported ({HIDDEN}); "
            "export it anew with `overheard export --secrets`, or write the address in"
        )
        return
    wrong = [
        *_text_problems(f"{where}: url", channel.url, URL_MAX_CHARS),
        *_text_problems(f"{where}: secret", channel.secret or "", SECRET_MAX_CHARS),
    ]
    yield from wrong
    if not wrong:
        try:
            validate_url(channel.url, channel.secret, options=options, where=where)
        except InvalidInput as error:
            yield str(error)


def normalized(spec: WorkspaceSpec) -> WorkspaceSpec:
    """Return a workspace without problems, its places as their sources write them."""
    watched = (
        (source, SOURCES[source].check_place(place), kinds)
        for source, places, kinds in spec.watches
        for place in places
    )
    return msgspec.structs.replace(spec, name=spec.name or spec.slug, **watch_fields(watched))


def _names(noun: str, names: Iterable[str]) -> Iterator[str]:
    counts = Counter(names)
    for name, count in counts.items():
        if not name.strip() or len(name) > NAME_MAX_CHARS:
            yield f"{noun}: every {noun} needs a name of 1 to {NAME_MAX_CHARS} characters, not {_named(name)}"
        elif UNSTORABLE.search(name):
            yield f"{noun} {name!r}: {NOT_STORABLE}"
        elif count > 1:
            yield f"{noun} {name!r} stands there more than once"


def _text_problems(where: str, text: str, limit: int) -> Iterator[str]:
    if len(text) > limit:
        yield _too_long(where, text, limit)
    elif UNSTORABLE.search(text):
        yield f"{where}: {NOT_STORABLE}"


def _too_long(where: str, text: str, limit: int) -> str:
    return f"{where}: {len(text):,} characters, {limit:,} are allowed; shorten it"


def _named(text: str) -> str:
    return repr(truncate(text, NAME_MAX_CHARS))


def first_lines(problems: list[str]) -> str:
    """Return the first of very many problems, a line each, and how many more there are."""
    more = len(problems) - PROBLEMS_SHOWN
    return "\n".join([*problems[:PROBLEMS_SHOWN], *([f"… and {more:,} more problems"] if more > 0 else [])])
