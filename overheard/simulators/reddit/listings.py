"""Page through listings the way Reddit does.

A listing is given as columns: lists of the items' places, each sorted lowest first (one column per subreddit). The
rules are those of Reddit's published source (`IDBuilder`): an anchor that has left the listing gives an empty page, for
both `before` and `after`; a full page always names a next one, even if that turns out to be empty; and items below the
maximum depth (1,000) do not exist.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from .items import Place

Columns = Sequence[list[Place]]


@dataclass(frozen=True, slots=True)
class ListingPage:
    """The places on a page, highest first. `more`: there may be more items in the requested direction."""

    places: list[Place]
    more: bool


def newest(columns: Columns, limit: int, depth: int = 1000) -> ListingPage:
    """Return the first page."""
    want = min(limit, depth)
    places = sorted((place for column in columns for place in column[-want:]), reverse=True)[:want]
    return ListingPage(places, len(places) == limit)


def after(columns: Columns, anchor: Place, limit: int, depth: int = 1000) -> ListingPage:
    """Return the page of items older than the anchor."""
    rank = _rank(columns, anchor)
    if rank is None or rank >= depth:
        return ListingPage([], False)
    want = min(limit, depth - rank - 1)
    older: list[Place] = []
    for column in columns:
        end = bisect_left(column, anchor)
        older += column[max(0, end - want) : end]
    places = sorted(older, reverse=True)[:want]
    return ListingPage(places, len(places) == limit)


def before(columns: Columns, anchor: Place, limit: int, depth: int = 1000) -> ListingPage:
    """Return the page of items next to the anchor that are newer (newest first, like every page)."""
    rank = _rank(columns, anchor)
    if rank is None or rank >= depth:
        return ListingPage([], False)
    newer: list[Place] = []
    for column in columns:
        start = bisect_right(column, anchor)
        newer += column[start : start + limit]
    places = sorted(newer)[:limit]
    places.reverse()
    return ListingPage(places, len(places) == limit)


def _rank(columns: Columns, anchor: Place) -> int | None:
    """Return how many items are newer than the anchor, or None when it is not in the listing."""
    rank, present = 0, False
    for column in columns:
        end = bisect_right(column, anchor)
        present = present or (end > 0 and column[end - 1] == anchor)
        rank += len(column) - end
    return rank if present else None
