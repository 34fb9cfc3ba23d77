"""notify: claims a channel's deliveries, sends them, marks them (I4)."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import msgspec

from actors.round import Round
from overheard import canary
from overheard.channels import Channel
from overheard.clock import Clock
from overheard.config import LEASE_MARGIN
from overheard.config import Notify as Rules
from overheard.db import channels, deliveries
from overheard.db.channels import ChannelRow
from overheard.db.connect import Db
from overheard.db.deliveries import Claimed
from overheard.errors import ChannelGone, InvalidInput, Permanent, Postponed, TryAgain
from overheard.limits import Turn
from overheard.log import get_logger, note
from overheard.messages import NotifyChannel
from overheard.metrics import INVALID, Metrics
from overheard.sending import Send

log = get_logger(__name__)

FIRST_RETRY = 5.0  # seconds; doubles with each try
LONGEST_RETRY = 3600.0
TRIES = 10  # at least, over most of an hour: what waited for days on a machine that was off is not given up at once
ON_THE_BUS = 300.0  # longer waits are due times in the database, which the sweep finds


class Notifier:
    """What the stage works with. ``open_channel`` makes a ready channel of a row."""

    def __init__(
        self,
        *,
        db: Db,
        send: Send,
        open_channel: Callable[[ChannelRow], Channel],
        clock: Clock,
        rules: Rules,
        metrics: Metrics,
    ) -> None:
        self.db = db
        self.send = send
        self.open_channel = open_channel
        self.clock = clock
        self.rules = rules
        self.metrics = metrics

    def notify(self, message: NotifyChannel, turn: Turn) -> None:
        """Send what is due for one channel, oldest first, one turn at the channel's budget each.

        The first failure ends the round: a receiver that is down is not hammered with all that waits for it. And a
        channel has one round at a time, which asks for the next: whoever comes meanwhile has nothing to do.
        Raises Postponed when the channel's budget is used up: the round waits on the bus, not in a thread, and keeps
        its claim, so that nobody begins another beside it.
        """
        row = channels.get(self.db, message.channel_id)
        if row is None or row.disabled_at is not None:
            return
        note(workspace=row.workspace)
        ours = self._claim(message)
        note(deliveries=len(ours.rest))
        if not ours.rest:
            return
        try:
            channel = self.open_channel(row)
        except InvalidInput as error:
            self._disable(row, f"cannot be used: {error}", INVALID)
            return
        while ours.rest and self._hold(ours):
            try:
                turn.take()
            except Postponed as wait:
                if self._wait(message, ours, wait):
                    raise
                return
            pause = self._deliver(row, channel, ours, ours.rest.pop(0))
            if pause is not None:
                self._end_round(message, ours, pause)
                return
        if deliveries.more_due(self.db, row.id, self.clock()):
            self._ask_again(message)

    def _claim(self, message: NotifyChannel) -> Round:
        """The round that the message goes on with, or a new one; an empty one when somebody else has the channel's."""
        now, lease = self.clock(), self.rules.lease
        held: list[Claimed] = []
        if message.lease:
            held = deliveries.resume(self.db, message.channel_id, message.lease, now=now, lease=lease)
        claimed = held or deliveries.claim(self.db, message.channel_id, now=now, limit=self.rules.batch, lease=lease)
        return Round(self.db, claimed, now + lease)

    def _wait(self, message: NotifyChannel, ours: Round, wait: Postponed) -> bool:
        """Whether the message is to come back, and when: with its claim, for the turn that it has reserved."""
        moment = self.clock() + wait.delay
        if wait.slot is None or wait.delay > ON_THE_BUS:
            ours.give_back(moment)  # the bus lets go of it, and the sweep finds them then
            return True
        if not ours.hold(moment + self.rules.lease):
            return False
        wait.resume = msgspec.structs.replace(message, lease=ours.held_until)
        return True

    def _ask_again(self, message: NotifyChannel, delay: float | None = None) -> None:
        self.send(msgspec.structs.replace(message, lease=0.0), delay=delay)

    def _hold(self, ours: Round) -> bool:
        """Whether the rest of the round is ours, held for longer when the next try might outlast the lease.

        So a lease is short, and a killed process keeps nobody waiting for long.
        """
        now = self.clock()
        return now + self.rules.timeout + LEASE_MARGIN <= ours.held_until or ours.hold(now + self.rules.lease)

    def _end_round(self, message: NotifyChannel, ours: Round, pause: float) -> None:
        """Ask for the next round, once: a failing channel must not have more and more of them under way."""
        if pause == math.inf:
            return  # it was disabled, and its deliveries with it
        if ours.rest:
            # They come before the failed one's next try: it may be that one which the receiver cannot take.
            pause = min(pause, FIRST_RETRY)
            ours.give_back(self.clock() + pause)
        if pause <= ON_THE_BUS:
            self._ask_again(message, pause)

    def _deliver(self, row: ChannelRow, channel: Channel, ours: Round, delivery: Claimed) -> float | None:
        """One try. None: the round may go on; else it ends, for so many seconds (infinity: for good)."""
        contents = deliveries.contents(self.db, delivery)
        if contents is None:
            return None  # what it was to say was erased since it was claimed, and the delivery with it
        if not contents.notice.mentions:
            ours.fail(delivery, "what it was to say has been deleted")
            self._count(row, channel.kind, "failed")
            return None
        try:
            channel.send(contents.notice)
        except ChannelGone as error:
            self._disable(row, str(error), channel.kind)
            return math.inf
        except Permanent as error:
            ours.fail(delivery, str(error))
            self._count(row, channel.kind, "failed")
            log.warning("delivery failed", delivery=delivery.id, exc_info=error)
            return None
        except TryAgain as error:
            return self._retry(row, channel.kind, ours, delivery, error)
        except Exception as error:
            # A fault of ours, or of a library, with this one notice: the others go first, and it is tried for as
            # long as any other. Left to the bus, it would hold up the channel for ever.
            log.exception("delivery broke", delivery=delivery.id)
            fault = TryAgain(f"internal error: {type(error).__name__}")
            return self._retry(row, channel.kind, ours, delivery, fault)
        now = self.clock()
        deliveries.sent(self.db, delivery.id, now)
        channels.well(self.db, row.id)  # whatever was known when the round began: it may have failed within it
        self._count(row, channel.kind, "sent")
        for born in contents.born if row.workspace != canary.WORKSPACE else ():
            self.metrics.item_to_delivered.observe(max(now - born, 0.0))
        return None

    def _retry(self, row: ChannelRow, kind: str, ours: Round, delivery: Claimed, error: TryAgain) -> float:
        now = self.clock()
        since = channels.failing(self.db, row.id, str(error), now)
        # Both: a channel that was quiet for days after a fault is not disabled by its next one.
        if min(now - since, now - delivery.created_at) >= self.rules.give_up_after:
            days = self.rules.give_up_after / 86400
            self._disable(row, f"nothing could be delivered for {days:.0f} days: {error}", kind)
            return math.inf
        if now - delivery.created_at >= self.rules.give_up_after and delivery.attempts >= TRIES:
            # The channel takes others: it is this one that it cannot take, and never will.
            ours.fail(delivery, str(error))
            self._count(row, kind, "failed")
            log.warning("delivery given up", delivery=delivery.id, tries=delivery.attempts, exc_info=error)
            return FIRST_RETRY
        delay = error.delay if error.delay is not None else backoff(delivery.attempts)
        ours.put_off(delivery, now + delay, str(error))
        self._count(row, kind, "retried")
        log.info("delivery put off", delivery=delivery.id, seconds=round(delay, 1), exc_info=error)
        return delay

    def _disable(self, row: ChannelRow, reason: str, kind: str) -> None:
        channels.disable(self.db, row.id, reason, self.clock())
        self._count(row, kind, "disabled")
        log.error("channel disabled", reason=reason)

    def _count(self, row: ChannelRow, kind: str, outcome: str) -> None:
        if row.workspace == canary.WORKSPACE:
            return  # nobody's: it has gauges of its own
        self.metrics.deliveries.labels(kind, outcome).inc()


def backoff(attempts: int) -> float:
    """Seconds until the next try: doubling, with jitter so that receivers are not hit by all at once."""
    return min(FIRST_RETRY * 2.0 ** min(attempts - 1, 16), LONGEST_RETRY) * random.uniform(0.8, 1.2)
