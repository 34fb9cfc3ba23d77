"""How far all of Reddit has been read: every number below ``next``, except those that are still missing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

# After a number was first asked for without an item: most items appear within seconds of their number, and a moderator
# takes minutes or hours to approve one that a filter holds. Chosen, not measured.
ABSENT_SECONDS = (30.0, 120.0, 900.0)
HELD_SECONDS = (120.0, 300.0, 600.0, 1200.0, 3600.0, 10_800.0)  # of watched places
HELD_ANYWHERE_SECONDS = (900.0,)  # of all of Reddit: they are too many to be asked for more often
BATCH_NUMBERS = 20  # of one entry, so that several fit into a page
# More are given up, the oldest first: a cursor has to fit into a message. Those of all comments take about 6,000.
MISSING_MAX_NUMBERS = 12_000
OVERLAP_NUMBERS = 100  # below the newest item of a listing: what was beside it may not have been listed yet

Edge = tuple[str, float]  # an item, and when it was created


class Missing(msgspec.Struct, frozen=True, array_like=True):
    """Numbers without an item when they were first asked for at ``seen_at``; ``due_at``: when to ask again.

    ``offsets``: from ``first``, which keeps the cursor short. ``held``: there are items, but removed ones.
    """

    first: int
    offsets: tuple[int, ...]
    seen_at: int
    due_at: int
    held: bool = False

    @property
    def numbers(self) -> list[int]:
        """Return the numbers."""
        return [self.first + offset for offset in self.offsets]


class NumberCursor(msgspec.Struct, omit_defaults=True):
    """``next``: 0 while no item has ever been seen. ``last``: the newest item read.

    ``level``: what ``next`` was at ``level_at``, when the head was reached last; ``delay``: how long after its creation
    the newest item was read then; ``pace``: numbers a second. ``quiet_since``: since when nothing new was seen.
    """

    next: int
    missing: list[Missing] = []
    last: Edge | None = None
    level: int = 0
    level_at: float = 0.0
    delay: float = 0.0
    pace: float = 0.0
    quiet_since: float = 0.0


_CURSOR = msgspec.json.Decoder(NumberCursor)


def decode_cursor(text: str) -> NumberCursor | None:
    """Return a cursor; None if the text is none, such as one of a listing."""
    try:
        return _CURSOR.decode(text)
    except (msgspec.MsgspecError, UnicodeError):
        return None


def missing_of(
    numbers: Iterable[int], seen_at: float, now: float, *, held: Sequence[float] | None = None
) -> list[Missing]:
    """Return entries for numbers that are missing now; none after the last time that they were to be asked for again.

    ``held``: when to ask again for items that are removed, in seconds after they were first seen.
    """
    times = (seen_at + seconds for seconds in (ABSENT_SECONDS if held is None else held))
    due_at = next((at for at in times if at > now), None)
    return [] if due_at is None else _entries(sorted(numbers), int(seen_at), int(due_at), held is not None)


def bounded(missing: Sequence[Missing]) -> list[Missing]:
    """Return the newest entries that a cursor may have, in their order."""
    left, kept = MISSING_MAX_NUMBERS, []
    for entry in sorted(missing, key=lambda entry: -entry.seen_at):
        left -= len(entry.offsets)
        if left < 0:
            break
        kept.append(entry)
    return kept[::-1]


def _entries(numbers: Sequence[int], seen_at: int, due_at: int, held: bool) -> list[Missing]:
    parts = [numbers[start : start + BATCH_NUMBERS] for start in range(0, len(numbers), BATCH_NUMBERS)]
    return [Missing(part[0], tuple(number - part[0] for number in part), seen_at, due_at, held) for part in parts]
