"""HTTP responses that arrive completely, within a time and a size, or fail.

requests' read timeout limits the *gap* between two bytes: a server that sends one byte per second can hold a thread
indefinitely, in the headers as well as in the body. Here the read timeout limits the whole response, counted from the
end of the request: before each read, the socket's timeout is set to the time that is left.
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

CHUNK_BYTES = 65_536


class _TimedReader(io.RawIOBase):
    """Reads a socket until the timeout that it had at the start of the response has passed."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._end = time.monotonic() + (sock.gettimeout() or 0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the response took too long")
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
            # urllib3 would continue, and log the unparsable headers with a traceback: text that the server controls.
            raise http.client.HTTPException("malformed headers")


@cache
def _timed(connection: type) -> type:
    """Return a subclass of ``connection`` (plain, TLS or through a proxy) whose responses are timed.

    Cached, since it is called for every request.
    """
    return type(connection.__name__, (connection,), {"response_class": _TimedResponse})


class DeadlineAdapter(HTTPAdapter):
    """Transport adapter for a requests session whose read timeout limits the whole response. No retries."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _timed(type(pool).ConnectionCls)
        return pool


def read_all(response: requests.Response, limit: int) -> requests.Response:
    """Read a streamed response to its end, as UTF-8.

    Raises RetryableError above ``limit`` bytes, and urllib3's errors.
    """
    body = bytearray()
    for chunk in response.raw.stream(CHUNK_BYTES, decode_content=True):
        body += chunk
        if len(body) > limit:
            raise RetryableError(f"an answer of more than {limit:,} bytes")
    answer = requests.Response()
    answer.status_code = response.status_code
    answer.headers = response.headers
    answer.encoding = "utf-8"  # otherwise requests detects the encoding, which takes seconds on a large body
    answer.raw = io.BytesIO(body)
    return answer
