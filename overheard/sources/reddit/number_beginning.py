"""Where a reading by numbers begins: at first, and again if the numbers fell back. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from overheard.items import Item
from overheard.sources.reddit.names import LOOKUP_ITEMS, numbered
from overheard.sources.reddit.number_cursor import OVERLAP_NUMBERS
from overheard.sources.reddit.number_position import LAG_SECONDS, NumberPosition

TOP_ITEMS = 3  # the head is the third newest item: two wrong numbers cannot lead away
BACK_MAX_NUMBERS = 10_000  # by which a first reading begins earlier, step by step; chosen, not measured
CLOCK_SECONDS = 60.0  # by which an item must be newer than the last one read to show that the numbers fell back


class NumberBeginning:
    """Moves a position to what was posted after ``since``, which is ``late_seconds`` before the watch."""

    def __init__(self, at: NumberPosition, since: float, late_seconds: float) -> None:
        self._at = at
        self._since = since
        self._late_seconds = late_seconds

    def begin(self, items: Sequence[Item], listed: Sequence[tuple[int, Item]], now: float) -> tuple[Item, ...]:
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
        cursor.next, cursor.level_at = max(first, 1), now
        return tuple(item for number, item in listed if number < cursor.next)

    def begin_earlier(self, items: Sequence[Item]) -> bool:
        """Return True if reading has to begin earlier: its first numbers belong to the watch, and are not read yet."""
        at, since = self._at, max(float(int(self._since)), self._at.cursor.last_at)
        if not items or min(item.created_at for item in items) < since or at.back > BACK_MAX_NUMBERS:
            at.back = 0
            return False
        at.cursor.next, at.back = max(at.cursor.next - at.back, 1), 2 * at.back
        at.count, at.load = 0, {}
        return at.cursor.next > 1

    def fall_back(self, listed: Sequence[tuple[int, Item]]) -> bool:
        """Return True, and go on there, if newer items have lower numbers, as after a repair of Reddit's database.

        What was posted since is looked for as in a first reading: the page may not go back to where the numbers fell.
        """
        at, cursor = self._at, self._at.cursor
        newer = [
            (number, item)
            for number, item in listed
            if number < cursor.next - LOOKUP_ITEMS and item.created_at > cursor.last_at + CLOCK_SECONDS
        ]
        if len(newer) < TOP_ITEMS:
            return False
        first, oldest = newer[0]
        if (oldest.created_at - cursor.last_at) * cursor.pace > BACK_MAX_NUMBERS:
            at.gaps.append(("pages", cursor.last, (oldest.id, oldest.created_at)))
        cursor.next = max(first - OVERLAP_NUMBERS, 1)
        cursor.level = at.from_number = 0  # how far it has moved since says nothing about the pace
        at.back, at.head = OVERLAP_NUMBERS, newer[-TOP_ITEMS][0]
        return True

    def _leave_beginning(self, number: int, seconds: float, oldest: Item) -> None:
        earliest = max(number - int(self._at.cursor.pace * seconds), 1)
        since = numbered(oldest.kind, earliest), oldest.created_at - seconds
        self._at.gaps.append(("pages", since, (oldest.id, oldest.created_at)))
