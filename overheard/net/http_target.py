"""Parse the URL of an HTTP channel strictly: whatever two parsers might read differently is refused."""

from __future__ import annotations

import re
import string
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import idna

from overheard.errors import InvalidInput
from overheard.net.addresses import parse_address, why_refused
from overheard.net.egress import ALLOW_PRIVATE_HINT

FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\\<>\"{}|^`]")
HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?")

# Ports of other protocols, whose servers might act on an HTTP request: the WHATWG fetch standard's "bad ports".
# fmt: off
BLOCKED_PORTS = frozenset({
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
    110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530,
    531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190,
    5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
})
# fmt: on


DEFAULT_PORTS = {"http": 80, "https": 443}
BLOCKED_PORT_MESSAGE = "port {} belongs to another protocol; use 443, 80 or one above 1023"


class HttpTarget(NamedTuple):
    """``host`` is ASCII and without brackets; ``path`` includes the query and may contain tokens: never show it."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def server(self) -> str:
        """Return the host, with a port if it is not the scheme's own: what tells one server from another."""
        return self.host if self.port == DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"


def parse_target(url: str, *, allow_private: bool) -> HttpTarget:
    """Split an HTTP channel's URL into its parts. Raises InvalidInput, whose text never contains the URL."""
    if FORBIDDEN.search(url):
        raise InvalidInput("url: has a space, a backslash or another character that must be written as %XX")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidInput("url: its host or port cannot be parsed; write https://host:port/path") from None
    if parts.scheme not in ("http", "https"):
        raise InvalidInput("url: it must start with https:// or http://")
    if "@" in parts.netloc:
        raise InvalidInput("url: has a user name before the host, which is never sent; remove it")
    if "#" in url:
        raise InvalidInput("url: has a part after '#', which is never sent; remove it (or write %23)")
    host = _host(parts.hostname or "")
    port = DEFAULT_PORTS[parts.scheme] if port is None else port
    if not allow_private:
        _refuse_private(host, port)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return HttpTarget(parts.scheme, host, port, quote(path, safe=string.punctuation, errors="replace"))


def is_blocked_port(port: int) -> bool:
    """Return True if HTTP must not be sent to ``port``."""
    return port in BLOCKED_PORTS or port == 0


def _host(host: str) -> str:
    if ":" in host:
        if parse_address(host) is None or "%" in host:
            raise InvalidInput("url: the address in [brackets] is not an IPv6 address")
        return host
    try:
        # UTS 46, as in browsers: full-width digits and dots become ASCII before the address is checked.
        name = host if host.isascii() else idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        raise InvalidInput("url: its host is not a valid international name") from None
    if not HOST.fullmatch(name) or len(name) > 253:
        raise InvalidInput("url: has no host, or one with characters that a host cannot have")
    return name


def _refuse_private(host: str, port: int) -> None:
    address = parse_address(host)
    why = why_refused(address) if address is not None else None
    if host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost"):
        why = "loopback, RFC 6761"
    if why is not None:
        raise InvalidInput(f"url: points at {host} ({why}); {ALLOW_PRIVATE_HINT}")
    if is_blocked_port(port):
        raise InvalidInput(f"url: {BLOCKED_PORT_MESSAGE.format(port)}")
