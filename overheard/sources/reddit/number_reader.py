"""Read all posts, or all comments, of Reddit by their numbers: forwards, a hundred to a request. Pure.

A listing of all of Reddit holds what is posted in a minute, and its order proves nothing. Numbers are given without
holes, or nearly, so counting reads everything, and after a stop it goes on where it was. Of many busy subreddits, too:
what is posted elsewhere is looked up with it, and left out. Groups that were read as listings before begin with what
was posted since.

    next       every number below it has been read, or is missing
    missing    a number without an item, below one that has an item: it may appear, so it is asked for again, together
               with new ones, and at last given up. So is what a filter holds: a moderator may approve it. For hours in
               places that are watched; of all of Reddit, once. If there are too many, the oldest become a gap, a hole,
               to be looked up when there is budget
    head       a page without items near its end has reached it. It is not asked for, with four exceptions, in which the
               newest page of r/all tells: at first; when a page has no item at all for longer than chance explains (the
               numbers may have jumped); when it has not been reached for LAG_SECONDS; after that with each reading

If the head is too far ahead, reading goes on there, and what is between is a gap, to be filled when there is budget.
Across a jump in the numbers, a page of numbers that are far apart finds where they go on: a hundredth of the way each.
What it has passed is a gap, too: a jump, or a hole if so many numbers may have been given in the time.

Full pages cost least. So a reading that is nearly at the head leaves the rest of a full page's news to the next one.
How near it is shows in its newest item's age, compared with the age that such items had when the head was reached: a
difference between Reddit's clock and ours is in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from overheard.items import ALL, KINDS_IN, Item, place_key
from overheard.reading.numbers import HOLE, JUMP
from overheard.sources import ListingGap, NumberedPage, Page, ReadRequest
from overheard.sources.reddit.listing_cursor import is_listing_cursor
from overheard.sources.reddit.names import LOOKUP_ITEMS, number_of, numbered
from overheard.sources.reddit.number_beginning import TOP_ITEMS, NumberBeginning
from overheard.sources.reddit.number_cursor import (
    HELD_ANYWHERE_SECONDS,
    HELD_SECONDS,
    LATE_SECONDS,
    OVERLAP_NUMBERS,
    Missing,
    NumberCursor,
    bounded,
    decode_cursor,
    missing_of,
    stretches,
)
from overheard.sources.reddit.number_position import LAG_NUMBERS, LAG_SECONDS, NumberPosition, decode_position

AGAIN_MAX_NUMBERS = 40  # of a page, so that a reading always gets on
AGAIN_AT_HEAD_MAX_NUMBERS = 80  # when the head is reached, and only these are left
HEAD_NUMBERS = 10  # absent at a page's end: it has reached the head. By chance, with 5 % holes: 1 page in 10^13
# News that should have come while none came: less than once in 3,000 times that is chance.
QUIET_NUMBERS = 8.0
QUIET_MAX_SECONDS = 600.0
JUMP_PACE_FACTOR = 4.0  # by which numbers must have been given faster than before to be a jump; chosen, not measured


class NumberReader:
    """Reads one page: of the ``numbers`` or, if there are none, the newest page of r/all. ``now``: epoch seconds."""

    def __init__(self, request: ReadRequest, now: float) -> None:
        self._kind = request.kind
        self._places = frozenset(request.places)
        self._everything = ALL in self._places
        self._held_seconds = HELD_ANYWHERE_SECONDS if self._everything else HELD_SECONDS
        # A post that was held at the last reading of its listing, and is approved now, is listed there, not here.
        late_seconds = LATE_SECONDS if request.cursor else 0.0
        self._now = now
        self._at = decode_position(request.position) if request.position else self._begin(request.cursor)
        self._beginning = NumberBeginning(self._at, request.since - late_seconds, late_seconds)
        self._due: list[Missing] = [] if self._at.asks_head or self._at.step > 1 else self._due_now()
        self._new = [] if self._at.asks_head else self._new_numbers()

    @property
    def numbers(self) -> list[int]:
        """Return the numbers to ask for; none if the newest page of r/all is to be read instead."""
        return [*(number for entry in self._due for number in entry.numbers), *self._new]

    @property
    def must_ask_head(self) -> bool:
        """Return True if the reading cannot go on without the newest page of r/all."""
        return not self._at.cursor.next

    def _begin(self, text: str | None) -> NumberPosition:
        cursor = decode_cursor(text) if text else None
        at = NumberPosition(cursor or NumberCursor(0))
        # A listing's cursor is replaced: all that was posted before its reading has been read.
        outdated = text is not None and cursor is None and not is_listing_cursor(text)
        at.asks_head = not at.cursor.next or self._now - at.cursor.level_at > LAG_SECONDS
        if at.cursor.last:
            at.from_at = at.cursor.last[1]
        at.from_number = at.cursor.next
        if outdated:
            at.gaps.append(("outdated", None, None))
        return at

    def _due_now(self) -> list[Missing]:
        due, left = [], AGAIN_AT_HEAD_MAX_NUMBERS if self._at.at_head else AGAIN_MAX_NUMBERS
        for entry in sorted(self._at.cursor.missing, key=lambda entry: entry.due_at):
            if entry.due_at > self._now or len(entry.offsets) > left:
                break
            due.append(entry)
            left -= len(entry.offsets)
        return due

    def _new_numbers(self) -> list[int]:
        at, first = self._at, self._at.cursor.next
        if at.step > 1:
            return [*range(first, at.head, at.step), at.head]
        return list(range(first, first + LOOKUP_ITEMS - sum(len(entry.offsets) for entry in self._due)))

    def take(self, page: NumberedPage) -> Page:
        """Process the answer for ``numbers``."""
        items = {number: item for item in page.items if (number := number_of(item.id)) is not None}
        held = set(page.held)
        shown = items.keys() | held
        at = self._at
        self._count(page.items)
        if at.step > 1:
            self._narrow(items, shown)
            return self._page(page.items)
        if at.back and self._beginning.begin_earlier(page.items):
            return self._page(())
        self._ask_again(shown, held)
        found = [number for number in self._new if number in shown]
        if not found:
            return self._nothing_new(page.items)
        self._advance(found, shown, held)
        self._read_until([items[number] for number in found if number in items])
        if self._new[-1] - found[-1] >= HEAD_NUMBERS:
            return self._reach_head(page.items, fresh=True)
        return self._page(page.items, ended=self._at.cursor.is_nearly_level(self._now))

    def take_newest(self, items: Sequence[Item]) -> Page:
        """Process the newest page of r/all; without items if Reddit does not show it."""
        at, cursor = self._at, self._at.cursor
        was_empty, at.asks_head, at.empty = at.empty, False, False
        cursor.quiet_since = self._now
        by_number = {number: item for item in items if (number := number_of(item.id)) is not None}
        listed = sorted(by_number.items(), key=lambda entry: entry[0])
        if not listed and not cursor.next:
            return self._page((), complete=True)
        at.head = listed[-min(TOP_ITEMS, len(listed))][0] if listed else 0
        if not cursor.next:
            older = self._beginning.begin(items, listed, self._now)
            self._count(older)
            return self._page(older)
        if self._beginning.fall_back(listed):
            return self._page(())
        if listed and self._is_far_behind(by_number[at.head]):
            number, item = next(entry for entry in listed if entry[0] >= at.head - LOOKUP_ITEMS)
            at.gaps.append(("pages", cursor.last, (item.id, item.created_at)))
            cursor.next, at.from_at, at.from_number = number, item.created_at, number
        elif was_empty and at.head < cursor.next:
            return self._reach_head((), fresh=False)
        elif was_empty and at.head - cursor.next > LAG_NUMBERS:
            at.step = at.step_to(at.head)
        return self._page(())

    def _count(self, items: Sequence[Item]) -> None:
        self._at.count += len(items)
        for item in items:
            for place in (place_key(item.place), ALL):
                if place in self._places:
                    self._at.load[place] = self._at.load.get(place, 0) + 1

    def _is_far_behind(self, newest: Item) -> bool:
        at = self._at
        return newest.created_at - self._at.cursor.last_at > LAG_SECONDS and at.head - at.cursor.next > LAG_NUMBERS

    def _ask_again(self, shown: set[int], held: set[int]) -> None:
        missing = self._at.cursor.missing
        for entry in self._due:
            missing.remove(entry)
            gone = [number for number in entry.numbers if number not in shown]
            missing += missing_of(gone, entry.seen_at, self._now, held=self._held_seconds if entry.held else None)
            missing += self._missing_held(held.intersection(entry.numbers), entry.seen_at)

    def _missing_held(self, held: Iterable[int], seen_at: float) -> list[Missing]:
        return missing_of(held, seen_at, self._now, held=self._held_seconds)

    def _advance(self, found: Sequence[int], shown: set[int], held: set[int]) -> None:
        cursor = self._at.cursor
        absent = [number for number in self._new if number < found[-1] and number not in shown]
        self._miss(missing_of(absent, self._now, self._now))
        self._miss(self._missing_held(held.intersection(self._new), self._now))
        cursor.next, cursor.quiet_since = found[-1] + 1, self._now

    def _miss(self, entries: Sequence[Missing]) -> None:
        """Have the numbers asked for again. What is too much for a cursor becomes a gap."""
        at = self._at
        at.cursor.missing, given_up = bounded([*at.cursor.missing, *entries])
        for first, last in stretches(given_up, LAG_NUMBERS):
            since, until = (self._unread(first.first), first.seen_at), (self._unread(last.numbers[-1]), last.seen_at)
            at.gaps.append((HOLE, since, until))

    def _unread(self, number: int) -> str:
        (kind,) = KINDS_IN[self._kind]
        return numbered(kind, number)

    def _nothing_new(self, items: tuple[Item, ...]) -> Page:
        at, cursor = self._at, self._at.cursor
        if at.head >= cursor.next:
            if at.head <= self._new[-1]:  # it has vanished since
                at.head = 0
            elif at.head - cursor.next <= LAG_NUMBERS:
                self._miss(missing_of(self._new, self._now, self._now))
                cursor.next = self._new[-1] + 1
            else:
                at.step = at.step_to(at.head)
            return self._page(items)
        quiet = self._now - cursor.quiet_since
        if quiet * cursor.pace >= QUIET_NUMBERS or not 0.0 <= quiet < QUIET_MAX_SECONDS:
            at.asks_head = at.empty = True
            return self._page(items)
        return self._reach_head(items, fresh=False)

    def _reach_head(self, items: tuple[Item, ...], *, fresh: bool) -> Page:
        self._at.cursor.set_level(self._now, fresh=fresh)
        self._at.at_head = True
        return self._page(items, complete=not self._due_now())

    def _narrow(self, items: Mapping[int, Item], shown: set[int]) -> None:
        """Process a page of numbers that are far apart: what comes next is just below the first that has an item."""
        at, cursor = self._at, self._at.cursor
        found = next((number for number in self._new if number in shown), None)
        if found is None:
            at.step, at.head = 1, 0
            return
        below = max((number for number in self._new if number < found), default=cursor.next - 1)
        cursor.next, at.head = below + 1, found
        at.step = at.step_to(found)
        if at.step == 1:
            # A number without an item may be between others that have one.
            cursor.next = max(cursor.next - OVERLAP_NUMBERS, 1)
            cursor.level = at.from_number = 0  # how far it has moved since says nothing about the pace
            if cursor.last is None:  # a first reading began below the first number that there is
                return
            item = items.get(found)
            until = (item.id, item.created_at) if item else (self._unread(found), self._now)
            at.gaps.append((JUMP if self._has_jumped(found, until[1]) else HOLE, cursor.last, until))

    def _has_jumped(self, number: int, at: float) -> bool:
        """Return True if the numbers cannot have come so far in the time, at their pace."""
        last, pace = self._at.cursor.last, self._at.cursor.pace
        if last is None or not pace:
            return False
        count = number - (number_of(last[0]) or number)
        return count > LAG_NUMBERS + JUMP_PACE_FACTOR * pace * max(at - last[1], 0.0)

    def _read_until(self, items: Sequence[Item]) -> None:
        if items:
            self._at.cursor.last = (items[-1].id, items[-1].created_at)

    def _page(self, items: tuple[Item, ...], *, complete: bool = False, ended: bool = False) -> Page:
        at = self._at
        seconds = self._at.cursor.last_at - at.from_at if at.from_at and at.count >= LOOKUP_ITEMS else 0.0
        cursor = at.cursor if complete or ended else at.left_behind()
        wanted = items if self._everything else (item for item in items if place_key(item.place) in self._places)
        return Page(
            items=tuple(wanted),
            position=None if complete or ended else msgspec.json.encode(at).decode(),
            complete=complete,
            cursor=msgspec.json.encode(cursor).decode(),
            gaps=tuple(ListingGap(reason, since, until) for reason, since, until in at.gaps),
            load=at.load,
            behind=not complete,
            lag=None if complete or at.cursor.last is None else at.cursor.lag(self._now),
            load_seconds=seconds if seconds > 0.0 else None,
            pace=cursor.pace if cursor.pace > 0.0 else None,  # not where the numbers fell back
        )
