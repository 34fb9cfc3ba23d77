"""Reading a listing that only goes back, newest first, until it meets what was read before. Pure.

A listing's order is neither that of ids nor that of times: a post released from the spam filter enters at the top
with its old id and date, and what a moderator restores returns to its own old place. So only *identity* ends a
reading: it is complete when a page ends with items whose names the cursor remembers. Where the cursor remembers less
than the rest of a page has room for (of a feed that has left its group, say), a run of such items within it will do.

The cursor remembers, as JSON:

    seen    the names last read, in the listing's order, about 200, each with its feed ("" where all are read)
    last    for each feed its newest few names: they stay when busier feeds push it out of ``seen``, so that a feed
            that later leaves its group still knows where it was
    aside   the same for feeds that joined since. They were read after the group was, so the group's own names end the
            reading for them too (see ``db.groups``), but theirs must not end it for the group: they count only for a
            feed that is read alone
    edge    name and time of an item at the top, for the bounds of a gap

A feed of which nothing is remembered (new, or silent for as long as anybody looked) has no names to meet. For it a
reading ends with the first page on which everything is older than ``since``: one old item among newer ones, or one
with a date in the future, cannot end it early or keep it from ending for good. A whole page of nothing but old posts
that were just released does end it early: by dates alone it cannot be told from the end of the news.

A listing that ends before that was read to its real end, or only to its depth. The pages alone do not tell: what is
posted while a reading waits between two of them pushes as much out at the bottom. So before a reading takes an end for
the real one, it looks at the newest page once more.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from overheard.items import Item
from overheard.sources import ListingGap, Page, ReadRequest

SEEN_NAMES = 200
NAMES_PER_FEED = 5
STOP_RUN_ITEMS = 3  # remembered items in a row that end a reading: one or two may have been moved
ANCHOR_RETRY_FRACTIONS = (
    0.0,
    0.25,
    0.5,
    1.0,
)  # of a page: how far a reading whose anchor has disappeared looks for another
FULL_DEPTH_FRACTION = 0.95  # of the depth: a listing that ends short of it has really ended
CLOCK_MARGIN_SECONDS = 60.0  # by which the source's clock and ours may differ

Edge = tuple[str, float]
Seen = tuple[str, str]  # (name, feed)


class ListingCursor(msgspec.Struct, omit_defaults=True):
    """A cursor, decoded."""

    seen: list[Seen] = []
    last: dict[str, list[str]] = {}
    aside: dict[str, list[str]] = {}
    edge: Edge | None = None


class ListingPosition(msgspec.Struct, omit_defaults=True):
    """A reading under way, between two pages.

    ``page``: the names of the latest page that had any. ``met``: how many remembered names it has met so far.
    """

    after: str = ""
    pages: int = 0
    met: int = 0
    seen: list[Seen] = []
    last: dict[str, list[str]] = {}
    load: dict[str, int] = {}
    edge: Edge | None = None
    bottom: Edge | None = None
    page: list[str] = []
    steps: int = 0  # steps back since the latest page that had something new


class ListingReader:
    """One reading of the merged listing of the request's places, from its newest page back.

    The request's ``cursor`` and ``position`` are what ``Page`` gave before (None: a first reading; from the newest
    page).
    """

    def __init__(self, request: ReadRequest, *, page_size: int, depth: int) -> None:
        cursor, position, since = request.cursor, request.position, request.since
        self._names = frozenset(request.places)
        self._old = msgspec.json.decode(cursor, type=ListingCursor) if cursor else ListingCursor()
        self._at = msgspec.json.decode(position, type=ListingPosition) if position else ListingPosition()
        self._known = self._names_that_count()
        self._since = since - CLOCK_MARGIN_SECONDS if cursor else float(int(since))  # listings have whole seconds
        self._page_size = page_size
        self._depth = depth

    @property
    def after(self) -> str | None:
        """The name behind which the next page begins; None for the newest page."""
        return self._at.after or None

    def take(self, items: Sequence[Item], after: str | None) -> Page:
        """Take a page as the listing gave it; ``after`` is where the listing says that the next one begins.

        The result has those of the items that this reading has not had before.
        """
        at = self._at
        if at.pages and not at.after:
            return self._at_the_top_again(items)
        if at.after and not items:
            return self._without_anchor()
        had = set(at.page)
        new = tuple(item for item in items if item.id not in had)
        complete = self._meets(items, cut=after is None and len(items) < self._page_size)
        self._remember(items, new)
        short = after is None and not self._deep()
        whole = short and not at.after  # one page holds it all: nothing came between two
        at.after = after or ""
        return self._page(new, complete=complete or whole, ended=after is None and not short)

    def _without_anchor(self) -> Page:
        """Go on from an item before the one that has disappeared from the listing.

        When what is found behind that is the old anchor and nothing else, the listing has ended there.
        """
        at = self._at
        if self._deep():
            return self._page((), complete=False, ended=True)
        if at.steps == len(ANCHOR_RETRY_FRACTIONS) or len(at.page) < 2:
            return self._page((), complete=False, ended=True, reason="anchor")
        at.after = at.page[-max(2, int(ANCHOR_RETRY_FRACTIONS[at.steps] * len(at.page)))]
        at.steps += 1
        return self._page((), complete=False, ended=False)

    def _at_the_top_again(self, items: Sequence[Item]) -> Page:
        """End a reading that met the listing's end: the real one, unless too much has come at the top meanwhile.

        What has come is left to the next reading.
        """
        seen = {name for name, _ in self._at.seen}
        came = next((place for place, item in enumerate(items) if item.id in seen), None)  # None: more than a page
        return self._page((), complete=came is not None and not self._deep(came), ended=True)

    def _page(self, items: tuple[Item, ...], *, complete: bool, ended: bool, reason: str = "horizon") -> Page:
        at = self._at
        going_on = not complete and not ended
        unread = None if complete else ListingGap(reason, self._old.edge, at.bottom)
        return Page(
            items=items,
            position=msgspec.json.encode(at).decode() if going_on else None,
            complete=complete,
            cursor=self._cursor(complete),
            unread=unread,
            load=dict(at.load),
        )

    def _names_that_count(self) -> set[str]:
        old = self._old
        known = {name for name, feed in old.seen if not feed or feed in self._names}
        known.update(*(old.last.get(feed, ()) for feed in self._names))
        if len(self._names) == 1:
            known.update(*(old.aside.get(feed, ()) for feed in self._names))
        return known

    def _meets(self, items: Sequence[Item], *, cut: bool) -> bool:
        if not self._known:  # news may have pushed the rest of a cut page out: its few items show nothing
            return bool(items) and not cut and all(item.created_at < self._since for item in items)
        known = [item.id in self._known for item in items]
        need = min(STOP_RUN_ITEMS, len(self._known))
        if len(items) >= need and all(known[-need:]):
            return True
        left = len(self._known) - self._at.met
        run = 0
        for place, is_known in enumerate(known):
            run = run + 1 if is_known else 0
            if run == need and place + 1 - need + left < len(items):
                return True
        return False

    def _remember(self, items: Sequence[Item], new: Sequence[Item]) -> None:
        at = self._at
        if new or not at.pages:
            at.pages += 1
        if new:
            at.steps = 0
            at.bottom = _middle(new[-STOP_RUN_ITEMS:])
        if items:
            at.page = [item.id for item in items]
            at.met += sum(item.id in self._known for item in new)
        if at.edge is None:
            at.edge = _middle(new[:STOP_RUN_ITEMS])
        at.seen += [(item.id, self._feed_of(item)) for item in new][: SEEN_NAMES - len(at.seen)]
        for item in new:
            if feed := self._feed_of(item):
                at.load[feed] = at.load.get(feed, 0) + 1
                latest = at.last.setdefault(feed, [])
                if len(latest) < NAMES_PER_FEED:
                    latest.append(item.id)

    def _feed_of(self, item: Item) -> str:
        feed = item.place.lower()
        return feed if feed in self._names else ""

    def _cursor(self, complete: bool) -> str:
        """What the next reading needs when this one ends here. Behind a gap, older names say nothing."""
        at, old = self._at, self._old
        seen, last = list(at.seen), {feed: list(names) for feed, names in at.last.items()}
        if complete:
            had = {name for name, _ in seen}
            own = [each for each in old.seen if each[0] in self._known and each[0] not in had]
            seen += own[: SEEN_NAMES - len(seen)]
        for feed in self._names:
            latest = last.setdefault(feed, [])
            for name in (*old.last.get(feed, ()), *old.aside.get(feed, ())):
                if len(latest) < NAMES_PER_FEED and name not in latest:
                    latest.append(name)
        last = {feed: names for feed, names in sorted(last.items()) if names}
        return msgspec.json.encode(ListingCursor(seen, last, edge=at.edge or old.edge)).decode()

    def _deep(self, came: int = 0) -> bool:
        return self._at.pages * self._page_size + came >= FULL_DEPTH_FRACTION * self._depth


def merge_cursors(older: str | None, newer: Sequence[str | None]) -> str | None:
    """The cursor of a group to which the feeds of others were added, all of them read after it was."""
    if older is None:
        return None
    base = msgspec.json.decode(older, type=ListingCursor)
    for cursor in newer:
        if cursor is not None:
            other = msgspec.json.decode(cursor, type=ListingCursor)
            base.aside |= other.aside | other.last
    return msgspec.json.encode(base).decode()


def _middle(items: Sequence[Item]) -> Edge | None:
    """Of a few neighbours the one that was created in the middle: not the one that was released late, or misdated."""
    if not items:
        return None
    item = sorted(items, key=lambda item: item.created_at)[len(items) // 2]
    return item.id, item.created_at
