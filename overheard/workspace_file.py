"""The workspace file: what ``overheard import`` reads and bounds, and ``overheard export`` writes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import msgspec

from overheard import canary, schedule
from overheard.channels import ChannelOptions
from overheard.channels.inert import clip
from overheard.channels.redact import HIDDEN
from overheard.channels.registry import redact, validate_url
from overheard.errors import InvalidInput
from overheard.input_files import parse_toml
from overheard.items import ALL, FeedKind
from overheard.matching.language import QuerySyntaxError, parse
from overheard.unseen import toml_escaped

SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
SUBREDDIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{1,20}|u_[A-Za-z0-9_-]{3,20}")
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # NUL, and half a surrogate pair: no database takes them
LONG_VALUE = re.compile(r"(?<=Invalid enum value )'[^']{13,}'")  # a word that is none of ours, or a secret
NOT_STORABLE = "it holds a character that cannot be stored (NUL or half of a surrogate pair)"
DEFAULT_EVERY = "5m"
DEFAULT_DIGEST = "0 9 * * *"

# How long the parts may be (a query: ``matching.language``); how many, says [limits].
FILE_MAX_BYTES = 16 << 20
NAME_MAX_CHARS = 100  # of a workspace, a query, a channel
SCHEDULE_MAX_CHARS = 100
URL_MAX_CHARS = 4096
SECRET_MAX_CHARS = 256
SHOWN_CHARS = 200  # of what is wrong
PROBLEMS_SHOWN = 200
CHOICES = {"kinds": "posts, comments", "mode": "instant, digest"}


class QuerySpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A query by name."""

    name: str
    text: str


class ChannelSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A channel by name. ``secret`` signs a webhook; one is made when it is absent."""

    name: str
    url: str
    mode: Literal["instant", "digest"] = "instant"
    secret: str | None = None


class WorkspaceSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A workspace as its owner writes it."""

    slug: str
    name: str = ""
    timezone: str = "UTC"
    every: str = DEFAULT_EVERY
    digest: str = DEFAULT_DIGEST
    subreddits: tuple[str, ...]
    kinds: tuple[FeedKind, ...] = ("posts", "comments")
    query: tuple[QuerySpec, ...] = ()
    channel: tuple[ChannelSpec, ...] = ()

    @property
    def feeds(self) -> list[tuple[FeedKind, str]]:
        """(kind, lower-case name) of everything it watches."""
        return [(kind, name.lower()) for kind in self.kinds for name in self.subreddits]


PARTS = {"query": QuerySpec.__struct_fields__, "channel": ChannelSpec.__struct_fields__}


class _File(msgspec.Struct, forbid_unknown_fields=True):
    workspace: tuple[dict[str, Any], ...] = ()


ANY_ADDRESS = ChannelOptions(allow_private=True, timeout=1, user_agent="Overheard")
Refusal = Callable[[WorkspaceSpec], Iterable[str]]  # what of a workspace is more than it may have: [limits]


def no_limit(spec: WorkspaceSpec) -> Iterable[str]:
    """Refuse nothing."""
    return ()


def read(
    text: str | bytes, where: str, options: ChannelOptions = ANY_ADDRESS, refusal: Refusal = no_limit
) -> list[WorkspaceSpec]:
    """Return the workspaces of a TOML text. Raises InvalidInput with file, workspace, field, and what to do.

    ``options``: what the operator allows channels; where they are left out, only the form is checked here.
    """
    tables = parse_toml(text if isinstance(text, bytes) else text.encode("utf-8", "replace"), where)
    try:
        file = msgspec.convert(tables, _File)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{where}: {clip(str(error), SHOWN_CHARS)}; it consists of [[workspace]] tables") from None
    specs, problems = [], []
    for position, table in enumerate(file.workspace, start=1):
        named = _clipped(table["slug"]) if isinstance(table.get("slug"), str) else f"number {position}"
        spec, found = _read_one(table, options, refusal)
        problems += [f"{where}: workspace {named}: {LONG_VALUE.sub(HIDDEN, problem)}" for problem in found]
        if spec is not None:
            specs.append(spec)
    counts = Counter(spec.slug for spec in specs)
    doubles = sorted(slug for slug, count in counts.items() if count > 1)
    problems += [f"{where}: workspace {slug} stands there more than once" for slug in doubles]
    if problems:
        raise InvalidInput(_some(problems))
    return specs


def _read_one(
    table: dict[str, Any], options: ChannelOptions, refusal: Refusal
) -> tuple[WorkspaceSpec | None, list[str]]:
    """Return the tidied workspace, or None, and all that is wrong with it."""
    problems = list(_unknown_keys(table))
    try:
        spec = msgspec.convert(_known(table), WorkspaceSpec)
    except msgspec.ValidationError as error:
        return None, [*problems, _explained(str(error))]
    problems += _problems(spec, options, refusal)
    return (None if problems else _tidied(spec)), problems


def _unknown_keys(table: dict[str, Any]) -> Iterator[str]:
    """Say which keys there are: msgspec only says which are not, one at a time, and nothing else then."""
    rows = [("", WorkspaceSpec.__struct_fields__, table)]
    for name, valid in PARTS.items():
        rows += [(f"{name}: ", valid, row) for row in _rows(table, name) if isinstance(row, dict)]
    yield from dict.fromkeys(
        f"{where}unknown key {_named(key)}; valid: {', '.join(valid)}"
        for where, valid, row in rows
        for key in row
        if key not in valid
    )


def _known(table: dict[str, Any]) -> dict[str, Any]:
    """Return the table without the keys that ``_unknown_keys`` tells of."""
    known = {key: value for key, value in table.items() if key in WorkspaceSpec.__struct_fields__}
    for name, valid in PARTS.items():
        if rows := _rows(table, name):
            known[name] = [
                {key: value for key, value in row.items() if key in valid} if isinstance(row, dict) else row
                for row in rows
            ]
    return known


def _rows(table: dict[str, Any], name: str) -> list[Any]:
    rows = table.get(name)
    return rows if isinstance(rows, list) else []


def _explained(message: str) -> str:
    choices = next((words for key, words in CHOICES.items() if f"$.{key}" in message or f".{key}`" in message), "")
    valid = f"; valid: {choices}" if choices and "enum" in message else ""
    return f"{clip(message, SHOWN_CHARS)}{valid}"


def checked(spec: WorkspaceSpec, options: ChannelOptions = ANY_ADDRESS, refusal: Refusal = no_limit) -> WorkspaceSpec:
    """Return the same workspace, tidied. Raises InvalidInput with all of it that can never work, a line each."""
    if problems := list(_problems(spec, options, refusal)):
        raise InvalidInput(_some(problems))
    return _tidied(spec)


def _problems(spec: WorkspaceSpec, options: ChannelOptions, refusal: Refusal) -> Iterator[str]:
    """Each field against its bounds first: what is too long is neither parsed nor repeated in a message."""
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
    if not spec.subreddits:
        yield 'subreddits: name at least one, or ["all"]'
    if not spec.kinds:
        yield 'kinds: "posts", "comments" or both'
    if too_many := list(refusal(spec)):
        yield from too_many
        return  # parsing a hundred thousand queries takes minutes
    bad = [name for name in dict.fromkeys(spec.subreddits) if _subreddit(name) is None]
    yield from (f"subreddits: {_named(name)} cannot be the name of a subreddit" for name in bad)
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
    problems = [
        *_text_problems(f"{where}: url", channel.url, URL_MAX_CHARS),
        *_text_problems(f"{where}: secret", channel.secret or "", SECRET_MAX_CHARS),
    ]
    yield from problems
    if not problems:
        try:
            validate_url(channel.url, channel.secret, options=options, where=where)
        except InvalidInput as error:
            yield str(error)


def _tidied(spec: WorkspaceSpec) -> WorkspaceSpec:
    names: dict[str, str] = {}
    for name in filter(None, map(_subreddit, spec.subreddits)):
        names.setdefault(name.lower(), name)
    kinds = tuple(dict.fromkeys(spec.kinds))
    return msgspec.structs.replace(spec, subreddits=tuple(names.values()), kinds=kinds, name=spec.name or spec.slug)


def _subreddit(name: str) -> str | None:
    if len(name) > SCHEDULE_MAX_CHARS:
        return None
    bare = re.sub(r"^/?r/|/$", "", name.strip(), flags=re.IGNORECASE)
    return bare if bare.lower() == ALL or SUBREDDIT.fullmatch(bare) else None


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
    return repr(_clipped(text))


def _clipped(text: str) -> str:
    return clip(text, NAME_MAX_CHARS)


def _some(problems: list[str]) -> str:
    more = len(problems) - PROBLEMS_SHOWN
    return "\n".join([*problems[:PROBLEMS_SHOWN], *([f"… and {more:,} more problems"] if more > 0 else [])])


def write(specs: Iterable[WorkspaceSpec], *, ascii_only: bool = False) -> str:
    """Return the workspaces as TOML, which ``read`` takes back. ``ascii_only``: for an output that is not UTF-8."""
    lines: list[str] = []

    def text(value: str) -> str:
        # A JSON string is a TOML basic string, once DEL is escaped too.
        return toml_escaped(msgspec.json.encode(value).decode(), ascii_only=ascii_only)

    for spec in specs:
        lines += ["[[workspace]]"]
        for key in ("slug", "name", "timezone", "every", "digest"):
            lines.append(f"{key} = {text(getattr(spec, key))}")
        for key in ("subreddits", "kinds"):
            lines.append(f"{key} = [{', '.join(text(value) for value in getattr(spec, key))}]")
        for query in spec.query:
            lines += ["", "  [[workspace.query]]", f"  name = {text(query.name)}", f"  text = {text(query.text)}"]
        for channel in spec.channel:
            lines += ["", "  [[workspace.channel]]"]
            for key, value in msgspec.structs.asdict(channel).items():
                if value is not None:
                    lines.append(f"  {key} = {text(value)}")
        lines.append("")
    return "\n".join(lines)
