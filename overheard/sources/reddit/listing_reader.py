"""Read a listing from its newest item backwards until it meets items that were read before. Pure.

A listing is sorted neither by id nor by time: a post released from the spam filter enters at the top with its old id
and date, and an item that a moderator restores returns to its old position. So only *identity* ends a reading: it is
complete when a page ends with items whose names (fullnames) the cursor remembers. If the cursor remembers fewer names
than fit into the rest of the page (a feed that has left its group, for example), a run of such items anywhere in the
page is enough.

A feed without remembered names (new, or without items so far) has nothing to meet. Its reading ends with the first
page on which every item is older than ``since``: a single old item among newer ones cannot end it early, and a single
date in the future cannot keep it going forever. A whole page of old posts that were just released does end it early:
by dates alone it looks like the end of the new items. The same ends the first reading of a group that others have
joined: what is remembered of the group may be far behind what is new in busier feeds.

A second look has nothing to meet, either: it ends with the first page whose last quarter is older than ``back_to``, or
with the listing. It is incomplete if the listing ends first at its maximum depth.

If the listing ends first, the reading has reached either the listing's real end or only its maximum depth. The pages
alone do not show which: items posted while a reading waits between two pages push as many out at the bottom. So before
a reading accepts an end as the real one, it requests the newest page once more.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from overheard.items import Item
from overheard.sources import ListingGap, Page, ReadRequest
from overheard.sources.reddit.listing_cursor import (
    NAMES_PER_FEED,
    SEEN_NAMES,
    ListingCursor,
    Seen,
    decode_listing_cursor,
)
from overheard.sources.reddit.names import number_of
from overheard.sources.reddit.number_cursor import LATE_SECONDS, Edge, decode_cursor

STOP_RUN_ITEMS = 3  # remembered items in a row that end a reading: one or two may have been moved
# Of the latest page: how far up to take another anchor when the last one has disappeared. Each costs a request, so
# they are few; chosen, not measured.
ANCHOR_RETRY_FRACTIONS = (0.0, 0.25, 0.5, 1.0)
FULL_DEPTH_FRACTION = 0.95  # of the depth: a listing that ends before it has really ended; chosen, not measured
LOOK_TAIL_FRACTION = 0.25  # of a page that has to be old enough to end a second look; chosen, not measured
# The last items read, of which the newest is the bound of a gap below them: whatever is missing is older, unless all of
# these were released late. Chosen, not measured.
BOUND_ITEMS = 20
CLOCK_MARGIN_SECONDS = 60.0  # the largest expected difference between the source's clock and ours; chosen
PACE_LEAST_SECONDS = 20.0  # between two items that show how fast the numbers grow: times are whole seconds
ORDER_MARGIN_SECONDS = 10.0  # by which items may be listed in another order than they were written; chosen


class ListingPosition(msgspec.Struct, omit_defaults=True):
    """The state of a reading between two pages.

    ``page``: the names on the latest page that was not empty. ``met``: how many remembered names it has met so far.
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
    steps: int = 0  # anchors tried since the latest page with new items


_POSITION = msgspec.json.Decoder(ListingPosition)


class ListingReader:
    """Reads the merged listing of the request's places, one page per instance, from the newest page backwards.

    The request's ``cursor`` and ``position`` come from earlier pages (None: a first reading; start at the newest page).
    """

    def __init__(self, request: ReadRequest, *, page_size: int, depth: int) -> None:
        cursor, position, since = request.cursor, request.position, request.since
        self._places = frozenset(request.places)
        self._previous = decode_listing_cursor(cursor) if cursor else ListingCursor()
        self._at = _POSITION.decode(position) if position else ListingPosition()
        self._known = self._previous.names_of(self._places)
        # Without a cursor `since` is when the watch began, and nothing older is wanted, so there is no margin. Times in
        # listings are whole seconds.
        self._since = since - CLOCK_MARGIN_SECONDS if cursor else float(int(since))
        numbers = decode_cursor(cursor) if cursor else None
        if numbers is not None:
            self._since = min(since, numbers.last[1] if numbers.last else since) - LATE_SECONDS  # it may be behind
        self._back_to = request.back_to
        self._joined = bool(self._previous.aside) and len(self._places) > 1
        edge = self._previous.edge
        if self._joined and edge is not None and edge[1] <= since:  # not if it has a date in the future
            self._since = max(self._since, edge[1] - ORDER_MARGIN_SECONDS)
        self._page_size = page_size
        self._depth = depth

    @property
    def after(self) -> str | None:
        """The name after which the next page starts; None for the newest page."""
        return self._at.after or None

    def take(self, items: Sequence[Item], after: str | None) -> Page:
        """Process a page of the listing; ``after`` is the listing's own anchor for the next page.

        The result contains only items that were not on this reading's previous page.
        """
        at = self._at
        if at.pages and not at.after:
            return self._newest_page_again(items)
        if at.after and not items:
            return self._without_anchor()
        previous = set(at.page)
        new = tuple(item for item in items if item.id not in previous)
        if self._back_to:
            complete = self._is_far_enough(items)
        else:
            complete = self._meets(items, cut=after is None and len(items) < self._page_size)
        self._remember(items, new)
        short = after is None and not self._deep()
        # One page holds everything: nothing can have arrived between two pages. A look does not ask for the newest page
        # once more.
        whole = short and (not at.after or self._back_to > 0.0)
        at.after = after or ""
        return self._page(new, complete=complete or whole, ended=after is None and not short)

    def _without_anchor(self) -> Page:
        """Continue from an item above the anchor, which has disappeared from the listing.

        A deleted anchor gives an empty page, but so does the listing's real end: there, the page behind the new
        anchor holds the old one and nothing else.
        """
        at = self._at
        if self._deep():
            return self._page((), complete=False, ended=True)
        if at.steps == len(ANCHOR_RETRY_FRACTIONS) or len(at.page) < 2:
            return self._page((), complete=False, ended=True, reason="anchor")
        at.after = at.page[-max(2, int(ANCHOR_RETRY_FRACTIONS[at.steps] * len(at.page)))]
        at.steps += 1
        return self._page((), complete=False, ended=False)

    def _newest_page_again(self, items: Sequence[Item]) -> Page:
        """End a reading that has met the listing's end; it was the real end unless too many items arrived meanwhile.

        The items that arrived are left to the next reading.
        """
        seen = {name for name, _ in self._at.seen}
        # None: more than a page.
        arrived = next((position for position, item in enumerate(items) if item.id in seen), None)
        return self._page((), complete=arrived is not None and not self._deep(arrived), ended=True)

    def _page(self, items: tuple[Item, ...], *, complete: bool, ended: bool, reason: str = "horizon") -> Page:
        at = self._at
        continues = not complete and not ended
        unread = None if complete else ListingGap(reason, self._previous.edge, at.bottom)
        return Page(
            items=items,
            position=msgspec.json.encode(at).decode() if continues else None,
            complete=complete,
            cursor=self._cursor(complete),
            unread=unread,
            load=dict(at.load),
            pace=_pace(self._previous.edge or at.bottom, at.edge),
        )

    def _meets(self, items: Sequence[Item], *, cut: bool) -> bool:
        # A cut page proves nothing: new items may have pushed the rest of it out of the listing.
        outdated = bool(items) and not cut and all(item.created_at < self._since for item in items)
        if not self._known or (outdated and self._joined):
            return outdated
        known = [item.id in self._known for item in items]
        need = min(STOP_RUN_ITEMS, len(self._known))
        if len(items) >= need and all(known[-need:]):
            return True
        # A run within the page is enough only if the page, from the run on, has room for all names not met yet: then
        # it reaches below everything that is remembered.
        left = len(self._known) - self._at.met
        run = 0
        for position, is_known in enumerate(known):
            run = run + 1 if is_known else 0
            if run == need and position + 1 - need + left < len(items):
                return True
        return False

    def _is_far_enough(self, items: Sequence[Item]) -> bool:
        tail = items[-max(STOP_RUN_ITEMS, int(LOOK_TAIL_FRACTION * self._page_size)) :]
        return all(item.created_at < self._back_to for item in tail)

    def _remember(self, items: Sequence[Item], new: Sequence[Item]) -> None:
        at = self._at
        if new or not at.pages:  # a page without new items, behind another anchor, is not deeper
            at.pages += 1
        if new:
            at.steps = 0
            at.bottom = _newest(new[-BOUND_ITEMS:])
        if items:
            at.page = [item.id for item in items]
            at.met += sum(item.id in self._known for item in new)
        at.edge = _newer(at.edge, _newest(new))
        at.seen += [(item.id, self._feed_of(item)) for item in new][: SEEN_NAMES - len(at.seen)]
        for item in new:
            if feed := self._feed_of(item):
                at.load[feed] = at.load.get(feed, 0) + (item.id not in self._known)
                latest = at.last.setdefault(feed, [])
                if len(latest) < NAMES_PER_FEED:
                    latest.append(item.id)

    def _feed_of(self, item: Item) -> str:
        feed = item.place.lower()
        return feed if feed in self._places else ""

    def _cursor(self, complete: bool) -> str:
        """Return the cursor for the next reading. Behind a gap, older names in ``seen`` are useless and are dropped."""
        at, previous = self._at, self._previous
        seen, last = list(at.seen), {feed: list(names) for feed, names in at.last.items()}
        if complete:
            read = {name for name, _ in seen}
            own = [entry for entry in previous.seen if entry[0] in self._known and entry[0] not in read]
            seen += own[: SEEN_NAMES - len(seen)]
        for feed in self._places:
            latest = last.setdefault(feed, [])
            for name in (*previous.last.get(feed, ()), *previous.aside.get(feed, ())):
                if len(latest) < NAMES_PER_FEED and name not in latest:
                    latest.append(name)
        last = {feed: names for feed, names in sorted(last.items()) if names}
        return msgspec.json.encode(ListingCursor(seen, last, edge=_newer(previous.edge, at.edge))).decode()

    def _deep(self, arrived: int = 0) -> bool:
        return self._at.pages * self._page_size + arrived >= FULL_DEPTH_FRACTION * self._depth


def _pace(earlier: Edge | None, later: Edge | None) -> float | None:
    """Return how many numbers a second were given out between two items; None if they are too close together."""
    if earlier is None or later is None or later[1] - earlier[1] < PACE_LEAST_SECONDS:
        return None
    first, last = number_of(earlier[0]), number_of(later[0])
    return None if first is None or last is None else max(last - first, 0) / (later[1] - earlier[1])


def _newest(items: Sequence[Item]) -> Edge | None:
    """Return the item with the highest number: neither one that was released late nor one with a wrong date."""
    if not items:
        return None
    item = max(items, key=lambda item: number_of(item.id) or 0)
    return item.id, item.created_at


def _newer(one: Edge | None, other: Edge | None) -> Edge | None:
    edges = [edge for edge in (one, other) if edge is not None]
    return max(edges, key=lambda edge: number_of(edge[0]) or 0, default=None)
