"""Paging through listings the way Reddit does.

A listing is given as columns: lists of the items' places, each sorted lowest first (one column per subreddit). The
rules are those of Reddit's published source (`IDBuilder`): an anchor that is not in the listing any more gives an empty
page, for `before` and `after` alike; a full page always names a next one, even when that will turn out empty; and
whatever lies deeper than the depth (1,000) does not exist.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from .items import Place

Columns = Sequence[list[Place]]


@dataclass(frozen=True, slots=True)
class ListingPage:
    """Places of items, highest first, and whether there may be more in the direction that was asked for."""

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
    """Return the page of items just newer than the anchor (newest first, like every page)."""
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
