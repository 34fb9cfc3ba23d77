"""Run a query of a workspace over what is stored already, without sending."""

from __future__ import annotations

import threading

import msgspec

from overheard.db import backfills, mention_queries, stored_items, workspace_specs, workspaces
from overheard.errors import Conflict, NotFound
from overheard.operations.quiet_store import QuietResult, QuietStore

NOTHING = QuietResult((), 0)


class QueryApplication(msgspec.Struct):
    """A query that is applied, and what came of it so far.

    ``found``: items that it matches; ``mentions``: those that became mentions; ``named``: mentions of other queries
    that now name it, too. ``finished``: False if the process was stopped; to begin again changes nothing.
    """

    workspace_id: int
    query_id: int
    items: int = 0
    found: int = 0
    mentions: int = 0
    named: int = 0
    finished: bool = False


def apply(quiet: QuietStore, slug: str, name: str, since: float, stop: threading.Event) -> QueryApplication:
    """Apply a query to the stored items that were published ``since``, in the places that the workspace watches.

    A page at a time, each in transactions of its own. Raises NotFound, and Conflict if nothing is matched.
    """
    application = _planned(quiet, slug, name)
    wanted = frozenset({application.query_id})
    feeds = workspace_specs.load(quiet.db, application.workspace_id, secrets=False).feeds
    watched = [(feed.source, kind, feed.place) for feed in feeds for kind in feed.kinds]
    for page in stored_items.pages(quiet.db, watched, since):
        if stop.is_set():
            return application
        application.items += len(page)
        found, mentions = quiet.store(application.workspace_id, wanted, page) if page else NOTHING
        application.found += len(found)
        application.mentions += mentions
        application.named += mention_queries.add_queries(
            quiet.db, application.workspace_id, application.query_id, found
        )
    application.finished = True
    return application


def _planned(quiet: QuietStore, slug: str, name: str) -> QueryApplication:
    row = workspaces.by_name(quiet.db, slug)
    if not row.active:
        raise Conflict(f"workspace {slug} is paused, and nothing is matched for it\noverheard workspace resume {slug}")
    [query_id, *_] = backfills.queries_of(quiet.db, row.id, name) or (0,)
    if not query_id:
        names = ", ".join(backfills.query_names(quiet.db, row.id))
        raise NotFound(f"workspace {slug} has no query {name[:100]!r}; it has: {names}")
    return QueryApplication(row.id, query_id)
