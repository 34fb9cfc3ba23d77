"""Shares of a notify process's threads (``actors.thread_shares``).

    one workspace             a third of the threads
    failing, all together     a quarter; of one workspace, one thread less than its share, for its working channels
    one receiver              half: when a service begins to hang, nothing shows yet that it does

A share is at least one thread. A receiver is a host, or one of Apprise's services. It counts as failing from the moment
at which it has kept an attempt waiting for long, or one of its channels has failed, until it responds: hundreds of
channels of a service that is down must not find that out one by one.

The fractions were chosen, not measured: of the default eight threads, two shares that are full leave at least two.

Accepted: several hosts that begin to hang at the same moment can hold all threads until their attempts time out; more
such hosts than threads do so in several waves. Nothing distinguishes them from working hosts yet, and to withhold
threads from every host of which nothing is known would slow the working ones more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from actors.thread_shares import MAX_WAIT_SECONDS, Key, ThreadShares
from overheard.db.channels import ChannelRow

# The map would grow without end with the hosts of channels that fail and are never tried again.
MAX_IDLE_FAILED_RECEIVERS = 1000  # remembered while no attempt is in progress

FAILING: Key = ("failing",)
# Only what many workspaces have in common: one workspace must not keep the threads of the others waiting.
WAITABLE_KINDS = ("receiver",)


class _ReceiverState:
    """``attempts`` in progress; ``waiting_since``: the last response, or the start of the first attempt after it."""

    def __init__(self, now: float) -> None:
        self.attempts = 0
        self.waiting_since = now
        self.failed = False


class ReceiverShares:
    """The shares of ``threads`` threads. A receiver that keeps an attempt waiting for ``slow_seconds`` is failing."""

    def __init__(
        self,
        threads: int,
        *,
        slow_seconds: float,
        max_wait: float = MAX_WAIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workspace = max(1, threads // 3)
        self._quarter = max(1, threads // 4)
        self._half = max(1, threads // 2)
        self._slow_seconds = slow_seconds
        self._clock = clock
        self._threads = ThreadShares(WAITABLE_KINDS, max_wait=max_wait, clock=clock)
        self._receivers: dict[str, _ReceiverState] = {}
        self._lock = threading.Lock()

    @contextmanager
    def held(self, channel: ChannelRow) -> Iterator[float | None]:
        """Hold a thread for a round of the channel. Yield None, or the seconds until the round is to try again."""
        name = receiver_of(channel.url)
        with self._threads.held(lambda now: self._limits(channel, name, now)) as wait_seconds:
            if wait_seconds is not None:
                yield wait_seconds
                return
            self._begin(name)
            try:
                yield None
            finally:
                self._end(name)

    def record_response(self, channel: ChannelRow) -> None:
        """Record that the channel's receiver is up."""
        with self._lock:
            receiver = self._receivers[receiver_of(channel.url)]
            receiver.failed, receiver.waiting_since = False, self._clock()

    def record_failure(self, channel: ChannelRow) -> None:
        """Record that the channel's receiver did not respond, or responded that it cannot work."""
        with self._lock:
            self._receivers[receiver_of(channel.url)].failed = True

    def _limits(self, channel: ChannelRow, name: str, now: float) -> dict[Key, int]:
        limits: dict[Key, int] = {}
        if channel.failures or self._is_failing(name, now):
            limits |= {FAILING: self._quarter, ("failing", channel.workspace): max(1, self._workspace - 1)}
        limits[("workspace", channel.workspace)] = self._workspace
        limits[("receiver", name)] = self._half
        return limits

    def _is_failing(self, name: str, now: float) -> bool:
        with self._lock:
            receiver = self._receivers.get(name)
            if receiver is None:
                return False
            return receiver.failed or (receiver.attempts > 0 and now - receiver.waiting_since > self._slow_seconds)

    def _begin(self, name: str) -> None:
        with self._lock:
            now = self._clock()
            receiver = self._receivers.setdefault(name, _ReceiverState(now))
            if not receiver.attempts:
                receiver.waiting_since = now
            receiver.attempts += 1

    def _end(self, name: str) -> None:
        with self._lock:
            receiver = self._receivers[name]
            receiver.attempts -= 1
            if receiver.attempts:
                return
            del self._receivers[name]
            if receiver.failed:
                self._receivers[name] = receiver  # last in the dict's order
                self._forget_oldest()

    def _forget_oldest(self) -> None:
        if len(self._receivers) > MAX_IDLE_FAILED_RECEIVERS:
            # Never the newest: one workspace can fill the map with hosts that fail once and are never tried again.
            del self._receivers[next(name for name, receiver in self._receivers.items() if not receiver.attempts)]


def receiver_of(url: str) -> str:
    """Return the host and port of a webhook; for Apprise the service, as its host part may be a token."""
    scheme, _, rest = url.lower().partition("://")
    if scheme not in ("http", "https"):
        return scheme
    return rest.partition("/")[0].partition("?")[0].rpartition("@")[2]
