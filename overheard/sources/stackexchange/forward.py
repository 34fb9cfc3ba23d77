"""Where a forward reading begins and goes on, as a cursor. Pure.

Entries are listed by whole seconds, oldest first. A page begins in the second in which the last one ended, because that
may have further entries; the cursor remembers the numbers that were read: identity decides what is new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

PAGE_ENTRIES = 100  # the most that the API lists at once
# How far back a reading begins: responses come from caches that may be minutes old, and may disagree. Chosen, not
# measured.
OVERLAP_SECONDS = 300
SEEN_NUMBERS = 500


class ForwardState(msgspec.Struct, omit_defaults=True):
    """A decoded cursor or position.

    No text is in a state: it is stored, and sent in messages, where erasing does not look.
    """

    newest: int = 0  # the latest second read
    seen: list[int] = []  # the numbers read last
    more: bool = False  # the reading has not reached the end: it goes on in the second ``newest`` …
    page: int = 1  # … with this page
    active: dict[str, int] = {}  # the questions of the overlap, with the second of their latest activity
    # The questions whose answers are to be read next, from which second on (in which the whole reading began), and
    # from which page on.
    questions: list[int] = []
    start: int = 0
    answers_page: int = 1


_STATE = msgspec.json.Decoder(ForwardState)


def decode_forward_state(text: str) -> ForwardState | None:
    """Return a cursor's state; None if it cannot be decoded."""
    try:
        return _STATE.decode(text)
    except (msgspec.MsgspecError, UnicodeError):
        return None


def encode_forward_state(state: ForwardState) -> str:
    """Return the state as a cursor."""
    return msgspec.json.encode(state).decode()


def start_date(state: ForwardState) -> int:
    """Return the second in which the next page begins."""
    return state.newest if state.more else max(0, state.newest - OVERLAP_SECONDS)


def advanced(state: ForwardState, seconds: Sequence[int], *, more: bool) -> ForwardState:
    """Return the state after a page of entries of these ``seconds``; ``more``: the server says that others follow."""
    start = start_date(state)
    last = max(seconds, default=start)
    if not more:
        return msgspec.structs.replace(state, newest=max(state.newest, last), more=False, page=1)
    # If one second has more entries than a page holds, only page numbers lead on.
    page = state.page + 1 if last <= start else 1
    return msgspec.structs.replace(state, newest=max(start, last), more=True, page=page)


def with_seen(state: ForwardState, numbers: Mapping[int, object] | Sequence[int]) -> ForwardState:
    """Return the state with these numbers remembered."""
    seen = list(dict.fromkeys([*state.seen, *numbers]))[-SEEN_NUMBERS:]
    return msgspec.structs.replace(state, seen=seen)
