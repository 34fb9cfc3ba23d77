"""Injected faults: the next connections fail in a chosen way, first in, first out."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal, get_args

FaultKind = Literal["refuse", "close", "reset", "rubbish", "half", "silence", "stall", "error"]


@dataclass(frozen=True, slots=True)
class StreamFault:
    """One way to fail, for `times` connections, each after `after` events.

    kind        what happens
    refuse      instead of a stream, an HTTP response with `status`, `headers` and `frame` as its body
    close       the connection is closed in order, with `status` as the WebSocket's close code (1000: none given)
    reset       the connection ends without a closing handshake
    rubbish     a frame with `frame` is sent in between (bytes: a binary one); the events go on
    half        the first half of a frame is sent, and the connection ends
    silence     nothing is sent for `seconds`, and pings are not answered
    stall       no event is sent for `seconds`, but pings are answered
    error       (v2) an error frame with `frame` as the error's name, and the connection is closed
    """

    kind: FaultKind
    times: int = 1
    after: int = 0
    status: int = 503
    seconds: float = 60.0
    frame: str | bytes = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class StreamFaults:
    """A queue of faults. Thread-safe."""

    def __init__(self) -> None:
        self._queue: deque[StreamFault] = deque()
        self._lock = Lock()

    def inject(self, fault: StreamFault) -> None:
        """Queue a fault. Raises ValueError if it could never happen."""
        if fault.kind not in get_args(FaultKind) or fault.times < 1:
            raise ValueError(f"cannot happen: {fault.kind!r}, {fault.times} times")
        with self._lock:
            self._queue.extend([fault] * fault.times)

    def take(self, *, refusing: bool) -> StreamFault | None:
        """Take the next fault, if it is one that refuses the connection, or if it is one that does not."""
        with self._lock:
            if self._queue and (self._queue[0].kind == "refuse") is refusing:
                return self._queue.popleft()
            return None

    def clear(self) -> None:
        with self._lock:
            self._queue.clear()
