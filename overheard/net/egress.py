"""Connect to public addresses only: resolve a name once, check every address, and connect to one that was checked.

Checking a URL when it is saved is not enough: its name may point elsewhere a second later (DNS rebinding). So the check
sits between resolution and ``connect``, where nothing can change any more.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
from collections.abc import Callable

from overheard.errors import PermanentError, RetryableError
from overheard.net.addresses import why_refused
from overheard.net.deadline import Deadline

Resolve = Callable[[str, int], list[str]]

# For the lookup and for connecting to all of a name's addresses, each. Chosen, not measured: half of the default
# [notify] timeout, so that a receiver that is merely slow to accept still has time to answer.
CONNECT_SECONDS = 10.0
ALLOW_PRIVATE_HINT = (
    "set [notify] allow_private = true in pipeline.toml if channels may reach this machine and its network"
)


class EgressRefused(PermanentError):
    """The channel points into a network that channels may not reach. A retry cannot help."""

    def __init__(self, host: str, address: str, why: str) -> None:
        at = host if host == address else f"{host} ({address})"
        super().__init__(f"refused to connect to {at}: {why}; {ALLOW_PRIVATE_HINT}")


def resolve(host: str, port: int) -> list[str]:
    """Return the system's numeric addresses for a name, in its order of preference. Raises OSError."""
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in entries))


def require_public(host: str, addresses: list[str]) -> None:
    """Raise EgressRefused if any address is not public: a private address among public ones is an attack."""
    for address in addresses:
        why = why_refused(ipaddress.ip_address(address))
        if why is not None:
            raise EgressRefused(host, address, why)


def connect(host: str, port: int, *, deadline: Deadline, allow_private: bool, resolve: Resolve) -> socket.socket:
    """Return a connected socket that ``deadline`` watches. Raises EgressRefused or RetryableError."""
    addresses = look_up(host, port, resolve, within=min(CONNECT_SECONDS, deadline.remaining()))
    if not allow_private:
        require_public(host, addresses)
    until = time.monotonic() + min(CONNECT_SECONDS, deadline.remaining())
    problem = "its name has no address"
    for address in addresses:
        remaining = until - time.monotonic()
        if remaining <= 0:
            break
        try:
            sock = socket.create_connection((address, port), timeout=remaining)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(deadline.remaining())
            deadline.watch(sock)
            return sock
        except OSError as error:
            problem = "it did not answer" if isinstance(error, TimeoutError) else (error.strerror or "no connection")
    raise RetryableError(f"cannot connect to {host}:{port}: {problem}")


def look_up(host: str, port: int, resolve: Resolve, *, within: float) -> list[str]:
    """Return the addresses of ``host``, ``within`` so many seconds. Raises RetryableError."""
    # In a thread of its own: getaddrinfo has no timeout and may block for half a minute on a dead name server.
    addresses: list[str] = []
    done = threading.Event()

    def query() -> None:
        with contextlib.suppress(OSError, UnicodeError):
            addresses.extend(resolve(host, port))
        done.set()

    threading.Thread(target=query, name="resolve", daemon=True).start()
    if not done.wait(within):
        raise RetryableError(f"cannot connect to {host}:{port}: looking its name up took longer than {within:.0f} s")
    if not addresses:
        raise RetryableError(f"cannot connect to {host}:{port}: its name cannot be resolved")
    return addresses
