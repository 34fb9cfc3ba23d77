"""A signed webhook (Standard Webhooks 1.0) to any http:// or https:// address. What answers mean: ``responses.py``."""

from __future__ import annotations

import contextlib
import functools
import os
import ssl
from typing import Any

import urllib3

from overheard.channels import ChannelOptions, signing
from overheard.channels.connection_errors import fault
from overheard.channels.log_capture import captured
from overheard.channels.rendering.payload import body_of
from overheard.channels.responses import raise_for_status
from overheard.channels.webhook_url import parse_target
from overheard.errors import InvalidInput, RetryableError
from overheard.net import egress
from overheard.net.deadline import Deadline
from overheard.notices import Notice

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
            # Fresh on each try, or a receiver that checks for replays would refuse the late ones; the id stays.
            **signing.headers(self._key, id=notice.id, timestamp=int(clock()), body=body),
        }
        with captured(), Deadline(self._options.timeout) as deadline:
            try:
                status, retry_after = self._post(body, headers, deadline)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                # Not in the error's own text, which shows the path.
                reason = fault(error) or f"the request failed ({type(error).__name__})"
                said = f" {deadline.cut}" if deadline.cut else f": {reason}"
                raise RetryableError(f"{self._target.host}{said}") from None
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
            deadline.hurry(BODY_SECONDS)
            # Read a little: closing on unread bytes sends a reset, which some servers log as an error of theirs.
            with contextlib.suppress(urllib3.exceptions.HTTPError, OSError), contextlib.closing(response):
                response.read(BODY_LIMIT)
            if late:  # headers that were cut off read like complete ones; who answers so slowly is broken
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
        # urllib3 keeps the host name for TLS (SNI, certificate) and the Host header; only the socket is ours.
        ours: Any = type("Dialled", (pool.ConnectionCls,), {"_new_conn": lambda connection: dial()})
        pool.ConnectionCls = ours
        return pool


@functools.cache
def _tls() -> ssl.SSLContext:
    # Shared, because reading the authorities takes 30 ms. The system's own, where an operator adds a private one.
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and os.listdir(paths.capath)):
        return ssl.create_default_context()
    import certifi  # a Python without system authorities (some stand-alone builds)

    return ssl.create_default_context(cafile=certifi.where())
