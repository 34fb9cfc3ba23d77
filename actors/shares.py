"""Shares of a notify process's threads: what hangs, or is very many, leaves threads to the others (I6).

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
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from overheard.db.channels import ChannelRow

PATIENCE_SECONDS = 0.1  # that a thread waits where others come and go: cheaper than to come back
FLOWS_SECONDS = 0.5  # a share in which nothing changed for so long is stuck: a thread does not wait there at all
# How far apart those come back who found a share full: sooner while it flows, later the longer it is stuck.
APART_SECONDS = (0.02, 0.25)

MOST_RECEIVERS = 1000  # of which something is remembered when nothing is under way to them

Key = tuple[str, ...]
FAILING: Key = ("failing",)


class _Share:
    def __init__(self, now: float) -> None:
        self.held = 0
        self.changed = now
        self.line = now  # when the last of those who were sent away comes back


class _Receiver:
    """``since``: when it answered last, or was first asked since; ``tries``: under way."""

    def __init__(self, now: float) -> None:
        self.tries = 0
        self.since = now
        self.failed = False


class Shares:
    """Of ``threads`` threads. A receiver that keeps a try waiting for ``slow`` seconds counts as failing."""

    def __init__(
        self,
        threads: int,
        *,
        slow: float,
        patience: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workspace = max(1, threads // 3)
        self._quarter = max(1, threads // 4)
        self._half = max(1, threads // 2)
        self._slow = slow
        self._patience = patience
        self._clock = clock
        self._shares: dict[Key, _Share] = {}
        self._receivers: dict[str, _Receiver] = {}
        self._changed = threading.Condition()

    @contextmanager
    def held(self, channel: ChannelRow) -> Iterator[float | None]:
        """Hold a thread for a round of the channel: yields None, or after how many seconds to come back instead."""
        name = receiver_of(channel.url)
        with self._changed:
            taken = self._enter(channel, name)
        if isinstance(taken, float):
            yield taken
            return
        try:
            yield None
        finally:
            with self._changed:
                self._leave(taken, name)

    def answered(self, channel: ChannelRow) -> None:
        """Note that the channel's receiver is up."""
        with self._changed:
            receiver, now = self._receivers[receiver_of(channel.url)], self._clock()
            receiver.failed, receiver.since = False, now

    def failed(self, channel: ChannelRow) -> None:
        """Note that the channel's receiver did not answer, or is not able to work."""
        with self._changed:
            self._receivers[receiver_of(channel.url)].failed = True

    def _enter(self, channel: ChannelRow, name: str) -> list[Key] | float:
        """The shares that were entered, or seconds to come back after."""
        until = self._clock() + self._patience
        while True:
            now = self._clock()
            limits = self._limits(channel, name, now)
            full = next((key for key, limit in limits.items() if self._at(key) >= limit), None)
            if full is None:
                self._count(limits, 1, now)
                self._begin(name, now)
                return list(limits)
            share = self._shares[full]
            # Only for what many workspaces have in common: one workspace must not keep the others' threads waiting.
            if full[0] != "receiver" or now >= until or now - share.changed > FLOWS_SECONDS:
                return self._place_in_line(share, now)
            self._changed.wait(until - now)

    def _limits(self, channel: ChannelRow, name: str, now: float) -> dict[Key, int]:
        receiver = self._receivers.get(name)
        limits: dict[Key, int] = {}
        if channel.failures or (receiver is not None and self._fails(receiver, now)):
            limits |= {FAILING: self._quarter, ("failing", channel.workspace): max(1, self._workspace - 1)}
        limits[("workspace", channel.workspace)] = self._workspace
        limits[("receiver", name)] = self._half
        return limits

    def _fails(self, receiver: _Receiver, now: float) -> bool:
        return receiver.failed or (receiver.tries > 0 and now - receiver.since > self._slow)

    def _place_in_line(self, share: _Share, now: float) -> float:
        least, most = APART_SECONDS
        share.line = max(share.line, now) + min(max((now - share.changed) / 10, least), most)
        return share.line - now

    def _at(self, key: Key) -> int:
        share = self._shares.get(key)
        return 0 if share is None else share.held

    def _count(self, keys: Iterable[Key], change: int, now: float) -> None:
        for key in keys:
            share = self._shares.setdefault(key, _Share(now))
            share.held += change
            share.changed = now
            if not share.held:
                del self._shares[key]

    def _begin(self, name: str, now: float) -> None:
        receiver = self._receivers.setdefault(name, _Receiver(now))
        if not receiver.tries:
            receiver.since = now
        receiver.tries += 1

    def _leave(self, keys: list[Key], name: str) -> None:
        now = self._clock()
        self._count(keys, -1, now)
        self._receivers[name].tries -= 1
        self._changed.notify_all()
        if len(self._receivers) > MOST_RECEIVERS:
            kept = {
                name: each for name, each in self._receivers.items() if each.tries or now - each.since <= self._slow
            }
            self._receivers = kept


def receiver_of(url: str) -> str:
    """The host and port of a webhook; for Apprise the service, as what stands for a host there may be a token."""
    scheme, _, rest = url.lower().partition("://")
    if scheme not in ("http", "https"):
        return scheme
    return rest.partition("/")[0].partition("?")[0].rpartition("@")[2]
