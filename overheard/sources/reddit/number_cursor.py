"""How far all of Reddit has been read: every number below ``next``, except those that are still missing. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

# After a number was first asked for without an item: most items appear within seconds of their number, and a moderator
# takes minutes or hours to approve one that a filter holds. Chosen, not measured.
ABSENT_SECONDS = (30.0, 120.0, 900.0)
HELD_SECONDS = (120.0, 300.0, 600.0, 1200.0, 3600.0, 10_800.0)  # of watched places
HELD_ANYWHERE_SECONDS = (900.0,)  # of all of Reddit: they are too many to be asked for more often
# How far a listing goes back that was read by numbers before, and numbers after a listing: what a filter held at the
# change, and was approved by the next reading, would be missed by both. Later approvals are rare; chosen, not measured.
LATE_SECONDS = 600.0
BATCH_NUMBERS = 20  # of one entry, so that several fit into a page
# A cursor has to fit into a message; those of all comments take about 6,000. If there are more, the oldest are given
# up, down to the second figure at once, because they become a gap, which is a row.
MISSING_MAX_NUMBERS, MISSING_KEPT_NUMBERS = 12_000, 10_000
REST_SECONDS = 4.0  # of news that a full page leaves to the next reading, at most
REST_MAX_SECONDS = 60.0  # without reaching the head
PACE_SECONDS = 300.0  # that the estimate of the pace rests on; chosen, not measured
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

    @property
    def last_at(self) -> float:
        """Return when the newest item read was created; before the first one, minus infinity."""
        return self.last[1] if self.last else -math.inf

    def pace_after(self, numbers: int, seconds: float) -> float:
        """Return the pace after so many numbers were given out in a time. A burst must not pass for the pace."""
        weight = seconds / (seconds + PACE_SECONDS) if self.pace else 1.0
        return self.pace + weight * (numbers / seconds - self.pace)

    def set_level(self, now: float, *, fresh: bool) -> None:
        """Record that the head is reached; ``fresh``: by an item of this page."""
        seconds = now - self.level_at
        if self.level and seconds > 0.0:
            self.pace = self.pace_after(self.next - self.level, seconds)
        self.level, self.level_at = self.next, now
        if fresh and self.last:
            self.delay = now - self.last[1]

    def is_nearly_level(self, now: float) -> bool:
        """Return True if the head is so near that the next reading, with a full page, may reach it."""
        recently = 0.0 <= now - self.level_at < REST_MAX_SECONDS
        return bool(self.level) and recently and self.lag(now) < REST_SECONDS

    def lag(self, now: float) -> float:
        """Return how many seconds of news are not read yet, by the age that the newest item had at the head."""
        return max(now - self.last_at - self.delay, 0.0)


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


def bounded(missing: Sequence[Missing]) -> tuple[list[Missing], list[Missing]]:
    """Return the entries that a cursor may have, and those that are too many, the oldest; both in their order."""
    entries = sorted(missing, key=lambda entry: entry.seen_at)
    excess = sum(len(entry.offsets) for entry in entries)
    if excess <= MISSING_MAX_NUMBERS:
        return entries, []
    given_up = 0
    while excess > MISSING_KEPT_NUMBERS:
        excess -= len(entries[given_up].offsets)
        given_up += 1
    return entries[given_up:], entries[:given_up]


def stretches(missing: Sequence[Missing], apart: int) -> list[tuple[Missing, Missing]]:
    """Return the first and the last entry of each stretch of numbers that has no break longer than ``apart``."""
    found: list[tuple[Missing, Missing]] = []
    for entry in sorted(missing, key=lambda entry: entry.first):
        if found and entry.first - found[-1][1].numbers[-1] <= apart:
            found[-1] = (found[-1][0], entry)
        else:
            found.append((entry, entry))
    return found


def _entries(numbers: Sequence[int], seen_at: int, due_at: int, held: bool) -> list[Missing]:
    parts = [numbers[start : start + BATCH_NUMBERS] for start in range(0, len(numbers), BATCH_NUMBERS)]
    return [Missing(part[0], tuple(number - part[0] for number in part), seen_at, due_at, held) for part in parts]
