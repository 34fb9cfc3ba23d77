"""Which mentions: the conditions of ``overheard mentions``."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any

import msgspec
from peewee import fn

from overheard.db import visibility
from overheard.db.models import BUNDLED, Delivery, Mention, Query, StoredItem
from overheard.db.storable_text import storable

BACKFILLED = "backfilled"
SEARCH_MAX_CHARS = 200  # SQLite refuses patterns of 50,000


class MentionFilter(msgspec.Struct, frozen=True):
    """Which mentions; None: all. ``workspace`` is a slug, ``query`` a name; ``since``: stored from then on.

    ``places`` are in lower case. ``state``: of one of its deliveries, or "backfilled". ``search``: in the title, the
    body or the author's name.
    """

    workspace: str | None = None
    since: float | None = None
    query: str | None = None
    source: str | None = None
    places: tuple[str, ...] | None = None
    state: str | None = None
    search: str | None = None

    def narrow(self, rows: Any) -> Any:
        """Return ``mentions.rows`` with these conditions."""
        rows = rows.where(visibility.workspace_condition(self.workspace))
        if self.since is not None:
            rows = rows.where(Mention.stored_at >= self.since)
        for value, condition in self._conditions:
            if value is not None:
                rows = rows.where(condition(value))
        return rows

    @property
    def _conditions(self) -> tuple[tuple[Any, Callable[[Any], Any]], ...]:
        return (
            (self.query, found_by),
            (self.source, lambda source: StoredItem.source == source),
            (self.places, lambda places: fn.LOWER(StoredItem.place).in_(places)),
            (self.state, in_state),
            (self.search, has_text),
        )


def found_by(query: str) -> Any:
    """Return the condition that a query of this name in the mention's workspace has found it."""
    # JSON of numbers: [3,17] becomes ,3,17, and is searched for ,17,
    listed = fn.REPLACE(fn.REPLACE(Mention.query_ids, "[", ","), "]", ",")
    named = Query.select(Query.id).where(
        Query.workspace == Mention.workspace,
        Query.name == storable(query),
        listed.contains(_between_commas(Query.id)),
    )
    return fn.EXISTS(named)


def _between_commas(number: Any) -> Any:
    return fn.REPLACE(",n,", "n", number.cast("TEXT"))


def in_state(state: str) -> Any:
    """Return the condition that a delivery of the mention is in this state: itself, or what it was bundled into."""
    if state == BACKFILLED:
        return Mention.backfilled
    own, taken = Delivery.alias(), Delivery.alias()
    has = own.select(own.id).where(own.mention == Mention.id, own.state == state)
    if state == BUNDLED:
        return fn.EXISTS(has)
    within = (
        own.select(own.id)
        .join(taken, on=(own.bundle == taken.id))
        .where(own.mention == Mention.id, own.state == BUNDLED, taken.state == state)
    )
    return fn.EXISTS(has) | fn.EXISTS(within)


def has_text(text: str) -> Any:
    """Return the condition that the mention's item has this text, in any case."""
    fields = (StoredItem.title, StoredItem.thread_title, StoredItem.body, StoredItem.author)
    # ``contains`` escapes % and _.
    spellings = sorted(_spellings(storable(text)))
    return reduce(or_, (field.contains(spelling) for field in fields for spelling in spellings))


def _spellings(text: str) -> set[str]:
    """Return the text in lower and upper case: SQLite's LIKE, and PostgreSQL's in some locales, folds ASCII only."""
    return {text, text.lower(), text.upper(), text.capitalize()}
