"""How far a reading by numbers has got, between two pages. Pure."""

from __future__ import annotations

import math

import msgspec

from overheard.sources.reddit.names import LOOKUP_ITEMS
from overheard.sources.reddit.number_cursor import Edge, NumberCursor

# Behind the head, reading goes on there. But what a few readings bring is never left out, however old it is.
LAG_SECONDS = 900.0
LAG_NUMBERS = 2000
PACE_LEAST_SECONDS = 4.0  # between two items that show it: times are whole seconds


class NumberPosition(msgspec.Struct, omit_defaults=True, tag="numbers"):
    """The state of a reading by numbers between two pages. Its tag tells it from that of a listing.

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

    def step_to(self, number: int) -> int:
        """Return the distance at which a page of numbers reaches this one."""
        return max(math.ceil((number - self.cursor.next) / (LOOKUP_ITEMS - 1)), 1)

    def left_behind(self) -> NumberCursor:
        """Return the cursor of a reading that ends here, before the head: it learns the pace from what it has read."""
        cursor = self.cursor
        seconds = cursor.last_at - self.from_at if self.from_at else 0.0
        if not self.from_number or not PACE_LEAST_SECONDS <= seconds < LAG_SECONDS:
            return cursor
        return msgspec.structs.replace(cursor, pace=cursor.pace_after(cursor.next - self.from_number, seconds))


_POSITION = msgspec.json.Decoder(NumberPosition)


def decode_position(text: str) -> NumberPosition:
    """Return the position. Raises MsgspecError."""
    return _POSITION.decode(text)


def is_number_position(text: str) -> bool:
    """Return True if a reading by numbers has got there, not one of a listing."""
    try:
        _POSITION.decode(text)
    except (msgspec.MsgspecError, UnicodeError):
        return False
    return True
