"""Validate the parts of a workspace spec: names, texts, queries and channels."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from overheard.channels import ChannelOptions
from overheard.channels.redact import HIDDEN, redact
from overheard.channels.registry import validate_url
from overheard.channels.rendering.sanitize import truncate
from overheard.errors import InvalidInput
from overheard.matching.language import QuerySyntaxError, parse, parse_stored
from overheard.matching.language.regex_cost import MAX_PATTERN_COST, pattern_cost
from overheard.schedule import span_seconds
from overheard.workspaces.problems import SpecProblem, valid_names, within
from overheard.workspaces.spec import ChannelSpec, QuerySpec

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # NUL, and half a surrogate pair: no database stores them
NOT_STORABLE = "it contains a character that cannot be stored (NUL or half of a surrogate pair)"

# How long each part may be (a query: ``matching.language``); [limits] says how many. Chosen, not measured: the bounds
# keep a pasted file out of messages and rows, and no real value comes near them.
NAME_MAX_CHARS = 100  # of a workspace, a query, a channel
SCHEDULE_MAX_CHARS = 100
URL_MAX_CHARS = 4096
SECRET_MAX_CHARS = 256
MAX_PER_HOUR = 3600  # of a channel; [notify] per_minute limits it, too


def query_problems(query: QuerySpec) -> Iterator[str]:
    """Yield why a query can never match: what cannot be stored, and syntax errors."""
    where = f"query {quoted(query.name)}"
    if UNSTORABLE.search(query.text):
        # Not parsed: a syntax error would show the text, and half of a surrogate pair cannot be printed.
        yield f"{where}: {NOT_STORABLE}"
        return
    try:
        parse(query.text, scope=query.scope.node)
    except QuerySyntaxError as error:
        yield f"{where}:\n{error}"


def pattern_problems(queries: Sequence[QuerySpec], others: Iterable[QuerySpec] = ()) -> Iterator[SpecProblem]:
    """Yield a problem if the regular expressions of queries are too much together with those of others."""
    costs = {query.name: _pattern_cost(query) for query in queries}
    total = sum(costs.values())
    # Without an expression of its own, a query does not add to what the workspace has.
    if total and (total := total + sum(map(_pattern_cost, others))) > MAX_PATTERN_COST:
        most = max(costs, key=lambda name: costs[name])
        row = [query.name for query in queries].index(most)
        yield SpecProblem(
            f"query {quoted(most)}: all regular expressions of the workspace may take {total:,} steps for a character, "
            f"those of this query {costs[most]:,}; {MAX_PATTERN_COST:,} are allowed\n"
            "repeat less in them ({n} and {m,n} write their part n times), write NEAR/15 or words instead, "
            "or split the workspace",
            ("query", row, "text"),
        )


def _pattern_cost(query: QuerySpec) -> int:
    if "/" not in query.text:  # as nearly always: there is no expression in it
        return 0
    try:
        return pattern_cost(parse_stored(query.text, scope=query.scope.node)[0])
    except QuerySyntaxError:
        return 0  # it is reported for that, or not matched


def channel_problems(channel: ChannelSpec, options: ChannelOptions, queries: Collection[str]) -> Iterator[SpecProblem]:
    """Yield why a channel can never be used; no problem shows its URL or its secret."""
    where = f"channel {quoted(channel.name)}"
    # Only the beginning, as the length is checked further below.
    if HIDDEN in channel.url[:URL_MAX_CHARS] and channel.url == redact(channel.url):
        yield SpecProblem(
            f"{where}: its address was left out when it was exported ({HIDDEN}); "
            "export it again with `overheard export --secrets`, or write the address in",
            ("url",),
        )
        return
    invalid = [
        *within(("url",), text_problems(f"{where}: url", channel.url, URL_MAX_CHARS)),
        *within(("secret",), text_problems(f"{where}: secret", channel.secret or "", SECRET_MAX_CHARS)),
    ]
    yield from invalid
    # Validation parses the URL and may repeat parts of it: an overlong one must not get there.
    if not invalid:
        try:
            validate_url(channel.url, channel.secret, options=options, where=where)
        except InvalidInput as error:
            yield SpecProblem(str(error), ("secret" if f"{where}: secret" in str(error) else "url",))
    for field in ("min_gap", "summary_every"):
        try:
            span_seconds(getattr(channel, field))
        except InvalidInput as error:
            yield SpecProblem(f"{where}: {field}: {error}", (field,))
    if not 0 <= channel.max_per_hour <= MAX_PER_HOUR:
        yield SpecProblem(
            f"{where}: max_per_hour: {channel.max_per_hour:,} is not in 0 (a message for each mention) to "
            f"{MAX_PER_HOUR:,}",
            ("max_per_hour",),
        )
    for query in channel.queries:
        if query not in queries:
            yield SpecProblem(
                f"{where}: queries: there is no query {quoted(query)}; {valid_names(query, queries)}", ("queries",)
            )


def name_problems(noun: str, names: Iterable[str]) -> Iterator[SpecProblem]:
    """Yield the names of queries or channels that are empty, too long, unstorable or repeated."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        rows.setdefault(name, []).append(row)
    for name, found in rows.items():
        path = (noun, found[-1], "name")
        if not name.strip() or len(name) > NAME_MAX_CHARS:
            yield SpecProblem(
                f"{noun}: every {noun} needs a name of 1 to {NAME_MAX_CHARS} characters, not {quoted(name)}", path
            )
        elif UNSTORABLE.search(name):
            yield SpecProblem(f"{noun} {name!r}: {NOT_STORABLE}", path)
        elif len(found) > 1:
            yield SpecProblem(f"{noun} {name!r} occurs more than once", path)


def text_problems(where: str, text: str, limit: int) -> Iterator[str]:
    """Yield a problem if a text is too long or cannot be stored."""
    if len(text) > limit:
        yield too_long(where, text, limit)
    elif UNSTORABLE.search(text):
        yield f"{where}: {NOT_STORABLE}"


def too_long(where: str, text: str, limit: int) -> str:
    """Return the problem of a text that is too long, which it does not repeat."""
    return f"{where}: {len(text):,} characters, {limit:,} are allowed; shorten it"


def quoted(text: str) -> str:
    """Return a text in quotes, shortened: it may be of any length."""
    return repr(truncate(text, NAME_MAX_CHARS))
