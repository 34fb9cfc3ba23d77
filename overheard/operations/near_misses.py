"""Which of a workspace's queries match an item, and which nearly do."""

from __future__ import annotations

from collections.abc import Iterator

from overheard.db import query_rows
from overheard.db.database import Db
from overheard.items import Item
from overheard.matching.item.document import Document
from overheard.matching.language import QuerySyntaxError, parse_stored
from overheard.matching.tree import And, Not, ParsedQuery
from overheard.operations.wording import counted

MAX_NEAR_MISSES = 5
PART_MAX_CHARS = 100


def near_misses(db: Db, workspace_id: int, slug: str, item: Item) -> Iterator[str]:
    """Yield in words which queries match the item now, and then which nearly do; or that none does."""
    document = Document(item)
    queries = list(query_rows.stored_queries(db, workspace_id=workspace_id))
    matching, near = [], []
    for query in queries:
        try:
            tree, _ = parse_stored(query.text)
        except QuerySyntaxError:
            near.append(f"query {query.name} cannot be read: `overheard check` says why")
            continue
        scope = query.scope.node
        if not tree.holds(document):
            near += [f"query {query.name} {missed}" for missed in _missed(tree, document)]
        elif scope is not None and not scope.holds(document):
            near.insert(0, f"query {query.name} matches its text, but is limited to {_short(str(scope))}")
        else:
            matching.append(query.name)
    for name in matching:
        apply = f"overheard query apply {slug} {name}"
        yield f"query {name} matches it now: it was added or changed after the item was read; `{apply}` finds it"
    if matching:
        return
    yield f"none of its {counted(len(queries), 'query')} matches it" if queries else f"{slug} has no query"
    yield from near[:MAX_NEAR_MISSES]


def _missed(tree: ParsedQuery, document: Document) -> Iterator[str]:
    """Yield what keeps a query from matching, if some of what it requires is there."""
    if not isinstance(tree, And):
        return
    missing = [part for part in tree.parts if not part.holds(document)]
    there = [part for part in tree.parts if part.positive_leaves() and part.holds(document)]
    if not there:
        return
    excluded = [_short(str(part.part)) for part in missing if isinstance(part, Not)]
    lacking = [_short(str(part)) for part in missing if not isinstance(part, Not)]
    found = " and ".join(_short(str(part)) for part in there)
    without = [f"lacks {' and '.join(lacking)}"] if lacking else []
    without += [f"excludes {' and '.join(excluded)}, which is there"] if excluded else []
    yield f"nearly matches: it finds {found}, but {' and '.join(without)}"


def _short(text: str) -> str:
    return text if len(text) <= PART_MAX_CHARS else f"{text[: PART_MAX_CHARS - 1]}…"
