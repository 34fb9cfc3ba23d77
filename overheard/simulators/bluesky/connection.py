"""Serve one connection: send the events that it wants, until it ends or a fault ends it."""

from __future__ import annotations

import socket
from threading import Event

from websockets.exceptions import ConnectionClosed
from websockets.protocol import State
from websockets.sync.server import ServerConnection

from .event_log import EventLog
from .faults import StreamFault
from .frames import error_frame, event_frame, info_frame
from .subscriptions import Subscription

_READ_EVENTS = 100
_LOOK_SECONDS = 0.1  # between two looks at whether the connection or the simulator has ended
_HALF_FRAME = b"\x81\x7e\x10\x00" + b'{"did":"did:plc:'  # a text of 4,096 bytes, and the first of them


class Subscriber:
    """One connection. `fault` happens after so many of its events."""

    def __init__(
        self, socket: ServerConnection, wanted: Subscription, log: EventLog, fault: StreamFault | None, stopping: Event
    ) -> None:
        self._socket = socket
        self._wanted = wanted
        self._log = log
        self._fault = fault
        self._stopping = stopping
        self._sent = 0

    def serve(self) -> None:
        """Send until the connection ends."""
        try:
            if self._wanted.outdated:
                self._socket.send(info_frame(self._wanted.start))
            seq = self._wanted.start
            while not self._stopping.is_set() and self._is_open():
                self._fail()
                for event in self._log.read(seq, _READ_EVENTS, _LOOK_SECONDS):
                    seq = event.seq + 1
                    if self._wanted.wants(event):
                        self._fail()
                        self._socket.send(event_frame(event, v2=self._wanted.v2))
                        self._sent += 1
        except ConnectionClosed:
            pass

    def _is_open(self) -> bool:
        return self._socket.protocol.state is State.OPEN

    def _fail(self) -> None:
        fault = self._fault
        if fault is None or self._sent < fault.after:
            return
        self._fault = None
        match fault.kind:
            case "rubbish":
                self._socket.send(fault.frame)
            case "error":
                self._socket.send(error_frame(str(fault.frame)))
                self._socket.close()
            case "close":
                self._socket.close(fault.status)
            case "stall":
                self._stopping.wait(fault.seconds)
            case "silence":
                with self._socket.protocol_mutex:  # nothing is received meanwhile, so no ping is answered
                    self._stopping.wait(fault.seconds)
            case "half":
                self._socket.socket.sendall(_HALF_FRAME)
                self._socket.socket.shutdown(socket.SHUT_RDWR)
            case "reset":
                self._socket.socket.shutdown(socket.SHUT_RDWR)
