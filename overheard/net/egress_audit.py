"""Apply the egress check to libraries that open their own sockets: ``guarded()`` covers everything inside its block.

Why an audit hook (PEP 578): Apprise's 130 services use requests, smtplib, raw sockets and more, follow redirects and
resolve names themselves. ``socket.connect`` is the one place they all pass, at connect time, with the address that
will be used. A hook cannot be removed, so it is installed once, at first use, and costs a set lookup per audit event
(0.1 µs) elsewhere.

A context variable holds the active guard, and threads do not inherit it. So services whose libraries connect in threads
of their own are refused by name (``channels/apprise/policy.py``), and from Python 3.12 on the hook sees and refuses the
thread too.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn

from overheard.errors import PermanentError, RetryableError
from overheard.net.deadline import Deadline
from overheard.net.egress import CONNECT_SECONDS, EgressRefused, look_up, require_public, resolve

SEND_EVENTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
EXEC_EVENTS = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pty.spawn"}
)
THREAD_EVENTS = frozenset({"_thread.start_new_thread", "_thread.start_joinable_thread"})
WATCHED_EVENTS = SEND_EVENTS | EXEC_EVENTS | THREAD_EVENTS | {"socket.getaddrinfo"}


class EgressBlocked(OSError):
    """The error that the library sees: an OSError, so that it reports a failed connection instead of crashing."""


class EgressAudit:
    """One guarded attempt. ``refusal`` is why it was ended: every later connection of it fails.

    ``channels/apprise/http.py`` records the response here: ``reason`` says what the receiver answered, in case the
    delivery fails; ``refused``, whether that was about what was sent; ``delay``, for how many seconds it wants no
    requests.
    """

    def __init__(self, deadline: Deadline, *, allow_private: bool) -> None:
        self.refusal: PermanentError | None = None
        self.delay: float | None = None
        self.reason: str | None = None
        self.refused = False
        self.deadline = deadline
        self.allow_private = allow_private
        self._resolving = False

    def audit(self, event: str, args: tuple[Any, ...]) -> None:
        """Check one audit event of this thread. Raises EgressBlocked."""
        if self._resolving:  # our own lookup, which starts a thread
            return
        if self.deadline.passed or self.refusal is not None:
            raise EgressBlocked("this attempt is over")
        if event == "socket.getaddrinfo":
            self._check_name(args[0], args[1])
        elif not self.allow_private:
            self._check(event, args)
        if event == "socket.connect":
            self.deadline.watch(args[0])

    def refuse(self, error: PermanentError) -> NoReturn:
        """End the attempt: the library sees a failed connection, and the transport raises ``error``."""
        self.refusal = error
        raise EgressBlocked(str(error)) from error

    def _check(self, event: str, args: tuple[Any, ...]) -> None:
        if event in EXEC_EVENTS or event in THREAD_EVENTS:
            what = "start a program" if event in EXEC_EVENTS else "connect from a thread of its own"
            self.refuse(EgressRefused("the service", "the service", f"it tried to {what}, which cannot be checked"))
        elif args[0].family in (socket.AF_INET, socket.AF_INET6):
            if args[1] is not None:  # a datagram on a socket whose connect() was checked
                self._check_address(str(args[1][0]))
        else:
            self.refuse(EgressRefused("a local socket", "a local socket", "channels may only reach the internet"))

    def _check_name(self, host: object, port: object) -> None:
        # Checks all addresses of a name; ``connect`` checks again the one that is used. The library's own lookup has no
        # timeout, so a dead name server has to fail this one, which has.
        name = host.decode() if isinstance(host, bytes) else str(host or "localhost")
        within = min(CONNECT_SECONDS, self.deadline.remaining())
        self._resolving = True
        try:
            addresses = look_up(name, port if isinstance(port, int) else 0, resolve, within=within)
        except RetryableError as error:
            raise socket.gaierror(socket.EAI_AGAIN, str(error)) from error
        finally:
            self._resolving = False
        if not self.allow_private:
            self._check_addresses(name, addresses)

    def _check_address(self, address: str) -> None:
        try:
            ipaddress.ip_address(address)
        except ValueError:  # connect() would resolve the name itself, after our check
            self.refuse(EgressRefused(address, address, "it is a name where a checked address is needed"))
        self._check_addresses(address, [address])

    def _check_addresses(self, host: str, addresses: list[str]) -> None:
        try:
            require_public(host, addresses)
        except EgressRefused as error:
            self.refuse(error)


_active: ContextVar[EgressAudit | None] = ContextVar("overheard_egress_guard", default=None)


@contextmanager
def guarded(deadline: Deadline, *, allow_private: bool) -> Iterator[EgressAudit]:
    """Hold this thread's connections to the egress rules, and to ``deadline``, until the end of the block.

    Check ``refusal`` afterwards: libraries swallow the errors that they get.
    """
    with _install_lock:
        _install()
    guard = EgressAudit(deadline, allow_private=allow_private)
    token = _active.set(guard)
    try:
        yield guard
    finally:
        _active.reset(token)


def active() -> EgressAudit | None:
    """Return the guard of the block that this thread is in, if any."""
    return _active.get()


# Default arguments, because hooks are called until the interpreter ends, when the module's globals are gone.
def _hook(event: str, args: tuple[Any, ...], watched: frozenset[str] = WATCHED_EVENTS, active: Any = _active) -> None:
    if event in watched:
        guard = active.get()
        if guard is not None:
            guard.audit(event, args)


# functools.cache lets two threads in at once. A second hook could not be removed, and each connection would be watched
# twice.
_install_lock = threading.Lock()


@functools.cache
def _install() -> None:
    sys.addaudithook(_hook)
