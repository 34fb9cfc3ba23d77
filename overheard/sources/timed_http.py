"""HTTP answers that come whole, within a time and a size, or not at all.

requests' read timeout is the longest *gap* between two bytes: a server that sends one byte a second holds a thread
for as long as it likes, in the headers as well as in the body. Here the read timeout is the time for the whole
answer, counted from the end of the request: before each read the socket's timeout becomes what is left of it.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from functools import cache
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from overheard.errors import RetryableError

CHUNK = 65_536  # bytes


class _TimedReader(io.RawIOBase):
    """A socket's bytes until its timeout, as it was when the answer began, is over."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._end = time.monotonic() + (sock.gettimeout() or 0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock))

    def begin(self) -> None:
        super().begin()
        if self.headers.defects or self.headers.get_payload():
            # urllib3 would go on, and log what it could not parse with a traceback: text of a stranger's.
            raise http.client.HTTPException("malformed headers")


@cache
def _timed(connection: type) -> type:
    """Return the same kind of connection, plain, secure or through a proxy, with answers that end in time."""
    return type(connection.__name__, (connection,), {"response_class": _TimedResponse})


class DeadlineAdapter(HTTPAdapter):
    """Mounted on a requests session, makes the read timeout the time for the whole answer. No retries."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _timed(type(pool).ConnectionCls)
        return pool


def read_all(response: requests.Response, limit: int) -> requests.Response:
    """Read a streamed response to its end, as UTF-8. Raises RetryableError above ``limit`` bytes, or urllib3's."""
    body = bytearray()
    for chunk in response.raw.stream(CHUNK, decode_content=True):
        body += chunk
        if len(body) > limit:
            raise RetryableError(f"an answer of more than {limit:,} bytes")
    answer = requests.Response()
    answer.status_code = response.status_code
    answer.headers = response.headers
    answer.encoding = "utf-8"  # requests would otherwise guess, for seconds, on a large body
    answer.raw = io.BytesIO(body)
    return answer
