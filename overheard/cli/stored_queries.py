"""Stored queries that would be refused if they were saved today: older than a rule, or changed behind our back."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from overheard.cli.output import counted
from overheard.cli.trials import Outcome
from overheard.db import queries
from overheard.errors import Unavailable
from overheard.matching.language import flaw
from overheard.program import Program
from overheard.workspaces import QuerySpec

NAMED = 5
KEPT = "all are kept, and matched as before if they can be read"


class RefusedQuery(msgspec.Struct, frozen=True):
    """Why a query would be refused, and what to do. ``matched``: it is matched all the same, as it was before."""

    query: str
    matched: bool
    what: str
    do: str


def refused(texts: Iterable[QuerySpec]) -> list[RefusedQuery]:
    """Those of them that would be refused."""
    found = ((query.name, flaw(query.text)) for query in texts)
    return [RefusedQuery(name, one.matched, one.error.message, one.error.hint) for name, one in found if one]


def outcome(program: Program, *, known: bool) -> Outcome:
    """For ``overheard check``: all queries of all workspaces, each read by the rules of today."""
    if not known:
        return Outcome("ok", "not looked at: there is no database to read them from")
    count = 0
    found: list[str] = []
    try:
        with program.db.session():
            for slug, name, text in queries.texts(program.db):
                count += 1
                if (one := flaw(text)) is not None:
                    found.append(f"{slug}/{name}{'' if one.matched else ' (not matched)'}")
    except Unavailable as error:
        return Outcome("warning", f"not looked at: {error}")
    if not found:
        return Outcome("ok", f"{counted(count, 'query')}, all right")
    more = f" and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
    what = f"{len(found):,} of {counted(count, 'query')} would be refused today: {', '.join(found[:NAMED])}{more}"
    return Outcome("warning", what, f"{KEPT}; overheard workspace show SLUG says what to write instead")
