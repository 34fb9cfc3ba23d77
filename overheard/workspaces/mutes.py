"""Mutes as a workspace's owner and the operator write them: their conditions, and until when they hold."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import UTC, datetime

import msgspec

from overheard.config import MuteSettings
from overheard.errors import InvalidInput
from overheard.items import ALL, place_key
from overheard.routing import MuteRule
from overheard.schedule import until_seconds
from overheard.sources.registry import public_place, watchable
from overheard.workspaces.places import canonical_place
from overheard.workspaces.problems import SpecProblem, valid_names
from overheard.workspaces.query_scope import Watched, normalized_scope
from overheard.workspaces.spec import MuteSpec, QuerySpec

CONDITIONS = ("query", "author", "place", "thread")
CONDITION_MAX_CHARS = 500
# Of a source without other places, every item is there; of one that has some, none.
ALL_MUTED = "'all' is not a place that can be muted; leave the source out of the watches, or of the queries' sources"
AUTHOR_PREFIX = re.compile(r"^(?:/?u/|@)", re.IGNORECASE)  # as people write authors: u/alice, @alice
REDDIT_THREAD = re.compile(r"https?://(?:\w+\.)*reddit\.com(?:/r/\w+)?/comments/([a-z0-9]+)(?:[/?#].*)?", re.IGNORECASE)


def until_text(until: float | None) -> str:
    """Return the end of a mute as ``until_seconds`` reads it; empty for one without end."""
    return "" if until is None else datetime.fromtimestamp(until, UTC).isoformat().replace("+00:00", "Z")


def operator_rule(mute: MuteSettings) -> MuteRule:
    """Return the rule of a ``[[notify.mute]]``, which holds for all workspaces; its times are in UTC."""
    conditions = MuteSpec(author=mute.author, place=mute.place, thread=mute.thread)
    source = f"source {mute.source}" if mute.source else ""
    return MuteRule(
        text=f"the operator's, {', '.join(filter(None, (source, mute_text(conditions))))}",
        source=mute.source,
        author=_author(mute.author),
        place=_place(mute.place, [mute.source] if mute.source else watchable()),
        thread=_thread(mute.thread),
        until=until_seconds(mute.until, "UTC"),
    )


def operator_mute_problems(mute: MuteSettings) -> Iterator[str]:
    """Yield what is wrong with a ``[[notify.mute]]``."""
    if not any((mute.source, mute.author, mute.place, mute.thread)):
        yield "give at least one of source, author, place and thread; without one it would mute everything"
    if mute.source and mute.source not in watchable():
        yield f"source: {mute.source[:40]!r} is not known; {valid_names(mute.source, watchable())}"
        return
    if mute.place.strip().lower() == ALL:
        yield f"place: {ALL_MUTED}"
    try:
        operator_rule(mute)
    except InvalidInput as error:
        yield str(error)


def mute_text(mute: MuteSpec) -> str:
    """Return the conditions in words, without what may be secret in a place: ``author automod, place python``."""
    shown = public_mute(mute)
    return ", ".join(f"{name} {getattr(shown, name)}" for name in CONDITIONS if getattr(shown, name))


def public_mute(mute: MuteSpec) -> MuteSpec:
    """Return a mute as it may be shown: a feed's address may have a token in it."""
    place = mute.place
    for source in watchable() if "://" in place else ():
        place = public_place(source, place)
    return msgspec.structs.replace(mute, place=place)


def mute_label(mute: MuteSpec) -> str:
    """Return how a problem names a mute."""
    return f"mute of {mute_text(mute)[:100]}" if mute_text(mute) else "mute"


def mute_problems(mute: MuteSpec, timezone: str, queries: Collection[str]) -> Iterator[SpecProblem]:
    """Yield what is wrong with a mute of a workspace that has queries of these names, but for its place."""
    where = mute_label(mute)
    if not mute_text(mute):
        yield SpecProblem(
            f"{where}: give at least one of {', '.join(CONDITIONS)}; without one it would mute everything"
        )
    for name in CONDITIONS:
        if len(getattr(mute, name)) > CONDITION_MAX_CHARS:
            yield SpecProblem(f"{where}: {name}: {CONDITION_MAX_CHARS} characters are allowed; shorten it", (name,))
    if mute.place.strip().lower() == ALL:
        yield SpecProblem(f"{where}: place: {ALL_MUTED}", ("place",))
    if mute.query and mute.query not in queries:
        known = valid_names(mute.query, queries)
        yield SpecProblem(f"{where}: query: there is no query {mute.query[:100]!r}; {known}", ("query",))
    for key, text, check in (
        ("until", mute.until, until_seconds),
        ("thread", mute.thread, lambda text, _: _thread(text)),
    ):
        try:
            check(text, timezone)
        except InvalidInput as error:
            yield SpecProblem(f"{where}: {error}", (key,))


def normalized_mute(mute: MuteSpec, timezone: str, watched: Watched) -> MuteSpec:
    """Return a valid mute of a workspace as it is stored and compared."""
    in_scope = normalized_scope(QuerySpec("", "", places=(mute.place,)), watched).places if mute.place else ()
    return msgspec.structs.replace(
        mute,
        author=_author(mute.author),
        place=place_key(in_scope[0] if in_scope else mute.place),
        thread=_thread(mute.thread),
        until=until_text(until_seconds(mute.until, timezone)),
    )


def _author(text: str) -> str:
    return AUTHOR_PREFIX.sub("", text.strip()).lower()


def _place(text: str, sources: Collection[str]) -> str:
    """Return the key of a place as the first of these sources that has such places writes it."""
    for source in sources if text else ():
        with suppress(InvalidInput):
            return place_key(canonical_place(source, text))
    return place_key(text)


def _thread(text: str) -> str:
    """Return a thread's id, which an address on Reddit has in it. Raises InvalidInput for other addresses."""
    if match := REDDIT_THREAD.fullmatch(text.strip()):
        return f"t3_{match[1].lower()}"
    if "://" in text:
        raise InvalidInput("thread: give the thread's id, which overheard mentions --format json shows, not an address")
    return text.strip()
