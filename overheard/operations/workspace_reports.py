"""Reports to a workspace, in sentences for people in a chat: never a command, as they have no shell there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

from overheard.db import query_rows, reports
from overheard.db.database import Db
from overheard.db.reports import FloodFigures, FloodingQuery, UnreportedChannel
from overheard.items import Item
from overheard.matching.language import ParsedQuery, QuerySyntaxError, parse_stored
from overheard.notices import WorkspaceReport
from overheard.operations.query_preview import NarrowerQuery, taming
from overheard.operations.wording import counted, first_names, span
from overheard.sources.registry import place_label

HOUR_SECONDS = 3600.0
DAY_SECONDS = 24 * HOUR_SECONDS
NAMED_PLACES = 3
TRIED_ITEMS = 300  # of the query's newest; that takes a tenth of a second
MAX_READ = 2000  # of the workspace's newest mentions, for these
MAX_CHANGES = 3
CHANGE_MAX_CHARS = 200  # a query that is longer cannot be read in a message
REASON_MAX_CHARS = 200


def flood_report(db: Db, query: FloodingQuery, now: float) -> WorkspaceReport:
    """Return what a query finds in a day and an hour, where, and what would tame it, tried on what it has found."""
    since = now - DAY_SECONDS
    figures = reports.figures(db, query, since=since, recent=now - HOUR_SECONDS)
    tried, changes = _changes(query, islice(_found(db, query, since), TRIED_ITEMS))
    return WorkspaceReport(
        kind="query flooding",
        name=query.name,
        title=f"The query “{query.name}” finds too much: {counted(query.hits, 'mention')} in 24 hours",
        lines=(_numbers(query, figures), _places(figures), *_remedies(tried, changes)),
    )


def channel_report(db: Db, channel: UnreportedChannel, now: float) -> WorkspaceReport:
    """Return since when a channel fails or is disabled, why, what waits for it, and what happens next."""
    since = datetime.fromtimestamp(channel.since, ZoneInfo(channel.timezone))
    when = f"{since:%a} {since.day} {since:%b} {since:%H:%M}"
    reason = " ".join(channel.reason.split())[:REASON_MAX_CHARS].rstrip(". ") or "the reason is not known"
    waiting = reports.waiting(db, channel.id)
    kept = f"{counted(waiting, 'mention')} {'waits' if waiting == 1 else 'wait'} for it, and nothing is lost."
    if channel.disabled:
        return WorkspaceReport(
            kind="channel disabled",
            name=channel.name,
            title=f"The channel “{channel.name}” is switched off",
            lines=(
                f"Since {when} it is not tried any more: {reason}.",
                *([kept] if waiting else []),
                "What comes for it is kept. Once its address is right and it is switched on again, all that is sent.",
            ),
        )
    return WorkspaceReport(
        kind="channel failing",
        name=channel.name,
        title=f"The channel “{channel.name}” has not worked for {span(now - channel.since)}",
        lines=(
            f"Nothing could be sent there since {when}: {reason}.",
            *([kept] if waiting else []),
            "It is tried again by itself, and then gets what waited.",
        ),
    )


def _found(db: Db, query: FloodingQuery, since: float) -> Iterator[Item]:
    """Yield the items that the query has found, the newest first."""
    for query_ids, item in islice(query_rows.newest_hits(db, query.workspace_id, since), MAX_READ):
        if query.id in query_ids:
            yield item


def _changes(query: FloodingQuery, found: Iterable[Item]) -> tuple[int, list[NarrowerQuery]]:
    tree = _without_scope(query.text)
    if tree is None:
        return 0, []
    tried, changes = taming(tree, found)
    return tried, [change for change in changes if len(change.query) <= CHANGE_MAX_CHARS][:MAX_CHANGES]


def _without_scope(text: str) -> ParsedQuery | None:
    """Return the query as its owner has written it: what it found is within its scope already."""
    try:
        return parse_stored(text)[0]
    except QuerySyntaxError:
        return None


def _numbers(query: FloodingQuery, figures: FloodFigures) -> str:
    per_hour = query.hits / (DAY_SECONDS / HOUR_SECONDS)
    return f"That is {per_hour:,.0f} an hour; in the last hour it was {figures.recent:,}."


def _places(figures: FloodFigures) -> str:
    named = [f"{place_label(each.source, each.place)} ({each.count:,})" for each in figures.by_place]
    if len(named) > 1:
        which = "They" if len(named) <= NAMED_PLACES else "Most of them"
        return f"{which} are in {first_names(named, NAMED_PLACES)}."
    return f"All are in {place_label(figures.by_place[0].source, figures.by_place[0].place)}."


def _remedies(tried: int, changes: list[NarrowerQuery]) -> Iterator[str]:
    if changes:
        yield f"What would tame it, tried on the newest {tried:,}:"
        for change in changes:
            yield f"Written as {change.query}, it leaves {change.hits:,}."
        yield "Or mute the place or the query for a while, or have its mentions sent as a digest."
    else:
        yield "A further word in it, a mute of the place or of the query, or a digest would make it less."
