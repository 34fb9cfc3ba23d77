"""How far Hacker News has been read: every number below ``next``, except the holes. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from overheard.sources import ListingGap

# Chosen, not measured: numbers get their item within seconds, if they ever do.
HOLE_SECONDS = 600.0
# For numbers whose requests fail, while others succeed.
FAILING_HOLE_SECONDS = 3600.0
HOLE_MIN_PAUSE_SECONDS = 10.0  # between two requests; grows with the hole's age, so that each costs about five
MAX_HOLES = 1000  # in a cursor, which fits into a message; more are given up, the oldest first


class Hole(msgspec.Struct, frozen=True, array_like=True):
    """A number without an item so far: when it was first and last requested, and the times of its neighbours."""

    number: int
    seen_at: float
    asked_at: float
    before_at: float
    after_at: float

    def is_due(self, now: float) -> bool:
        """Return True if it should be requested again: after the first pause, and whenever its age has tripled."""
        pause = max(HOLE_MIN_PAUSE_SECONDS, 2 * (self.asked_at - self.seen_at))
        return now >= min(self.asked_at + pause, max(self.seen_at + HOLE_SECONDS, self.asked_at + 1))


class ReadingState(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A cursor; with ``max_item``, a position, which also has what belongs to this reading only."""

    next: int
    holes: tuple[Hole, ...] = ()
    last_at: float = 0.0  # when the newest item that was read was created
    max_item: int = 0  # the highest number as of the reading's start
    begun_at: float = 0.0
    count: int = 0  # numbers so far
    given_up: tuple[Hole, ...] = ()  # the holes that this reading has given up
    credible: bool = False  # ``max_item`` was seen to have an item

    @property
    def cursor(self) -> str:
        """Return the state without what belongs to this reading only."""
        return _encode(ReadingState(next=self.next, holes=self.holes, last_at=self.last_at))

    @property
    def position(self) -> str:
        return _encode(self)


_STATE = msgspec.json.Decoder(ReadingState)
_encode_json = msgspec.json.Encoder().encode


def _encode(state: ReadingState) -> str:
    return _encode_json(state).decode()


def decode_state(text: str | None) -> ReadingState | None:
    """Return the state in a cursor or a position; None without one, or if it is not one of ours."""
    try:
        state = _STATE.decode(text or "")
    except (msgspec.DecodeError, UnicodeError):
        return None
    return state if state.next > 0 else None


def gaps_of(holes: Iterable[Hole]) -> tuple[ListingGap, ...]:
    """Return the gaps that holes leave when they are given up: one for neighbouring numbers."""
    gaps: list[tuple[Hole, Hole]] = []
    for hole in sorted(holes, key=lambda hole: hole.number):
        if gaps and gaps[-1][1].number == hole.number - 1:
            gaps[-1] = (gaps[-1][0], hole)
        else:
            gaps.append((hole, hole))
    return tuple(
        ListingGap("hole", (str(first.number - 1), first.before_at), (str(last.number + 1), last.after_at))
        for first, last in gaps
    )
