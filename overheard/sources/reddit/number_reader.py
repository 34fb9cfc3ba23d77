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

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import msgspec

from overheard.items import ALL, KINDS_IN, Item, place_key
from overheard.reading.numbers import HOLE, JUMP
from overheard.sources import ListingGap, NumberedPage, Page, ReadRequest
from overheard.sources.reddit.listing_cursor import is_listing_cursor
from overheard.sources.reddit.names import LOOKUP_ITEMS, number_of, numbered
from overheard.sources.reddit.number_cursor import (
    HELD_ANYWHERE_SECONDS,
    HELD_SECONDS,
    LATE_SECONDS,
    OVERLAP_NUMBERS,
    Edge,
    Missing,
    NumberCursor,
    bounded,
    decode_cursor,
    missing_of,
    stretches,
)

AGAIN_MAX_NUMBERS = 40  # of a page, so that a reading always gets on
AGAIN_AT_HEAD_MAX_NUMBERS = 80  # when the head is reached, and only these are left
HEAD_NUMBERS = 10  # absent at a page's end: it has reached the head. By chance, with 5 % holes: 1 page in 10^13
TOP_ITEMS = 3  # the head is the third newest item: two wrong numbers cannot lead away
# Behind the head, reading goes on there. But what a few readings bring is never left out, however old it is.
LAG_SECONDS = 900.0
LAG_NUMBERS = 2000
BACK_MAX_NUMBERS = 10_000  # by which a first reading begins earlier, step by step; chosen, not measured
REST_SECONDS = 4.0  # of news that a full page leaves to the next reading, at most
REST_MAX_SECONDS = 60.0  # without reaching the head
# News that should have come while none came: less than once in 3,000 times that is chance.
QUIET_NUMBERS = 8.0
QUIET_MAX_SECONDS = 600.0
PACE_LEAST_SECONDS = 4.0  # between two items that show it: times are whole seconds
PACE_SECONDS = 300.0  # that the estimate of the pace rests on; chosen, not measured
JUMP_PACE_FACTOR = 4.0  # by which numbers must have been given faster than before to be a jump; chosen, not measured
CLOCK_SECONDS = 60.0  # by which an item must be newer than the last one read to show that the numbers fell back


class NumberPosition(msgspec.Struct, omit_defaults=True, tag="numbers"):
    """The state of a reading between two pages. Its tag tells it from that of a listing.

    ``asks_head``: the next page is the newest of r/all; ``empty``: the one before had no item. ``at_head``: the head is
    reached, and numbers are left to be asked for again. ``head``: an item's number near the head, 0 while unknown.
    ``step``: the distance of the numbers that are asked for. ``back``: by how much a first reading begins earlier if it
    has to. ``count``: new items, the first of them created after ``from_at``, with ``from_number`` or a higher one;
    ``load``: those of watched places.
    """

    cursor: NumberCursor
    asks_head: bool = False
    empty: bool = False
    at_head: bool = False
    head: int = 0
    step: int = 1
    back: int = 0
    count: int = 0
    load: dict[str, int] = {}
    from_at: float = 0.0
    from_number: int = 0
    gaps: list[tuple[str, Edge | None, Edge | None]] = []


_POSITION = msgspec.json.Decoder(NumberPosition)


def is_number_position(text: str) -> bool:
    """Return True if a reading by numbers has got there, not one of a listing."""
    try:
        _POSITION.decode(text)
    except (msgspec.MsgspecError, UnicodeError):
        return False
    return True


class NumberReader:
    """Reads one page: of the ``numbers`` or, if there are none, the newest page of r/all. ``now``: epoch seconds."""

    def __init__(self, request: ReadRequest, now: float) -> None:
        self._kind = request.kind
        self._places = frozenset(request.places)
        self._everything = ALL in self._places
        self._held_seconds = HELD_ANYWHERE_SECONDS if self._everything else HELD_SECONDS
        # A post that was held at the last reading of its listing, and is approved now, is listed there, not here.
        self._late_seconds = LATE_SECONDS if request.cursor else 0.0
        self._since = request.since - self._late_seconds
        self._now = now
        self._at = _POSITION.decode(request.position) if request.position else self._begin(request.cursor)
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
        at.from_at = at.cursor.last[1] if at.cursor.last else 0.0
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
        if at.back and self._begin_earlier(page.items):
            return self._page(())
        self._ask_again(shown, held)
        found = [number for number in self._new if number in shown]
        if not found:
            return self._nothing_new(page.items)
        self._advance(found, shown, held)
        self._read_until([items[number] for number in found if number in items])
        if self._new[-1] - found[-1] >= HEAD_NUMBERS:
            return self._reach_head(page.items, fresh=True)
        return self._page(page.items, ended=self._is_nearly_level())

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
            older = self._begin_at(items, listed)
            self._count(older)
            return self._page(older)
        if self._numbers_fell_back(listed):
            return self._page(())
        if listed and self._is_far_behind(by_number[at.head]):
            number, item = next(entry for entry in listed if entry[0] >= at.head - LOOKUP_ITEMS)
            at.gaps.append(("pages", cursor.last, (item.id, item.created_at)))
            cursor.next, at.from_at = number, item.created_at
        elif was_empty and at.head < cursor.next:
            return self._reach_head((), fresh=False)
        elif was_empty and at.head - cursor.next > LAG_NUMBERS:
            at.step = self._step_to(at.head)
        return self._page(())

    def _count(self, items: Sequence[Item]) -> None:
        self._at.count += len(items)
        for item in items:
            for place in (place_key(item.place), ALL):
                if place in self._places:
                    self._at.load[place] = self._at.load.get(place, 0) + 1

    def _is_far_behind(self, newest: Item) -> bool:
        at = self._at
        return newest.created_at - self._last_at > LAG_SECONDS and at.head - at.cursor.next > LAG_NUMBERS

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
                at.step = self._step_to(at.head)
            return self._page(items)
        quiet = self._now - cursor.quiet_since
        if quiet * cursor.pace >= QUIET_NUMBERS or not 0.0 <= quiet < QUIET_MAX_SECONDS:
            at.asks_head = at.empty = True
            return self._page(items)
        return self._reach_head(items, fresh=False)

    def _reach_head(self, items: tuple[Item, ...], *, fresh: bool) -> Page:
        self._level(fresh=fresh)
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
        at.step = self._step_to(found)
        if at.step == 1:
            # A number without an item may be between others that have one.
            cursor.next = max(cursor.next - OVERLAP_NUMBERS, 1)
            cursor.level = 0  # how far it has moved since says nothing about the pace
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

    def _step_to(self, number: int) -> int:
        return max(math.ceil((number - self._at.cursor.next) / (LOOKUP_ITEMS - 1)), 1)

    def _begin_at(self, items: Sequence[Item], listed: Sequence[tuple[int, Item]]) -> tuple[Item, ...]:
        """Begin with what was posted since the watch was made; return the listed items that are older.

        The page shows how fast the numbers grow, in case it does not go back so far.
        """
        cursor, since = self._at.cursor, float(int(self._since))  # times in listings are whole seconds
        (low, middle), (high, newest) = listed[len(listed) // 2], listed[-1]
        seconds = newest.created_at - middle.created_at
        cursor.pace = (high - low) / seconds if seconds > 0.0 else 0.0
        first, oldest = next((entry for entry in listed if entry[1].created_at >= since), (high + 1, newest))
        goes_back = len(items) < LOOKUP_ITEMS or median(item.created_at for item in items[-9:]) < since
        if not goes_back:
            seconds = oldest.created_at - since
            most = LAG_SECONDS + self._late_seconds
            if seconds > most:
                self._leave_beginning(first, seconds, oldest)
            first -= OVERLAP_NUMBERS + int(cursor.pace * min(seconds, most))
            self._at.back = OVERLAP_NUMBERS
        cursor.next, cursor.level_at = max(first, 1), self._now
        return tuple(item for number, item in listed if number < cursor.next)

    def _begin_earlier(self, items: Sequence[Item]) -> bool:
        """Return True if reading has to begin earlier: its first numbers belong to the watch, and are not read yet."""
        at, since = self._at, max(float(int(self._since)), self._last_at)
        if not items or min(item.created_at for item in items) < since or at.back > BACK_MAX_NUMBERS:
            at.back = 0
            return False
        at.cursor.next, at.back = max(at.cursor.next - at.back, 1), 2 * at.back
        at.count, at.load = 0, {}
        return at.cursor.next > 1

    def _leave_beginning(self, number: int, seconds: float, oldest: Item) -> None:
        earliest = max(number - int(self._at.cursor.pace * seconds), 1)
        since = numbered(oldest.kind, earliest), oldest.created_at - seconds
        self._at.gaps.append(("pages", since, (oldest.id, oldest.created_at)))

    def _numbers_fell_back(self, listed: Sequence[tuple[int, Item]]) -> bool:
        """Return True, and go on there, if newer items have lower numbers, as after a repair of Reddit's database.

        What was posted since is looked for as in a first reading: the page may not go back to where the numbers fell.
        """
        at, cursor = self._at, self._at.cursor
        newer = [
            (number, item)
            for number, item in listed
            if number < cursor.next - LOOKUP_ITEMS and item.created_at > self._last_at + CLOCK_SECONDS
        ]
        if len(newer) < TOP_ITEMS:
            return False
        first, oldest = newer[0]
        if (oldest.created_at - self._last_at) * cursor.pace > BACK_MAX_NUMBERS:
            at.gaps.append(("pages", cursor.last, (oldest.id, oldest.created_at)))
        cursor.next = max(first - OVERLAP_NUMBERS, 1)
        cursor.level = 0  # how far it has moved since says nothing about the pace
        at.back, at.head = OVERLAP_NUMBERS, newer[-TOP_ITEMS][0]
        return True

    @property
    def _last_at(self) -> float:
        last = self._at.cursor.last
        return last[1] if last else -math.inf

    def _read_until(self, items: Sequence[Item]) -> None:
        if items:
            self._at.cursor.last = (items[-1].id, items[-1].created_at)

    def _level(self, *, fresh: bool) -> None:
        """Record that the head is reached; ``fresh``: by an item of this page."""
        cursor = self._at.cursor
        seconds = self._now - cursor.level_at
        if cursor.level and seconds > 0.0:
            weight = seconds / (seconds + PACE_SECONDS)
            cursor.pace += weight * ((cursor.next - cursor.level) / seconds - cursor.pace)
        cursor.level, cursor.level_at = cursor.next, self._now
        if fresh and cursor.last:
            cursor.delay = self._now - cursor.last[1]

    def _is_nearly_level(self) -> bool:
        cursor = self._at.cursor
        recently = 0.0 <= self._now - cursor.level_at < REST_MAX_SECONDS
        return bool(cursor.level) and recently and self._lag() < REST_SECONDS

    def _lag(self) -> float:
        return max(self._now - self._last_at - self._at.cursor.delay, 0.0)

    def _pace(self, *, behind: bool) -> float | None:
        """Return how many numbers a second are given out; the cursor learns that only while the head is reached."""
        at, pace = self._at, self._at.cursor.pace
        seconds = self._last_at - at.from_at if at.from_at else 0.0
        if behind and at.from_number and PACE_LEAST_SECONDS <= seconds < LAG_SECONDS:
            pace = (at.cursor.next - at.from_number) / seconds
        return pace if pace > 0.0 else None  # not where the numbers fell back

    def _page(self, items: tuple[Item, ...], *, complete: bool = False, ended: bool = False) -> Page:
        at = self._at
        seconds = self._last_at - at.from_at if at.from_at and at.count >= LOOKUP_ITEMS else 0.0
        wanted = items if self._everything else (item for item in items if place_key(item.place) in self._places)
        return Page(
            items=tuple(wanted),
            position=None if complete or ended else msgspec.json.encode(at).decode(),
            complete=complete,
            cursor=msgspec.json.encode(at.cursor).decode(),
            gaps=tuple(ListingGap(reason, since, until) for reason, since, until in at.gaps),
            load=at.load,
            behind=not complete,
            lag=None if complete or at.cursor.last is None else self._lag(),
            load_seconds=seconds if seconds > 0.0 else None,
            pace=self._pace(behind=not complete and not ended),
        )
