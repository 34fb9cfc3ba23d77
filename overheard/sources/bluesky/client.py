"""The WebSocket of a Jetstream server: open it in the version of the protocol that the server has, receive frames."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import Literal
from urllib.parse import urlencode

import websockets.sync.client
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.frames import CloseCode
from websockets.http11 import Response

from overheard import USER_AGENT
from overheard.clock import Clock
from overheard.errors import RetryableError
from overheard.net.connection_errors import describe_connection_error
from overheard.sources.bluesky.cursor import StreamCursor
from overheard.sources.bluesky.events import Protocol, error_name
from overheard.sources.bluesky.names import POSTS
from overheard.sources.retry_after import retry_after

OPEN_SECONDS = 8.0  # for name, TCP, TLS and handshake together
# A ping at most this long after the last one, and as long for its answer: a server that has died is noticed in 16 s.
PING_SECONDS = 8.0
CLOSE_SECONDS = 1.0
# A larger frame ends the connection, and would come again at once. Records have at most 1 MB; this is far beyond.
FRAME_MAX_BYTES = 8 << 20
# While more frames than these wait here, nothing is received, and the server has to wait.
WAITING_FRAMES_MAX = 64

SUBPROTOCOL = "xrpc.v1.json"
PATHS: dict[Protocol, str] = {"v1": "/subscribe", "v2": "/xrpc/network.bsky.jetstream.subscribeEvents"}
# These limit commits; events of all accounts come anyway.
PARAMETERS: dict[Protocol, list[tuple[str, str]]] = {
    "v1": [("wantedCollections", POSTS)],
    "v2": [("collections", POSTS)],
}
# ImportError: a SOCKS proxy in the environment, without the library for it.
FAILURES = (WebSocketException, OSError, EOFError, ValueError, ImportError)


class ProtocolUnsupported(Exception):
    """The server does not have this version of the protocol."""


class CursorTooOld(Exception):
    """The server refuses the sequence number: it no longer has what followed."""


class JetstreamSocket:
    """A connection to ``url``, in the version ``protocol``. ``receive`` waits at most some seconds for a frame."""

    def __init__(
        self, url: str, protocol: Protocol, cursor: StreamCursor | None, *, clock: Clock, ping_seconds: float
    ) -> None:
        """Connect. Raises ProtocolUnsupported, CursorTooOld, and RetryableError."""
        self.protocol = protocol
        given = [] if cursor is None else [("cursor", cursor.parameter(protocol))]
        self._stack = ExitStack()
        failure: Exception
        try:
            self._socket = self._stack.enter_context(
                websockets.sync.client.connect(
                    f"{url}{PATHS[protocol]}?{urlencode([*PARAMETERS[protocol], *given])}",
                    subprotocols=[SUBPROTOCOL] if protocol == "v2" else None,  # type: ignore[list-item]
                    compression=None,  # it would cost the server more than anything else
                    user_agent_header=USER_AGENT,
                    open_timeout=OPEN_SECONDS,
                    ping_interval=ping_seconds,
                    ping_timeout=ping_seconds,
                    close_timeout=CLOSE_SECONDS,
                    max_size=FRAME_MAX_BYTES,
                    max_queue=WAITING_FRAMES_MAX,
                    # It logs what it receives, and errors that it raises as well.
                    logger=logging.Logger("websockets", logging.CRITICAL + 1),
                )
            )
            return
        except InvalidStatus as error:
            failure = _refusal(error.response, protocol, clock)
        except FAILURES as error:
            failure = RetryableError(_described(error))
        raise failure  # outside: it must not keep what the server has sent

    def receive(self, seconds: float) -> bytes | None:
        """Return the next frame; None if none came in time. Raises RetryableError when the connection has ended."""
        failure: RetryableError
        try:
            return self._socket.recv(timeout=seconds, decode=False)
        except TimeoutError:
            return None
        except FAILURES as error:
            failure = RetryableError(_described(error))
        raise failure

    def close(self) -> None:
        """Close the connection."""
        self._stack.close()


def _refusal(response: Response, protocol: Protocol, clock: Clock) -> Exception:
    status, name = response.status_code, error_name(bytes(response.body or b""))
    if protocol == "v2" and status == 400 and name == "CursorTooOld":
        return CursorTooOld()
    if (400 <= status < 500 and status not in (408, 425, 429)) or status == 501:
        return ProtocolUnsupported(f"HTTP {status}")
    return RetryableError(f"HTTP {status}", delay=retry_after(response.headers, clock))


def _described(error: Exception) -> str:
    # What the server says when it closes is left out: it is not our text.
    if isinstance(error, ConnectionClosed):
        if error.sent is not None and error.sent.code == CloseCode.INTERNAL_ERROR:
            return "it did not answer a ping in time"
        if error.sent is not None and error.sent.code == CloseCode.MESSAGE_TOO_BIG:
            return f"it has sent a frame of more than {FRAME_MAX_BYTES >> 20} MiB"
        return describe_connection_error(error.__cause__) or "it has ended the connection"
    return describe_connection_error(error) or f"the connection failed ({type(error).__name__})"


Choice = Literal["auto", "v1", "v2"]


class JetstreamServer:
    """Opens connections. ``choice``: the version to use; ``auto`` is v2 unless the server refuses it, then v1."""

    def __init__(self, url: str, choice: Choice, clock: Clock, *, ping_seconds: float = PING_SECONDS) -> None:
        self.url = url
        self._clock = clock
        self._ping_seconds = ping_seconds
        self._protocols: list[Protocol] = ["v2", "v1"] if choice == "auto" else [choice]

    def open(self, cursor: StreamCursor | None) -> tuple[JetstreamSocket, bool]:
        """Connect at the cursor; return the socket, and True if the server no longer has the cursor's sequence number.

        Raises RetryableError.
        """
        refused = ""
        for protocol in tuple(self._protocols):
            try:
                return self._open(protocol, cursor)
            except ProtocolUnsupported as error:
                refused = str(error)
                # The other one comes first from now on.
                self._protocols = [*self._protocols[1:], protocol]
        raise RetryableError(refused)

    def _open(self, protocol: Protocol, cursor: StreamCursor | None) -> tuple[JetstreamSocket, bool]:
        try:
            return self._socket(protocol, cursor), False
        except CursorTooOld:
            if cursor is None or cursor.seq is None:
                raise RetryableError("it refuses its own cursor") from None
        # By time, it begins with the oldest that it has.
        return self._socket(protocol, cursor.without_seq()), True

    def _socket(self, protocol: Protocol, cursor: StreamCursor | None) -> JetstreamSocket:
        return JetstreamSocket(self.url, protocol, cursor, clock=self._clock, ping_seconds=self._ping_seconds)
