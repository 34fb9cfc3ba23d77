"""Route all HTTP of Apprise's services through one function, which leaks nothing of this machine.

Apprise's services call the functions of ``requests``, which take a login from ~/.netrc for any host listed there, a
proxy from the environment, and read a response however long it is. So the name ``requests`` in the services' modules is
bound to ``GuardedRequests`` (``patching``); ``requests`` itself, which the Reddit client uses in the same process, is
unchanged. Sending is only possible within ``guarded()``: a service that logs out when it is garbage-collected would
otherwise connect from any thread, at any time.

For each request: no netrc, no proxy, no cookies from an earlier one; no port of another protocol; no redirects; the
response as it came over the wire, never decompressed, since a small body may expand into a huge one; and no further
request once the receiver has asked for a delay.
"""

from __future__ import annotations

import functools
import os
from typing import Any, NoReturn
from urllib.parse import urlsplit

import requests
import urllib3

from overheard.channels.apprise.patching import replace_name
from overheard.channels.responses import describe_status, is_refusal, requested_delay
from overheard.clock import system_clock
from overheard.errors import PermanentError
from overheard.net.egress import ALLOW_PRIVATE_HINT
from overheard.net.egress_audit import EgressAudit, active
from overheard.net.http_target import BLOCKED_PORT_MESSAGE, is_blocked_port

MAX_RESPONSE_BYTES = 2**20
DEFAULT_PORTS = {"http": 80, "https": 443}
# The library's function for each method, and the parameters that may follow the URL by position.
POSITIONAL_PARAMETERS: dict[str, tuple[str, ...]] = {
    "get": ("params",), "post": ("data", "json"), "put": ("data",), "patch": ("data",),
    "delete": (), "head": (), "options": (),
}  # fmt: skip


class GuardedRequests:
    """Stands in for the module ``requests``: its functions are guarded, everything else is the library's."""

    def __getattr__(self, name: str) -> Any:
        if name in POSITIONAL_PARAMETERS:
            return functools.partial(self.request, name.upper())
        return getattr(requests, name)

    def request(self, method: str, url: str, *positional: Any, **options: Any) -> requests.Response:
        """Send one request under the guard. Raises requests.ConnectionError, as services expect it to."""
        guard = active()
        if guard is None:
            raise requests.ConnectionError("requests are only sent during a delivery")
        if guard.delay is not None:
            raise requests.ConnectionError("the receiver asked for a delay")
        _check_port(guard, url)
        options |= dict(zip(POSITIONAL_PARAMETERS.get(method.lower(), ()), positional, strict=False))
        options |= {"stream": True, "allow_redirects": False}
        with _BareSession() as session:
            response = session.request(method, url, **options)
            body = _read_body(response, guard)
        _record_response(guard, response, body)
        return response

    def Session(self) -> NoReturn:
        """Raise ConnectionError: a session that a service keeps would bypass the guard."""
        raise requests.ConnectionError("services have no session of their own")

    session = Session


def install() -> None:
    """Bind ``requests`` in Apprise's services to this one; call it once they have been loaded."""
    replace_name("requests", requests, GuardedRequests())


class _BareSession(requests.Session):
    """A session for one request, without anything from the environment."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False  # neither netrc nor proxies
        self.headers["Accept-Encoding"] = "identity"

    def merge_environment_settings(self, *arguments: Any) -> Any:
        settings = super().merge_environment_settings(*arguments)
        # trust_env also turns off the certificate authorities that an operator added; those are wanted here.
        if settings["verify"] is True:
            settings["verify"] = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        return settings


def _check_port(guard: EgressAudit, url: str) -> None:
    parts = urlsplit(url)
    try:
        port = parts.port or DEFAULT_PORTS.get(parts.scheme.lower(), 0) if parts.port != 0 else 0
    except ValueError:
        raise requests.exceptions.InvalidURL("its port cannot be parsed") from None
    if not guard.allow_private and is_blocked_port(port):
        guard.refuse(PermanentError(f"refused to connect: {BLOCKED_PORT_MESSAGE.format(port)}; {ALLOW_PRIVATE_HINT}"))


def _record_response(guard: EgressAudit, response: requests.Response, body: bytes) -> None:
    """Record in the guard what the receiver answered: services report only success or failure."""
    status = response.status_code
    reason = f"the service {describe_status(status)}"
    if status < 300:
        # The service may still find an error in the body; what a failed request answered earlier says more.
        guard.reason = guard.reason or f"{reason}, but did not accept the message"
        return
    guard.reason, guard.refused = reason, is_refusal(status)
    guard.delay = requested_delay(response.headers.get("Retry-After"), body, now=system_clock())
    if guard.delay is not None:
        guard.reason += f", and asks to wait {guard.delay:.0f} s"


def _read_body(response: requests.Response, guard: EgressAudit) -> bytes:
    # Not by iter_content, which decompresses, and reads a chunk's length however long that line is.
    try:
        body: bytes = response.raw.read(MAX_RESPONSE_BYTES + 1)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise requests.ConnectionError(error) from error
    if len(body) > MAX_RESPONSE_BYTES:
        guard.deadline.exceed(MAX_RESPONSE_BYTES)
        raise requests.ConnectionError("the response is too long")
    # Where requests (checked with 2.34) keeps a body that was read: ``content`` and ``iter_content`` return it.
    response._content, response._content_consumed = body, True
    return body
