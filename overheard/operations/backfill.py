"""Backfill: search a source's past for a workspace, and store what its queries match as mentions that are not sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from overheard.clock import Clock
from overheard.db import backfills, workspaces
from overheard.db.backfills import BackfillSearch
from overheard.db.database import Db
from overheard.db.retention import RetentionAges
from overheard.errors import (
    BudgetExhausted,
    Conflict,
    LoginRefused,
    NotFound,
    PermanentError,
    RetryableError,
    Unavailable,
)
from overheard.matching.index.search_words import search_words
from overheard.matching.language import ParsedQuery, QuerySyntaxError, parse_stored
from overheard.matching.language.query_scope import QueryScope
from overheard.operations.quiet_store import Match, QuietStore
from overheard.sources import ItemSearch, RequestTokens, SearchRequest

RETRY_MIN_SECONDS = 1.0  # after an error of the source, doubling to a minute; chosen, not measured
RETRY_MAX_SECONDS = 60.0
MAX_TRIES = 6  # in a row without an answer, about a minute: by then it is an outage
BUDGET_WAIT_SECONDS = 5.0  # between two tries to get a spare token, at the longest

Report = Callable[[BackfillSearch, str], None]  # how far a search has got, and what is to be said about it
TRUNCATED = "its search does not show everything: some items may be missing"


class SearchableSource(NamedTuple):
    """A source that can be searched, and the budget from which its requests come."""

    search: ItemSearch
    permit: RequestTokens


class BackfillPlan(msgspec.Struct, frozen=True):
    """What a backfill has to do. ``resumed``: an earlier one was interrupted. ``unsearchable``: sources that cannot."""

    workspace_id: int
    slug: str
    query_ids: frozenset[int]
    words: tuple[str, ...]
    searches: tuple[BackfillSearch, ...]
    resumed: bool
    unsearchable: tuple[str, ...]


def plan(
    db: Db, slug: str, searchable: Collection[str], *, since: float, now: float, query: str | None, ages: RetentionAges
) -> BackfillPlan:
    """Plan a backfill, or resume the plan of an interrupted one. Raises NotFound, Conflict.

    No search goes back further than retention: what is older would not be stored.
    """
    row = workspaces.by_name(db, slug)
    if not row.active:
        raise Conflict(f"workspace {slug} is paused, and nothing is matched for it\noverheard workspace resume {slug}")
    texts = backfills.queries_of(db, row.id, query)
    if not texts:
        names = ", ".join(backfills.query_names(db, row.id))
        named = f"workspace {slug} has no query {query[:100]!r}; it has: {names}" if query is not None else ""
        raise NotFound(named or f"{slug} has no query")
    watched = backfills.watched_sources(db, row.id)
    found = [
        search
        for search in backfills.watched(db, row.id, [source for source in watched if source in searchable], since)
        if any(scope.reaches(search.source, search.place) for _, scope in texts.values())
    ]
    kept = [replace(search, since=max(search.since, now - ages.kept_for(search.source))) for search in found]
    resumed, searches = backfills.resume(db, row.id, query or "", kept)
    return BackfillPlan(
        workspace_id=row.id,
        slug=row.slug,
        query_ids=frozenset(texts),
        words=search_words(parsed) if (parsed := _parsed(texts)) else (),
        searches=tuple(searches),
        resumed=resumed,
        unsearchable=tuple(source for source in watched if source not in searchable),
    )


def _parsed(texts: Mapping[int, tuple[str, QueryScope]]) -> list[ParsedQuery]:
    """Return the queries; none if one of them cannot be parsed: it is not matched either."""
    try:
        return [parse_stored(text, scope=scope.node)[0] for text, scope in texts.values()]
    except QuerySyntaxError:
        return []


class Backfiller:
    """Searches page by page. ``match`` is the match stage's own work; everything else is as in the store stage.

    Items are stored before the search advances: after a crash a page is read again, and nothing is missed (I2).
    """

    def __init__(
        self,
        *,
        db: Db,
        sources: Mapping[str, SearchableSource],
        match: Match,
        clock: Clock,
        ages: RetentionAges,
        stop: threading.Event,
    ) -> None:
        self.db = db
        self.clock = clock
        self.sources = sources
        self.quiet = QuietStore(db, match, clock, ages)
        self.stop = stop

    def run(self, plan: BackfillPlan, report: Report) -> bool:
        """Do all searches; return False if the process was stopped, or a source does not answer.

        ``report`` gets each step, with a note if there is something to say about it. A source that is down stops no
        other source. Raises Conflict (another process is at work on it) and Unavailable.
        """
        down: set[str] = set()
        for search in plan.searches:
            if search.source not in down and not self._run(plan, search, report):
                if self.stop.is_set():
                    return False
                down.add(search.source)
        if down:
            return False
        backfills.clear(self.db, plan.workspace_id)
        return True

    def _run(self, plan: BackfillPlan, search: BackfillSearch, report: Report) -> bool:
        tries = 0
        while search.finished_at is None:
            if self.stop.is_set():
                return False
            try:
                after, note = self.step(plan, search)
            except BudgetExhausted as exhausted:
                self.stop.wait(min(exhausted.delay, BUDGET_WAIT_SECONDS))
                continue
            except Unavailable:
                raise  # our database, which holds the budget: not an error of the source
            except RetryableError as error:
                tries += 1
                # A refused login is not a passing fault: it may take days.
                if tries == MAX_TRIES or isinstance(error, LoginRefused):
                    report(search, f"{search.source} does not answer: {error}")
                    return False
                delay = error.delay if error.delay is not None else RETRY_MIN_SECONDS * 2.0**tries
                report(search, f"{error}; next try in {min(delay, RETRY_MAX_SECONDS):.0f} s")
                self.stop.wait(min(delay, RETRY_MAX_SECONDS))
                continue
            except PermanentError as error:
                after, note = replace(search, finished_at=self.clock()), f"it cannot be searched: {error}"
            if not backfills.advance(self.db, plan.workspace_id, search, after):
                raise Conflict(f"another backfill of {plan.slug} is running")
            search, tries = after, 0
            report(search, note)
        return True

    def step(self, plan: BackfillPlan, search: BackfillSearch) -> tuple[BackfillSearch, str]:
        """Search a page and store what it has; return how far the search has got, and a note.

        Raises what sources raise.
        """
        if search.since >= search.until:
            return replace(search, finished_at=self.clock()), ""
        source, permit = self.sources[search.source]
        page = source.search(
            SearchRequest(
                kinds=search.kinds,
                places=(search.place,),
                since=search.since,
                until=search.until,
                words=plan.words,
                position=search.position,
            ),
            permit,
        )
        # A source may search by the day, or by words of its own: only these items are asked for.
        items = tuple(
            item for item in page.items if item.kind in search.kinds and search.since <= item.created_at < search.until
        )
        times = [item.created_at for item in items]
        mentions = self.quiet.store(plan.workspace_id, plan.query_ids, items).mentions if items else 0
        after = replace(
            search,
            position=page.position,
            oldest=min([*times, *filter(None, [search.oldest])], default=None),
            newest=max([*times, *filter(None, [search.newest])], default=None),
            items=search.items + len(items),
            mentions=search.mentions + mentions,
            finished_at=None if page.position is not None else self.clock(),
        )
        return after, TRUNCATED if page.truncated else ""
