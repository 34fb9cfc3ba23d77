"""The cursor of a listing: which items were read last. Pure.

The cursor remembers, as JSON:

    seen    the names last read, in the listing's order, about 200, each with its feed ("" when reading r/all)
    last    for each feed its newest few names: they stay when busier feeds push the feed out of ``seen``, so that a
            feed that later leaves its group can still be read from where it was
    aside   the same for feeds that have joined since. They were read more recently than the group, so the group's own
            names end the reading for them as well (see ``db.regrouping``). Their names must not end it for the group,
            so they count only when such a feed is read alone
    edge    name and time of the newest item, for the bounds of a gap, and for the first reading with feeds that have
            joined
"""

from __future__ import annotations

from collections.abc import Sequence, Set

import msgspec

from overheard.sources.reddit.number_cursor import Edge, decode_cursor

SEEN_NAMES = 200  # two pages: a page of them may be deleted, and the others still end the reading
NAMES_PER_FEED = 5  # enough for a run that ends a reading when two of them are deleted; 200 feeds still fit a cursor

Seen = tuple[str, str]  # (name, feed)


class ListingCursor(msgspec.Struct, omit_defaults=True):
    """The decoded cursor; the module's docstring explains the fields."""

    seen: list[Seen] = []
    last: dict[str, list[str]] = {}
    aside: dict[str, list[str]] = {}
    edge: Edge | None = None

    def names_of(self, places: Set[str]) -> set[str]:
        """Return the remembered names that end a reading of these places."""
        names = {name for name, feed in self.seen if not feed or feed in places}
        names.update(*(self.last.get(feed, ()) for feed in places))
        if len(places) == 1:  # read alone: see `aside` above
            names.update(*(self.aside.get(feed, ()) for feed in places))
        return names


_CURSOR = msgspec.json.Decoder(ListingCursor)


def merge_cursors(older: str | None, newer: Sequence[str | None]) -> str | None:
    """Return ``older`` with the feeds of the groups that join it, all of which were read more recently."""
    if older is None or decode_cursor(older) is not None:
        return older
    base = _CURSOR.decode(older)
    for cursor in newer:
        if cursor is not None:
            other = decode_listing_cursor(cursor)
            base.aside |= other.aside | other.last
            base.aside.setdefault("", [])  # those that were read by numbers bring no names, but have joined, too
    return msgspec.json.encode(base).decode()


def is_listing_cursor(text: str) -> bool:
    """Return True for the cursor of a listing."""
    try:
        _CURSOR.decode(text)
    except (msgspec.MsgspecError, UnicodeError):
        return False
    return True


def decode_listing_cursor(text: str) -> ListingCursor:
    """Return a cursor; one of a reading by numbers remembers its newest item only. Raises MsgspecError."""
    numbers = decode_cursor(text)
    return _CURSOR.decode(text) if numbers is None else ListingCursor(edge=numbers.last)
