"""Where a reading of a timeline begins and goes on, as a cursor. Pure.

A server numbers statuses by the time at which they were written: milliseconds since the epoch, times 65,536. A status
of another server that arrives late gets a number among those that were read long before: it lies behind any cursor. So
each reading begins some way back, and the cursor remembers the ids that were read there: identity decides what is new.
"""

from __future__ import annotations

import msgspec

PAGE_STATUSES = 40  # the most that a server lists at once; some list fewer
SNOWFLAKE_BITS = 16
# How far back a reading begins. Most statuses arrive within seconds, those of servers that were down or overloaded
# within minutes or hours. All of these are chosen, not measured.
# Always half a page: on a quiet timeline that reaches back hours or days, and still leaves room for what is new.
OVERLAP_STATUSES = PAGE_STATUSES // 2
OVERLAP_MS = 3_600_000  # on a busy one, an hour …
SHORT_OVERLAP_STATUSES = 200  # … but mostly not more than five pages, of the 20 requests a minute of a server
# Every few minutes a reading sweeps further back. That takes 25 of the 90 requests that are allowed in five minutes: as
# many as two or three of the busiest timelines of a server leave to each other. What arrives later than so many others
# is missed, and nothing shows it: a server does not tell when a status has arrived.
SEEN_IDS = 1000
SWEEP_SECONDS = 240.0
QUIET_OVERLAP_MS = 24 * 3_600_000  # of a timeline that has had fewer statuses than OVERLAP_STATUSES


class TimelineState(msgspec.Struct, omit_defaults=True):
    """A decoded cursor or position."""

    seen: list[str] = []  # the ids read last, in order
    longest: int = 0  # the most statuses on one page so far
    follows: str = ""  # the id after which the next page begins; empty: the reading has reached the end
    swept_at: float = 0.0  # when a reading last began as far back as ``seen`` goes (epoch seconds)

    def sweeps(self, now: float) -> bool:
        """Return True if a reading that begins now goes back as far as it can."""
        # A negative age: the clock was set back.
        return not self.follows and not 0 <= now - self.swept_at < SWEEP_SECONDS


_STATE = msgspec.json.Decoder(TimelineState)


def decode_state(text: str) -> TimelineState | None:
    """Return a cursor's state; None if it cannot be decoded."""
    try:
        return _STATE.decode(text)
    except (msgspec.MsgspecError, UnicodeError):
        return None


def encode_state(state: TimelineState) -> str:
    """Return the state as a cursor."""
    return msgspec.json.encode(state).decode()


def order(local_id: str) -> tuple[int, str]:
    """Return the key by which ids are compared: a longer one is newer, as with numbers."""
    return len(local_id), local_id


def id_of(moment: float) -> int:
    """Return the number of a status written at a moment (seconds since the epoch)."""
    return int(moment * 1000) << SNOWFLAKE_BITS


def start_of(state: TimelineState, now: float) -> str:
    """Return the id after which a reading begins, or goes on."""
    if state.follows:
        return state.follows
    seen = state.seen
    if not seen:
        return "0"
    top = seen[-1]
    by_count = seen[-OVERLAP_STATUSES] if len(seen) >= OVERLAP_STATUSES else _earlier(top, QUIET_OVERLAP_MS, seen[0])
    start = min(by_count, _earlier(top, OVERLAP_MS, by_count), key=order)
    if len(seen) < PAGE_STATUSES:
        return start
    # No further than so many statuses go back: after a first reading that is more than it has read, by its rate.
    count = SEEN_IDS if state.sweeps(now) else SHORT_OVERLAP_STATUSES
    by_rate = _earlier(top, _ms_between(seen[0], top) * count // len(seen), seen[0])
    return max(start, seen[-count] if len(seen) >= count else by_rate, key=order)


def _ms_between(older: str, newer: str) -> int:
    both = older.isdecimal() and newer.isdecimal()
    return (int(newer) - int(older)) >> SNOWFLAKE_BITS if both else 0


def _earlier(local_id: str, ms: int, otherwise: str) -> str:
    """Return the id of a status written ``ms`` before this one; ``otherwise`` if the id is not a number."""
    if not local_id.isdecimal():  # not Mastodon itself, but software with the same API
        return otherwise
    return str(max(0, int(local_id) - (ms << SNOWFLAKE_BITS)))


def after_page(state: TimelineState, start: str, ids: list[str], now: float) -> TimelineState:
    """Return the state after a page of ``ids`` that began after ``start``, with ``follows`` if there may be more."""
    longest = min(max(state.longest, len(ids)), PAGE_STATUSES)
    last = max(ids, key=order, default=start)
    # A page shorter than the server's longest is the last one. An id that does not lead on would lead in circles.
    more = bool(ids) and len(ids) >= longest and order(last) > order(start)
    seen = sorted({*state.seen, *ids}, key=order)[-SEEN_IDS:]
    return TimelineState(seen, longest, last if more else "", now if state.sweeps(now) else state.swept_at)
