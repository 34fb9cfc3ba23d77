"""GET for sources: one request, a whole response within a time and a size, without redirects and retries.

``OperatorHttp`` is for servers that the operator has configured: it keeps connections, and takes proxies from the
environment. ``PublicHttp`` is for addresses that people in workspaces have entered: every connection goes through the
egress guard.
"""

from __future__ import annotations

import contextlib
import functools
import zlib
from collections.abc import Mapping
from typing import NamedTuple

import requests
import urllib3
from urllib3.response import BaseHTTPResponse

from overheard import USER_AGENT
from overheard.errors import RetryableError
from overheard.net import egress
from overheard.net.connection_errors import describe_connection_error
from overheard.net.deadline import Deadline
from overheard.net.http_pool import open_pool
from overheard.net.http_target import HttpTarget
from overheard.net.log_capture import captured
from overheard.sources.timed_http import CHUNK_BYTES, DeadlineAdapter, read_all

RESPONSE_MAX_BYTES = 16 * 2**20  # decompressed; chosen, not measured: a page of the longest items is far smaller
ACCEPT_ENCODING = "gzip, deflate"


class HttpResponse(NamedTuple):
    """A whole response. Header names compare without case. ``body`` is decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class OperatorHttp:
    """Thread-safe: ``connections`` are kept for each host. ``timeout``: seconds to connect, and again to answer."""

    def __init__(self, *, timeout: float, connections: int = 10) -> None:
        self._timeout = timeout
        self._session = requests.Session()
        adapter = DeadlineAdapter(pool_connections=4, pool_maxsize=connections, pool_block=True, max_retries=0)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": ACCEPT_ENCODING})
        # Without auth, requests would take an entry of ~/.netrc.
        self._session.auth = lambda request: request

    def get(self, url: str, params: Mapping[str, str] | None = None) -> HttpResponse:
        """Return the response, whatever its status. Raises RetryableError without a whole one."""
        failure: RetryableError
        try:
            with self._session.get(
                url, params=params, timeout=(self._timeout, self._timeout), allow_redirects=False, stream=True
            ) as response:
                whole = read_all(response, RESPONSE_MAX_BYTES)
                return HttpResponse(whole.status_code, whole.headers, whole.content)
        except RetryableError as error:
            failure = RetryableError(f"it sends {error}")
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            failure = RetryableError(describe_connection_error(error) or f"no answer ({type(error).__name__})")
        raise failure  # outside: the error must not keep the frames of requests, which hold parameters

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        self._session.close()


class PublicHttp:
    """Thread-safe; a new connection for each request. ``timeout``: seconds for all of it, from the name's lookup on."""

    def __init__(self, *, timeout: float, allow_private: bool) -> None:
        self._timeout = timeout
        self._allow_private = allow_private

    def get(self, target: HttpTarget, headers: Mapping[str, str]) -> HttpResponse:
        """Return the response, whatever its status. Raises RetryableError without a whole one, and EgressRefused.

        No error shows the path, which may be secret.
        """
        ours = {"User-Agent": USER_AGENT, "Accept-Encoding": ACCEPT_ENCODING, "Connection": "close"}
        with captured(), Deadline(self._timeout, RESPONSE_MAX_BYTES) as deadline:
            dial = functools.partial(
                egress.connect,
                target.host,
                target.port,
                deadline=deadline,
                allow_private=self._allow_private,
                resolve=egress.resolve,
            )
            try:
                with open_pool(target, self._timeout, dial) as pool:
                    response = pool.urlopen(
                        "GET",
                        target.path,
                        headers={**headers, **ours},
                        retries=False,
                        redirect=False,
                        preload_content=False,
                    )
                    with contextlib.closing(response):
                        body = _read(response, deadline)
            except (urllib3.exceptions.HTTPError, OSError, zlib.error) as error:
                reason = describe_connection_error(error) or f"the request failed ({type(error).__name__})"
                problem = f" {deadline.cut_reason}" if deadline.cut_reason else f": {reason}"
                raise RetryableError(f"{target.host}{problem}") from None
            if deadline.cut_reason:  # what was cut off may look like a whole response
                raise RetryableError(f"{target.host} {deadline.cut_reason}")
            return HttpResponse(response.status, response.headers, body)


def _read(response: BaseHTTPResponse, deadline: Deadline) -> bytes:
    body = bytearray()
    for chunk in response.stream(CHUNK_BYTES, decode_content=True):
        body += chunk
        if len(body) > RESPONSE_MAX_BYTES:
            deadline.exceed(RESPONSE_MAX_BYTES)
            break
    return bytes(body)
