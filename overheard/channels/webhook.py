"""A signed webhook (Standard Webhooks 1.0) to any http:// or https:// address. What answers mean: ``answers.py``."""

from __future__ import annotations

import functools
import os
import ssl
from collections.abc import Callable
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from overheard.channels import ChannelOptions, Notice, egress, signing
from overheard.channels.answers import judge
from overheard.channels.deadline import Deadline
from overheard.channels.libraries_log import captured
from overheard.channels.payload import body_of
from overheard.channels.target import parse_target
from overheard.errors import InvalidInput, TryAgain

BODY_LIMIT = 64 * 1024  # bytes of an answer that are read
BODY_SECONDS = 1.0  # and for how long: only its status matters


class WebhookChannel:
    """One receiver. Holds no connection, so threads may share it.

    Raises InvalidInput for a URL or secret that cannot be used; its text shows neither.
    """

    kind = "webhook"
    signed = True

    def __init__(
        self,
        url: str,
        secret: str | None,
        options: ChannelOptions,
        *,
        resolve: egress.Resolve = egress.resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if secret is None:
            raise InvalidInput("secret: a webhook needs one to sign with; make it with new_secret()")
        self._target = parse_target(url, allow_private=options.allow_private)
        self._key = signing.key_of(secret)
        self._options = options
        self._clock = options.clock
        self._resolve = resolve
        self._tls = tls

    def send(self, notice: Notice) -> None:
        """Deliver once. Raises TryAgain, ChannelGone, or Permanent (413; EgressRefused)."""
        body = body_of(notice, now=self._clock())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": self._options.user_agent,
            "Connection": "close",
            # Fresh on each try, or a receiver that checks for replays would refuse the late ones; the id stays.
            **signing.headers(self._key, id=notice.id, timestamp=int(self._clock()), body=body),
        }
        with captured(), Deadline(self._options.timeout) as deadline:
            try:
                status, retry_after = self._post(body, headers, deadline)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise TryAgain(self._reason(error, deadline)) from None  # its own text shows the path
        judge(self._target.host, status, retry_after, now=self._clock())

    def _post(self, body: bytes, headers: dict[str, str], deadline: Deadline) -> tuple[int, str | None]:
        pool = self._pool(deadline)
        try:
            response = pool.urlopen(
                "POST",
                self._target.path,
                body=body,
                headers=headers,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,  # a small body may unpack into a large one
            )
            answer = response.status, response.headers.get("Retry-After")
            late = deadline.passed
            deadline.hurry(BODY_SECONDS)
            _drain(response)
            if late:  # headers that were cut off read like complete ones; who answers so slowly is broken
                raise TimeoutError
            return answer
        finally:
            pool.close()

    def _pool(self, deadline: Deadline) -> urllib3.HTTPConnectionPool:
        scheme, host, port, _ = self._target
        dial = functools.partial(
            egress.connect,
            host,
            port,
            deadline=deadline,
            allow_private=self._options.allow_private,
            resolve=self._resolve,
        )
        timeout = urllib3.Timeout(total=self._options.timeout)
        if scheme == "http":
            plain = urllib3.HTTPConnectionPool(host, port, timeout=timeout)
            plain.ConnectionCls = _dialled(HTTPConnection, dial)
            return plain
        secure = urllib3.HTTPSConnectionPool(host, port, timeout=timeout, ssl_context=self._tls or _tls())
        secure.ConnectionCls = _dialled(HTTPSConnection, dial)
        return secure

    def _reason(self, error: Exception, deadline: Deadline) -> str:
        host = self._target.host
        if deadline.cut is not None:
            return f"{host} {deadline.cut}"
        if isinstance(error, urllib3.exceptions.TimeoutError):
            return f"{host} gave no complete answer within {self._options.timeout:g} s"
        if isinstance(error, urllib3.exceptions.SSLError | ssl.SSLError):
            return f"{host}: its certificate or TLS setup was not accepted ({_tls_reason(error)})"
        return f"{host} closed the connection without a complete answer ({type(error).__name__})"


def _dialled(base: type[Any], dial: Callable[[], Any]) -> type[Any]:
    # urllib3 keeps the host name for TLS (SNI, certificate) and the Host header; only the socket is ours.
    return type(base.__name__, (base,), {"_new_conn": lambda self: dial()})


def _drain(response: urllib3.BaseHTTPResponse) -> None:
    # Read a little, because closing on unread bytes sends a reset, which some servers log as an error of theirs.
    try:
        response.read(BODY_LIMIT)
    except (urllib3.exceptions.HTTPError, OSError):
        pass
    finally:
        response.close()


@functools.cache
def _tls() -> ssl.SSLContext:
    # Shared, because reading the authorities takes 30 ms. The system's own, where an operator adds a private one.
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and os.listdir(paths.capath)):
        return ssl.create_default_context()
    import certifi  # a Python without system authorities (some stand-alone builds)

    return ssl.create_default_context(cafile=certifi.where())


def _tls_reason(error: Exception) -> str:
    cause: Any = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
    return str(getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or type(cause).__name__)
