"""The HTTP of Apprise's services: all of it goes through one function, which sends nothing of this machine's own.

Apprise's services call the functions of ``requests``, which take a login from ~/.netrc for any host that it names,
a proxy from the environment, and as many bytes of an answer as there are. So the name ``requests`` in the modules of
Apprise's services stands for ``GuardedRequests`` (``apprise_names``); ``requests`` itself, which the Reddit client uses
in the same process, is as it was. Sending is possible within ``guarded()`` only: a service that logs out when it is
collected would otherwise connect from anywhere, at any time.

For each request: no netrc, no proxy, no cookies of an earlier one; a port where HTTP is spoken; no redirects; an answer
as it came over the wire, never unpacked, since little may unpack into much; and not one request more once the receiver
asked to be left alone for a while.
"""

from __future__ import annotations

import functools
import os
from typing import Any, NoReturn
from urllib.parse import urlsplit

import requests
import urllib3

from overheard.channels.apprise.patching import replace_name
from overheard.channels.responses import answered, refuses, requested_delay
from overheard.channels.webhook_url import BLOCKED_PORT_MESSAGE, is_blocked_port
from overheard.clock import system_clock
from overheard.errors import PermanentError
from overheard.net.egress import ALLOW_PRIVATE_HINT
from overheard.net.egress_audit import EgressAudit, active

MAX_ANSWER_BYTES = 2**20
PORTS = {"http": 80, "https": 443}
# The library's functions for one method each, and what may follow the URL there without its name.
UNNAMED: dict[str, tuple[str, ...]] = {
    "get": ("params",), "post": ("data", "json"), "put": ("data",), "patch": ("data",),
    "delete": (), "head": (), "options": (),
}  # fmt: skip


class GuardedRequests:
    """What a service finds under the name ``requests``: its functions are ours, all else is the library's."""

    def __getattr__(self, name: str) -> Any:
        return functools.partial(self.request, name.upper()) if name in UNNAMED else getattr(requests, name)

    def request(self, method: str, url: str, *given: Any, **options: Any) -> requests.Response:
        """Send one request under the guard. Raises requests.ConnectionError, as services expect it to."""
        guard = active()
        if guard is None:
            raise requests.ConnectionError("nothing is being delivered")
        if guard.delay is not None:
            raise requests.ConnectionError("the receiver asked to be left alone")
        _check_port(guard, url)
        options |= dict(zip(UNNAMED.get(method.lower(), ()), given, strict=False))
        options |= {"stream": True, "allow_redirects": False}
        with _BareSession() as session:
            response = session.request(method, url, **options)
            body = _read(response, guard)
        _note_answer(guard, response, body)
        return response

    def Session(self) -> NoReturn:
        """Refuse: a session that a service keeps would send past the guard."""
        raise requests.ConnectionError("services have no session of their own")

    session = Session


def install() -> None:
    """Give Apprise's services this ``requests``; to be called when they have been loaded."""
    replace_name("requests", requests, GuardedRequests())


class _BareSession(requests.Session):
    """For one request."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False  # neither netrc nor proxies
        self.headers["Accept-Encoding"] = "identity"

    def merge_environment_settings(self, *arguments: Any) -> Any:
        settings = super().merge_environment_settings(*arguments)
        if settings["verify"] is True:  # the authorities that an operator added are no secret, and wanted here
            settings["verify"] = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        return settings


def _check_port(guard: EgressAudit, url: str) -> None:
    parts = urlsplit(url)
    try:
        port = parts.port or PORTS.get(parts.scheme.lower(), 0) if parts.port != 0 else 0
    except ValueError:
        raise requests.exceptions.InvalidURL("its port cannot be read") from None
    if not guard.allow_private and is_blocked_port(port):
        guard.refuse(PermanentError(f"refused to connect: {BLOCKED_PORT_MESSAGE.format(port)}; {ALLOW_PRIVATE_HINT}"))


def _note_answer(guard: EgressAudit, response: requests.Response, body: bytes) -> None:
    """Tell the guard what was answered."""
    status = response.status_code
    said = f"the service {answered(status)}"
    if status < 300:
        guard.reason = guard.reason or f"{said}, and took nothing"
        return
    guard.reason, guard.refused = said, refuses(status)
    guard.delay = requested_delay(response.headers.get("Retry-After"), body, now=system_clock())
    if guard.delay is not None:
        guard.reason += f", and asks to wait {guard.delay:.0f} s"


def _read(response: requests.Response, guard: EgressAudit) -> bytes:
    # Not by iter_content, which unpacks, and reads a chunk's length however long the line is.
    try:
        body: bytes = response.raw.read(MAX_ANSWER_BYTES + 1)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise requests.ConnectionError(error) from error
    if len(body) > MAX_ANSWER_BYTES:
        guard.deadline.too_much(MAX_ANSWER_BYTES)
        raise requests.ConnectionError("the answer is too long")
    response._content, response._content_consumed = body, True
    return body
