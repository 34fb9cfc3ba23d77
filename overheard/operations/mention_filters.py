"""Which mentions somebody asks for: the names that were typed, checked and turned into conditions."""

from __future__ import annotations

from contextlib import suppress

from overheard.db import query_rows, workspaces
from overheard.db.database import Db
from overheard.db.mention_filter import SEARCH_MAX_CHARS, MentionFilter
from overheard.errors import InvalidInput, NotFound
from overheard.sources.registry import watchable
from overheard.workspaces.places import canonical_place

NAME_SHOWN_CHARS = 100


def mention_filter(
    db: Db,
    *,
    workspace: str | None = None,
    since: float | None = None,
    query: str | None = None,
    source: str | None = None,
    place: str | None = None,
    state: str | None = None,
    search: str | None = None,
) -> MentionFilter:
    """Return the filter. Raises NotFound for a workspace or query that there is not, and InvalidInput."""
    if workspace is not None:
        workspaces.by_name(db, workspace)
    if query is not None:
        require_query(db, workspace, query)
    if search is not None and not 0 < len(search) <= SEARCH_MAX_CHARS:
        raise InvalidInput(f"a text to search for has 1 to {SEARCH_MAX_CHARS} characters")
    places = None if place is None else _places(place, source)
    return MentionFilter(workspace, since, query, source, places, state, search)


def require_query(db: Db, workspace: str | None, name: str) -> None:
    """Raise NotFound unless the workspace, or any if it is None, has or had a query of this name."""
    if query_rows.has_name(db, workspace, name):
        return
    if workspace is None:
        raise NotFound(f"no workspace has a query {name[:NAME_SHOWN_CHARS]!r}")
    names = query_rows.names(db, workspace)
    existing = f"it has: {', '.join(names)}" if names else "it has none"
    raise NotFound(f"workspace {workspace} has no query {name[:NAME_SHOWN_CHARS]!r}; {existing}")


def _places(text: str, source: str | None) -> tuple[str, ...]:
    """Return the names, in lower case, that a place may have in one or all sources: r/python, or an address of it."""
    names = {text.lower()}
    for name in [source] if source is not None else watchable():
        with suppress(InvalidInput):
            names.add(canonical_place(name, text).lower())
    return tuple(sorted(names))
