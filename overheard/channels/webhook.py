"""Send signed webhooks (Standard Webhooks 1.0) to http:// and https:// addresses. ``responses`` maps the results."""

from __future__ import annotations

import contextlib
import functools
import os
import ssl
from typing import Any

import urllib3

from overheard.channels import ChannelOptions, signing
from overheard.channels.connection_errors import describe_connection_error
from overheard.channels.log_capture import captured
from overheard.channels.rendering.payload import body_of
from overheard.channels.responses import raise_for_status
from overheard.channels.webhook_url import parse_target
from overheard.errors import InvalidInput, RetryableError
from overheard.net import egress
from overheard.net.deadline import Deadline
from overheard.notices import Notice

# How much of a response's body is read, and for how long: its status is all that counts. Chosen, not measured.
RESPONSE_MAX_BYTES = 64 * 1024
RESPONSE_BODY_SECONDS = 1.0


class WebhookTransport:
    """Sends to one receiver. Holds no connection, so threads may share it.

    Raises InvalidInput for an unusable URL or secret; its text shows neither.
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
        self._resolve = resolve
        self._tls = tls

    def send(self, notice: Notice) -> None:
        """Deliver once. Raises RetryableError, ChannelGone, or PermanentError (413; EgressRefused)."""
        clock = self._options.clock
        body = body_of(notice, now=clock())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": self._options.user_agent,
            "Connection": "close",
            # Fresh on each attempt: receivers that check for replays refuse an old timestamp. The id stays the same.
            **signing.headers(self._key, id=notice.id, timestamp=int(clock()), body=body),
        }
        with captured(), Deadline(self._options.timeout) as deadline:
            try:
                status, retry_after = self._post(body, headers, deadline)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                # Not the error's own text: it contains the path, which is secret.
                reason = describe_connection_error(error) or f"the request failed ({type(error).__name__})"
                problem = f" {deadline.cut_reason}" if deadline.cut_reason else f": {reason}"
                raise RetryableError(f"{self._target.host}{problem}") from None
        raise_for_status(self._target.host, status, retry_after, now=clock())

    def _post(self, body: bytes, headers: dict[str, str], deadline: Deadline) -> tuple[int, str | None]:
        with self._pool(deadline) as pool:
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
            late = deadline.passed
            deadline.shorten(RESPONSE_BODY_SECONDS)
            # Read a little: closing a socket with unread bytes sends a reset, which some servers log as an error.
            with contextlib.suppress(urllib3.exceptions.HTTPError, OSError), contextlib.closing(response):
                response.read(RESPONSE_MAX_BYTES)
            if late:  # headers that were cut off parse like complete ones; a receiver that slow is broken
                raise TimeoutError("the try was cut off")
            return response.status, response.headers.get("Retry-After")

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
        pool = (
            urllib3.HTTPConnectionPool(host, port, timeout=timeout)
            if scheme == "http"
            else urllib3.HTTPSConnectionPool(host, port, timeout=timeout, ssl_context=self._tls or _tls())
        )
        # urllib3 has no hook for opening the socket. It keeps the host name for TLS (SNI, certificate) and the Host
        # header; only the socket is ours, connected to an address that was checked.
        connection_class: Any = type("Dialled", (pool.ConnectionCls,), {"_new_conn": lambda connection: dial()})
        pool.ConnectionCls = connection_class
        return pool


@functools.cache
def _tls() -> ssl.SSLContext:
    # Cached, because loading the authorities takes 30 ms. The system's, since that is where operators add their own.
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and os.listdir(paths.capath)):
        return ssl.create_default_context()
    import certifi  # some stand-alone builds of Python have no system authorities

    return ssl.create_default_context(cafile=certifi.where())
