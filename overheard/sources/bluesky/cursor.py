"""Where the stream resumes. Pure.

A cursor is inclusive: the event at the cursor comes again, because the operations of one commit share a time, and some
of them may be unread. v1 resumes at a time, with some overlap, because it does not send events strictly in order; v2
resumes at a sequence number, which belongs to its server.
"""

from __future__ import annotations

import msgspec

from overheard.sources.bluesky.events import SEQ_END, TIME_US_END, Protocol, StreamEvent

OVERLAP_US = 5_000_000


class StreamCursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """A decoded cursor: the latest event."""

    host: str  # the address of the server that ``seq`` belongs to
    time_us: int
    seq: int | None = None
    item: str | None = None  # the id of the latest post
    seen: bool = True  # False: no event has come yet, and ``time_us`` is when the first connection was made

    @property
    def at(self) -> float:
        """Return the time of the latest event, in seconds since the epoch."""
        return self.time_us / 1e6

    @property
    def bound(self) -> tuple[str, float]:
        """Return this side of a gap that follows the cursor."""
        return self.item or str(self.time_us), self.at

    def parameter(self, protocol: Protocol) -> str:
        """Return the value of the parameter ``cursor``."""
        if protocol == "v2" and self.seq is not None:
            return str(self.seq)
        # A time that is this machine's, not an event's, may be a little late.
        return str(self.time_us - (OVERLAP_US if protocol == "v1" or not self.seen else 0))

    def after(self, event: StreamEvent) -> StreamCursor:
        """Return the cursor after an event. Events may be slightly out of order: that does not take its time back."""
        # But a time that was far ahead of all others, or that was this machine's, counts no more.
        is_close = self.seen and self.time_us - event.time_us < OVERLAP_US
        return StreamCursor(
            host=self.host,
            time_us=max(self.time_us, event.time_us) if is_close else event.time_us,
            seq=event.seq,
            item=event.item.id if event.item is not None else self.item,
        )

    def without_seq(self) -> StreamCursor:
        """Return the cursor as a time only, which any server understands."""
        return msgspec.structs.replace(self, seq=None)

    def encoded(self) -> str:
        """Return the cursor as text."""
        return msgspec.json.encode(self).decode()


_decoder = msgspec.json.Decoder(StreamCursor)


def decoded(text: str | None) -> StreamCursor | None:
    """Return the cursor in a text; None if there is none, or it is not a cursor."""
    try:
        cursor = _decoder.decode(text) if text else None
    except (msgspec.MsgspecError, UnicodeError):
        return None
    if cursor is None or not 0 < cursor.time_us < TIME_US_END:
        return None
    if cursor.seq is not None and not 0 < cursor.seq < SEQ_END:
        return msgspec.structs.replace(cursor, seq=None)
    return cursor
