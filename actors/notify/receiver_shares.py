"""Shares of a notify process's threads (``actors.thread_shares``).

    one workspace           a third of the threads
    what fails, together    a quarter; of one workspace, so many that a thread of its share is left to what works
    one receiver            half: when a service begins to hang, nothing tells yet that it does

A share is at least one thread. A receiver is a host, or one of Apprise's services. It fails from the moment at which it
has kept a try waiting for long, or a channel of it has failed, until it answers: hundreds of channels of a service
that is down must not find that out one by one.

Accepted: several hosts that begin to hang in the same moment can hold all threads until their tries time out; more such
hosts than threads do so in several waves. Nothing tells them from those that work, and to keep threads from all of
which nothing is known yet costs these more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from actors.thread_shares import MAX_WAIT_SECONDS, Key, ThreadShares
from overheard.db.channels import ChannelRow

MOST_RECEIVERS = 1000  # that failed and are remembered when nothing is under way to them

FAILING: Key = ("failing",)
# Only for what many workspaces have in common: one workspace must not keep the others' threads waiting.
WAITS_FOR = ("receiver",)


class _Receiver:
    """``since``: when it answered last, or was first asked since; ``tries``: under way."""

    def __init__(self, now: float) -> None:
        self.tries = 0
        self.since = now
        self.failed = False


class ReceiverShares:
    """Of ``threads`` threads. A receiver that keeps a try waiting for ``slow`` seconds counts as failing."""

    def __init__(
        self,
        threads: int,
        *,
        slow: float,
        patience: float = MAX_WAIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workspace = max(1, threads // 3)
        self._quarter = max(1, threads // 4)
        self._half = max(1, threads // 2)
        self._slow = slow
        self._clock = clock
        self._threads = ThreadShares(WAITS_FOR, patience=patience, clock=clock)
        self._receivers: dict[str, _Receiver] = {}
        self._lock = threading.Lock()

    @contextmanager
    def held(self, channel: ChannelRow) -> Iterator[float | None]:
        """Hold a thread for a round of the channel: yields None, or after how many seconds to come back instead."""
        name = receiver_of(channel.url)
        with self._threads.held(lambda now: self._limits(channel, name, now)) as later:
            if later is not None:
                yield later
                return
            self._begin(name)
            try:
                yield None
            finally:
                self._leave(name)

    def answered(self, channel: ChannelRow) -> None:
        """Note that the channel's receiver is up."""
        with self._lock:
            receiver = self._receivers[receiver_of(channel.url)]
            receiver.failed, receiver.since = False, self._clock()

    def failed(self, channel: ChannelRow) -> None:
        """Note that the channel's receiver did not answer, or is not able to work."""
        with self._lock:
            self._receivers[receiver_of(channel.url)].failed = True

    def _limits(self, channel: ChannelRow, name: str, now: float) -> dict[Key, int]:
        limits: dict[Key, int] = {}
        if channel.failures or self._fails(name, now):
            limits |= {FAILING: self._quarter, ("failing", channel.workspace): max(1, self._workspace - 1)}
        limits[("workspace", channel.workspace)] = self._workspace
        limits[("receiver", name)] = self._half
        return limits

    def _fails(self, name: str, now: float) -> bool:
        with self._lock:
            receiver = self._receivers.get(name)
            return receiver is not None and (
                receiver.failed or (receiver.tries > 0 and now - receiver.since > self._slow)
            )

    def _begin(self, name: str) -> None:
        with self._lock:
            now = self._clock()
            receiver = self._receivers.setdefault(name, _Receiver(now))
            if not receiver.tries:
                receiver.since = now
            receiver.tries += 1

    def _leave(self, name: str) -> None:
        with self._lock:
            receiver = self._receivers[name]
            receiver.tries -= 1
            if not receiver.tries and (not receiver.failed or len(self._receivers) > MOST_RECEIVERS):
                del self._receivers[name]


def receiver_of(url: str) -> str:
    """The host and port of a webhook; for Apprise the service, as what stands for a host there may be a token."""
    scheme, _, rest = url.lower().partition("://")
    if scheme not in ("http", "https"):
        return scheme
    return rest.partition("/")[0].partition("?")[0].rpartition("@")[2]
