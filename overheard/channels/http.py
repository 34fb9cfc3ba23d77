"""POST to a channel over HTTP: one request to a checked address, within the deadline, without redirects or proxies.

Every transport that speaks HTTP itself uses ``post``, or ``post_to_service`` for a chat service whose address the
operator may set; ``responses.raise_for_status`` maps what they return.
"""

from __future__ import annotations

import contextlib
import functools
import ssl
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import urllib3

from overheard.channels import ChannelOptions
from overheard.errors import RetryableError
from overheard.net import egress
from overheard.net.connection_errors import describe_connection_error
from overheard.net.deadline import Deadline
from overheard.net.http_pool import open_pool
from overheard.net.http_target import HttpTarget, parse_target
from overheard.net.log_capture import captured

# Where the chat services are, unless the operator says otherwise ([channels.slack] url …).
SERVICE_URLS = {
    "slack": "https://hooks.slack.com",
    "slack api": "https://slack.com",
    "discord": "https://discord.com",
    "telegram": "https://api.telegram.org",
    "ntfy": "https://ntfy.sh",
}
# How much of a response's body is read, and for how long: little of it counts. Chosen, not measured.
RESPONSE_MAX_BYTES = 64 * 1024
RESPONSE_BODY_SECONDS = 1.0


class HttpAnswer(NamedTuple):
    """A response. ``body`` is its beginning: never show it, as it may repeat what was sent.

    ``reset_after``: the seconds until the service's rate limit allows the next request (``X-RateLimit-Reset-After``).
    """

    status: int
    retry_after: str | None
    body: bytes = b""
    reset_after: str | None = None


def post(
    target: HttpTarget,
    body: bytes,
    headers: Mapping[str, str],
    options: ChannelOptions,
    *,
    resolve: egress.Resolve = egress.resolve,
    tls: ssl.SSLContext | None = None,
) -> HttpAnswer:
    """Post once, whatever the answer. Raises RetryableError without one, and EgressRefused for a private address.

    ``User-Agent`` and ``Connection`` are added to ``headers``. No error shows the path, which may be secret.
    """
    headers = {**headers, "User-Agent": options.user_agent, "Connection": "close"}
    with captured(), Deadline(options.timeout) as deadline:
        dial = functools.partial(
            egress.connect,
            target.host,
            target.port,
            deadline=deadline,
            allow_private=options.allow_private,
            resolve=resolve,
        )
        try:
            # The deadline cuts it off, and says so; a socket's own timeout comes second, also on a busy machine.
            with open_pool(target, 2 * options.timeout, dial, tls) as pool:
                return _exchange(pool, target.path, body, headers, deadline)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            # Not the error's own text: it contains the path, which is secret.
            reason = describe_connection_error(error) or f"the request failed ({type(error).__name__})"
            problem = f" {deadline.cut_reason}" if deadline.cut_reason else f": {reason}"
            raise RetryableError(f"{target.host}{problem}") from None


def post_to_service(
    service: str, path: str, body: bytes, headers: Mapping[str, str], options: ChannelOptions
) -> HttpAnswer:
    """Post to a path of a chat service, as ``post`` does. ``service`` is a key of SERVICE_URLS.

    Its address is the operator's and not a stranger's, so it may be a private one.
    """
    base = options.services.get(service) or SERVICE_URLS[service]
    options = msgspec.structs.replace(options, allow_private=True)
    return post(parse_target(base.rstrip("/") + path, allow_private=True), body, headers, options)


def _exchange(
    pool: urllib3.HTTPConnectionPool, path: str, body: bytes, headers: Mapping[str, str], deadline: Deadline
) -> HttpAnswer:
    response = pool.urlopen(
        "POST",
        path,
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
    body = b""
    with contextlib.suppress(urllib3.exceptions.HTTPError, OSError), contextlib.closing(response):
        body = response.read(RESPONSE_MAX_BYTES)
    if late:  # headers that were cut off parse like complete ones; a receiver that slow is broken
        raise TimeoutError("the attempt was cut off")
    headers = response.headers
    return HttpAnswer(response.status, headers.get("Retry-After"), body, headers.get("X-RateLimit-Reset-After"))
