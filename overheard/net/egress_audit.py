"""The egress check for libraries that open sockets of their own: everything inside ``guarded()`` is held to it.

Why an audit hook (PEP 578): Apprise's 130 services use requests, smtplib, raw sockets and more, follow redirects and
resolve names themselves. ``socket.connect`` is the one place they all pass, at connect time, with the address that
will be used. A hook cannot be removed, so it is installed once, at first use, and costs a set lookup per audit event
(0.1 µs) elsewhere.

A context variable says whether a guard is active, and threads do not inherit it: services whose libraries connect in
threads of their own are refused by name (``apprise_rules``), and from Python 3.12 on the hook sees and refuses the
thread too.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn

from overheard.errors import PermanentError, RetryableError
from overheard.net.deadline import Deadline
from overheard.net.egress import CONNECT_SECONDS, EgressRefused, check, look_up, resolve

SENDS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
RUNS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pty.spawn"})
THREADS = frozenset({"_thread.start_new_thread", "_thread.start_joinable_thread"})
WATCHED = SENDS | RUNS | THREADS | {"socket.getaddrinfo"}


class EgressBlocked(OSError):
    """What the library sees. An OSError, so that it reports a failed connection instead of breaking."""


class EgressAudit:
    """One guarded try. ``refusal`` is why it was ended; after it nothing more is let through.

    ``reason`` says what the other side answered, should it turn out that nothing was delivered, ``refused`` whether
    that is about what was sent; ``delay`` is how many seconds it asked to be left alone (``apprise_http`` notes them).
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
        if self._resolving:
            return
        if self.deadline.passed or self.refusal is not None:
            raise EgressBlocked("this try is over")
        if event == "socket.getaddrinfo":
            self._check_name(args[0], args[1])
        elif not self.allow_private:
            self._check(event, args)
        if event == "socket.connect":
            self.deadline.watch(args[0])

    def refuse(self, error: PermanentError) -> NoReturn:
        """End the try: the library gets a failed connection, and the channel ``error``."""
        self.refusal = error
        raise EgressBlocked(str(error)) from error

    def _check(self, event: str, args: tuple[Any, ...]) -> None:
        if event in RUNS or event in THREADS:
            what = "start a program" if event in RUNS else "connect from a thread of its own"
            self.refuse(EgressRefused("the service", "the service", f"it tried to {what}, out of our sight"))
        elif args[0].family in (socket.AF_INET, socket.AF_INET6):
            if args[1] is not None:  # a datagram on a socket whose connect() was checked
                self._check_address(str(args[1][0]))
        else:
            self.refuse(EgressRefused("a local socket", "a local socket", "channels speak to the internet only"))

    def _check_name(self, host: object, port: object) -> None:
        # All of a name's addresses are checked here, and the one that is used again at connect. The lookup before the
        # library's own also bounds that one, which takes no timeout: a dead name server is met here.
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
            check(host, addresses)
        except EgressRefused as error:
            self.refuse(error)


_active: ContextVar[EgressAudit | None] = ContextVar("overheard_egress_guard", default=None)


@contextmanager
def guarded(deadline: Deadline, *, allow_private: bool) -> Iterator[EgressAudit]:
    """Hold this thread's connections to the egress rules, and to ``deadline``, until the end of the block.

    Look at ``refusal`` afterwards: libraries swallow the errors they get.
    """
    _install()
    guard = EgressAudit(deadline, allow_private=allow_private)
    token = _active.set(guard)
    try:
        yield guard
    finally:
        _active.reset(token)


def active() -> EgressAudit | None:
    """The guard of the block that runs now in this thread, if any."""
    return _active.get()


# Defaults, because hooks are called until the interpreter has ended, when the module's names are gone.
def _hook(event: str, args: tuple[Any, ...], watched: frozenset[str] = WATCHED, active: Any = _active) -> None:
    if event in watched:
        guard = active.get()
        if guard is not None:
            guard.audit(event, args)


@functools.cache
def _install() -> None:
    sys.addaudithook(_hook)
