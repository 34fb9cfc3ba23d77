"""The workspace file: what ``overheard import`` reads, checked at the door, and ``overheard export`` writes."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from overheard import canary, schedule
from overheard.channels import ChannelOptions
from overheard.channels.redact import HIDDEN
from overheard.channels.registry import validate_url
from overheard.errors import InvalidInput
from overheard.items import ALL, FeedKind
from overheard.matching.language import QuerySyntaxError, parse

SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
SUBREDDIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{1,20}|u_[A-Za-z0-9_-]{3,20}")
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # NUL, and half a surrogate pair: no database takes them
LONG_VALUE = re.compile(r"(?<=Invalid enum value )'[^']{13,}'")  # a word that is none of ours, or a secret
DEFAULT_EVERY = "5m"
DEFAULT_DIGEST = "0 9 * * *"


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


class _File(msgspec.Struct, forbid_unknown_fields=True):
    workspace: tuple[dict[str, Any], ...] = ()


ANY_ADDRESS = ChannelOptions(allow_private=True, timeout=1, user_agent="Overheard")


def read(text: str, where: str, options: ChannelOptions = ANY_ADDRESS) -> list[WorkspaceSpec]:
    """The workspaces of a TOML text. Raises InvalidInput that names file, workspace, field, and what to do.

    ``options``: what the operator allows channels; where they are left out, only the form is checked here.
    """
    try:
        tables = msgspec.convert(tomllib.loads(text), _File)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{where}: not valid TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{where}: {error}; it consists of [[workspace]] tables") from None
    specs, problems = [], []
    for position, table in enumerate(tables.workspace, start=1):
        try:
            spec = msgspec.convert(table, WorkspaceSpec)
            specs.append(checked(spec, options))
        except (msgspec.ValidationError, InvalidInput) as error:
            named = table.get("slug") if isinstance(table.get("slug"), str) else f"number {position}"
            problems.append(f"{where}: workspace {named}: {LONG_VALUE.sub(HIDDEN, str(error))}")
    counts = Counter(spec.slug for spec in specs)
    doubles = sorted(slug for slug, count in counts.items() if count > 1)
    problems += [f"{where}: workspace {slug} stands there more than once" for slug in doubles]
    if problems:
        raise InvalidInput("\n".join(problems))
    return specs


def checked(spec: WorkspaceSpec, options: ChannelOptions = ANY_ADDRESS) -> WorkspaceSpec:
    """The same workspace, tidied; raises InvalidInput for what can never work."""
    if not SLUG.fullmatch(spec.slug):
        raise InvalidInput(f"slug {spec.slug!r}: lower-case letters, digits, - and _ only, at most 63")
    if spec.slug.isdecimal():
        raise InvalidInput(f"slug {spec.slug!r}: digits alone are a workspace's number; put a letter into it")
    if spec.slug == canary.WORKSPACE:
        raise InvalidInput(f"slug {spec.slug!r}: Overheard's own ([canary] in pipeline.toml); take another")
    checks = (("timezone", spec.timezone, schedule.zone), ("every", spec.every, schedule.check))
    for field, text, check in (*checks, ("digest", spec.digest, schedule.check)):
        try:
            check(text)
        except InvalidInput as error:
            raise InvalidInput(f"{field}: {error}") from None
    names = _subreddits(spec.subreddits)
    if not names:
        raise InvalidInput('subreddits: name at least one, or ["all"]')
    if not spec.kinds:
        raise InvalidInput('kinds: "posts", "comments" or both')
    _storable("name", spec.name)
    _unique("query", (query.name for query in spec.query))
    _unique("channel", (channel.name for channel in spec.channel))
    for query in spec.query:
        _storable(f"query {query.name!r}", query.text)
        try:
            parse(query.text)
        except QuerySyntaxError as error:
            raise InvalidInput(f"query {query.name!r}:\n{error}") from None
    for channel in spec.channel:
        _storable(f"channel {channel.name!r}", channel.url, channel.secret or "")
        validate_url(channel.url, channel.secret, options=options, where=f"channel {channel.name!r}")
    return msgspec.structs.replace(
        spec, subreddits=names, kinds=tuple(dict.fromkeys(spec.kinds)), name=spec.name or spec.slug
    )


def _subreddits(names: Iterable[str]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for name in map(_subreddit, names):
        found.setdefault(name.lower(), name)
    return tuple(found.values())


def _subreddit(name: str) -> str:
    bare = re.sub(r"^/?r/|/$", "", name.strip(), flags=re.IGNORECASE)
    if bare.lower() != ALL and not SUBREDDIT.fullmatch(bare):
        raise InvalidInput(f"subreddits: {name!r} cannot be the name of a subreddit")
    return bare


def _unique(noun: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not name.strip() or len(name) > 100:
            raise InvalidInput(f"{noun}: every {noun} needs a name of 1 to 100 characters")
        _storable(f"{noun} {name!r}", name)
        if name in seen:
            raise InvalidInput(f"{noun} {name!r} stands there more than once")
        seen.add(name)


def _storable(where: str, *texts: str) -> None:
    if any(UNSTORABLE.search(text) for text in texts):
        raise InvalidInput(f"{where}: it holds a character that cannot be stored (NUL or half of a surrogate pair)")


def write(specs: Iterable[WorkspaceSpec]) -> str:
    """The workspaces as TOML, which ``read`` takes back."""
    lines: list[str] = []
    for spec in specs:
        lines += ["[[workspace]]"]
        for key in ("slug", "name", "timezone", "every", "digest"):
            lines.append(f"{key} = {_text(getattr(spec, key))}")
        for key in ("subreddits", "kinds"):
            lines.append(f"{key} = [{', '.join(_text(value) for value in getattr(spec, key))}]")
        for query in spec.query:
            lines += ["", "  [[workspace.query]]", f"  name = {_text(query.name)}", f"  text = {_text(query.text)}"]
        for channel in spec.channel:
            lines += ["", "  [[workspace.channel]]"]
            for key, value in msgspec.structs.asdict(channel).items():
                if value is not None:
                    lines.append(f"  {key} = {_text(value)}")
        lines.append("")
    return "\n".join(lines)


def _text(value: str) -> str:
    # A JSON string is a TOML basic string, once DEL is escaped too.
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
