"""What a digest shows, before it is written in a medium's own language: the same for all media.

Every text is a stranger's or may contain one's words, but for ``period``, ``summary``, ``notes``, ``order`` and the
days: each medium escapes it in its own way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from overheard.channels.rendering.day_bars import DayBar, day_bars
from overheard.channels.rendering.digest_words import is_one_day, notes, period_text, summary_text
from overheard.channels.rendering.excerpt import Fragment, excerpt
from overheard.channels.rendering.near_hit import near_hit
from overheard.channels.rendering.places import shown_place
from overheard.channels.rendering.sanitize import isolated
from overheard.channels.rendering.summary_words import counts_text
from overheard.channels.rendering.view import EXCERPT_CHARS, MentionView, mention_view
from overheard.fair_order import fair_order, group_query
from overheard.notices import Notice, Totals

FULL_MAX_ROWS = 10  # with excerpts; the others are one line each
COMPACT_CHARS = 90  # of a compact row's title or text
SHORT_EXCERPT_CHARS = 160
ORDER = "newest first"
Rendered = TypeVar("Rendered")


class DigestRow(msgspec.Struct, frozen=True):
    """A mention. ``full``: show all of it; else one line: ``line``, the time, and what fits."""

    view: MentionView
    full: bool

    @property
    def line(self) -> list[Fragment]:
        """Return what names it in one line: a post's title, a comment's text around the hit."""
        view = self.view
        shown = (view.title or view.excerpt) if view.kind == "post" else (view.excerpt or view.title)
        line = _shortened(shown, COMPACT_CHARS)
        return [*line[:-1], Fragment(isolated(line[-1].text), line[-1].hit)] if line else line


class PlaceGroup(msgspec.Struct, frozen=True):
    """The rows of a place, newest first. ``count``: how many mentions the query has there, shown or not."""

    place: str
    count: int
    rows: tuple[DigestRow, ...]


class QueryGroup(msgspec.Struct, frozen=True):
    """The rows of a query, by place. ``count``: all that it found; ``more``: those of them that no group shows.

    Those that were messages of their own are in ``count`` only.
    """

    query: str
    count: int
    places: tuple[PlaceGroup, ...]
    more: int


class DigestView(msgspec.Struct, frozen=True):
    """A digest for people. ``heading`` is the workspace; ``period`` and ``summary`` are complete phrases.

    ``notes``: further sentences about the numbers. ``days`` is empty for a single day, also one from morning to
    morning. Of the groups the query that found least comes first, as it says most; of their places the largest, of the
    rows the newest. A mention of several queries is a row of the one that found least.
    ``unshown`` names queries without rows of their own, and how many of their mentions no row shows. ``more``: mentions
    that no row shows.
    """

    heading: str
    period: str
    summary: str
    notes: tuple[str, ...]
    days: tuple[DayBar, ...]
    order: str
    groups: tuple[QueryGroup, ...]
    unshown: str
    more: int


def fullest(
    notice: Notice, now: float, render: Callable[[DigestView], Rendered], fits: Callable[[Rendered], bool]
) -> Rendered:
    """Return the fullest rendering that fits; if none does the smallest one, which is a few hundred characters."""
    versions, sizes = _versions(notice, now, None)
    # Binary search: each version is smaller than the one before, and the first ones take longest.
    least, most = 0, len(sizes) - 1
    while least < most:
        middle = (least + most) // 2
        if fits(render(versions.version(*sizes[middle]))):
            most = middle
        else:
            least = middle + 1
    return render(versions.version(*sizes[least]))


def digest_versions(notice: Notice, now: float, most: int | None = None) -> Iterator[DigestView]:
    """Yield the digest in ever smaller versions, each with true numbers. The last one has nothing but these.

    ``most``: of the rows; a medium that says how many fit saves the versions that are too large for it.

    1. Shorten the excerpts; 2. show fewer mentions, and fewer of them with an excerpt. Which ones are left out is fair:
    a query with few mentions keeps its rows while another has many.
    """
    versions, sizes = _versions(notice, now, most)
    for size in sizes:
        yield versions.version(*size)


def _versions(notice: Notice, now: float, most: int | None) -> tuple[_Versions, list[tuple[int, int, int]]]:
    """Return the digest and the sizes that it comes in, the largest first."""
    if notice.totals is None:
        raise ValueError("a digest has totals")
    count = min(len(notice.mentions), most or len(notice.mentions))
    return _Versions(notice, notice.totals, now), list(_sizes(count))


def _sizes(count: int) -> Iterator[tuple[int, int, int]]:
    """Yield (rows, those of them in full, width of their excerpts), from everything down to nothing."""
    full = min(count, FULL_MAX_ROWS)
    for width in (EXCERPT_CHARS, SHORT_EXCERPT_CHARS):
        yield count, full, width
    rows = count
    while rows:
        yield rows, _full_of(rows), SHORT_EXCERPT_CHARS
        rows = rows * 3 // 4
    yield 0, 0, 0


def _full_of(rows: int) -> int:
    return min(max(rows // 5, 1), FULL_MAX_ROWS)


def _shortened(fragments: list[Fragment], width: int) -> list[Fragment]:
    """Return the part of a text around its first hit."""
    spans, text = [], ""
    for fragment in fragments:
        if fragment.hit:
            spans.append((len(text), len(text) + len(fragment.text)))
        text += fragment.text
    return excerpt(text, spans, width)


class _Versions:
    """One digest in several sizes: what they share is made once."""

    def __init__(self, notice: Notice, totals: Totals, now: float) -> None:
        self._notice = notice
        self._totals = totals
        self._now = now
        self._views: dict[tuple[int, int], MentionView] = {}
        # From here on a mention is its position in this list.
        self._newest_first = newest_first = notice.mentions[::-1]
        self._query_of = [group_query(mention.queries, totals.by_query) for mention in newest_first]
        self._order = fair_order(range(len(newest_first)), self._query_of.__getitem__)
        self._period = period_text(totals.since, totals.until, notice.timezone)
        self._summary = summary_text(totals, notice.timezone)
        self._notes = tuple(notes(totals))
        self._days = () if is_one_day(totals, notice.timezone) else tuple(day_bars(totals.by_day))

    def version(self, rows: int, full: int, width: int) -> DigestView:
        """Return the version with so many rows, of which ``full`` have excerpts of ``width`` characters."""
        in_full = set(self._order[:full])
        chosen = sorted(self._order[:rows])
        by_query: dict[str, list[int]] = {}
        for position in chosen:
            by_query.setdefault(self._query_of[position], []).append(position)
        shown = Counter(query for position in chosen for query in self._newest_first[position].queries)
        totals = self._totals
        rarest_first = sorted(totals.by_query, key=lambda query: totals.by_query[query])
        queries = [*rarest_first, *(query for query in by_query if query not in totals.by_query)]
        left = {query: self._left(query, count, shown[query]) for query, count in totals.by_query.items()}
        unshown = [(query, count) for query, count in left.items() if count and query not in by_query]
        return DigestView(
            heading=self._notice.name or self._notice.workspace,
            period=self._period,
            summary=self._summary,
            notes=self._notes,
            days=self._days if rows else (),
            order=ORDER,
            groups=tuple(
                self._group(query, by_query[query], shown[query], in_full, width)
                for query in queries
                if query in by_query
            ),
            unshown=counts_text(unshown, "query") if rows else "",
            more=totals.total - totals.at_once - len(chosen),
        )

    def _group(self, query: str, chosen: list[int], shown: int, in_full: set[int], width: int) -> QueryGroup:
        by_place: dict[tuple[str, str], list[DigestRow]] = {}
        for position in chosen:
            mention = self._newest_first[position]
            row = self._row(position, width if position in in_full else None)
            by_place.setdefault((mention.source, mention.place), []).append(row)
        counts = {(place.source, place.place): place.count for place in self._totals.places_of.get(query, ())}
        places = [
            PlaceGroup(shown_place(*place), max(counts.get(place, 0), len(rows)), tuple(rows))
            for place, rows in by_place.items()
        ]
        count = max(self._totals.by_query.get(query, 0), shown)
        more = self._left(query, count, shown)
        return QueryGroup(query, count, tuple(sorted(places, key=lambda place: -place.count)), more)

    def _left(self, query: str, count: int, shown: int) -> int:
        """Return how many mentions of a query no row shows, and no message of their own has told of."""
        return max(count - self._totals.at_once_of.get(query, 0) - shown, 0)

    def _row(self, position: int, width: int | None) -> DigestRow:
        chars = COMPACT_CHARS if width is None else width
        view = self._views.get((position, chars))
        if view is None:
            mention = near_hit(self._newest_first[position])
            view = mention_view(mention, self._notice.timezone, self._now, width=chars)
            self._views[position, chars] = view
        return DigestRow(view, full=width is not None)
