"""supervisord's event listener protocol, spoken on two pipes: https://supervisord.org/events.html

    we            READY\\n
    supervisord   ver:3.0 server:… serial:21 pool:watcher poolserial:10 eventname:TICK_60 len:15\\n
                  when:1201063880
    we            RESULT 2\\nOK

Every wait has an end: a peer that is gone, says nothing or something else is an error, so that supervisord starts a
new watcher. One that waited for ever would look like a system without events.
"""

from __future__ import annotations

import os
import select

import msgspec

from overheard.errors import InvalidInput, Unavailable

VERSION = "3."
LONGEST_HEADER = 4096  # bytes; real ones have about 100
LONGEST_PAYLOAD = 1 << 20  # bytes
PATIENCE = 200.0  # seconds: three of supervisord's signs of life, which come every minute
READY = b"READY\n"
OK = b"RESULT 2\nOK"


class Event(msgspec.Struct, frozen=True):
    """``payload`` is what came after the header, as it was sent."""

    name: str
    payload: str


class Listener:
    """Reads events from the file descriptor ``source`` and answers on ``sink``."""

    def __init__(self, source: int, sink: int, *, patience: float = PATIENCE) -> None:
        self._source = source
        self._sink = sink
        self._patience = patience
        self._buffer = b""

    def next(self) -> Event:
        """Wait for an event, which is to be answered with ``done``.

        Raises Unavailable when supervisord is gone or silent, InvalidInput when it speaks something else.
        """
        self._say(READY)
        header = fields(_text(self._line()))
        name, length = header.get("eventname"), header.get("len", "")
        if not name or not length.isdecimal() or int(length) > LONGEST_PAYLOAD:
            raise InvalidInput(f"supervisord's event has no eventname, or a strange len: {header}")
        if not header.get("ver", "").startswith(VERSION):
            raise InvalidInput(f"supervisord speaks version {header.get('ver')} of its protocol; this is for 3.0")
        return Event(name, _text(self._exactly(int(length))))

    def done(self) -> None:
        """The event is dealt with: supervisord may forget it."""
        self._say(OK)

    def _say(self, words: bytes) -> None:
        try:
            while words:
                words = words[os.write(self._sink, words) :]
        except OSError as error:
            raise Unavailable(f"supervisord does not listen: {error.strerror}") from None

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            if len(self._buffer) > LONGEST_HEADER:
                raise InvalidInput(f"no event's header, though {len(self._buffer)} bytes came: {self._buffer[:60]!r} …")
            self._fill()
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._fill()
        content, self._buffer = self._buffer[:count], self._buffer[count:]
        return content

    def _fill(self) -> None:
        ready, _, _ = select.select([self._source], [], [], self._patience)
        if not ready:
            raise Unavailable(f"supervisord has sent nothing for {self._patience:.0f} s")
        came = os.read(self._source, 65536)
        if not came:
            raise Unavailable("supervisord is gone: it has closed the pipe of its events")
        self._buffer += came


def fields(text: str) -> dict[str, str]:
    """``a:1 b:2`` as a dict. Raises InvalidInput."""
    found = dict(token.split(":", 1) for token in text.split() if ":" in token)
    if len(found) != len(text.split()):
        raise InvalidInput(f"want words like name:value, got {text[:100]!r}")
    return found


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"want UTF-8, got {raw[:60]!r}") from None
