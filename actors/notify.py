"""notify: claims a channel's deliveries, sends them, marks them (I4)."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import msgspec

from actors.round import Round
from actors.shares import Shares
from overheard.channels import Channel
from overheard.clock import Clock
from overheard.config import LEASE_MARGIN
from overheard.config import Notify as Rules
from overheard.db import channels, deliveries
from overheard.db.channels import ChannelRow
from overheard.db.connect import Db
from overheard.db.deliveries import Claimed
from overheard.errors import ChannelGone, DeliveryRefused, InvalidInput, Permanent, Postponed, TryAgain
from overheard.limits import Turn
from overheard.log import get_logger, note
from overheard.messages import NotifyChannel
from overheard.metrics import INVALID, Metrics
from overheard.sending import Send

log = get_logger(__name__)

FIRST_RETRY = 5.0  # seconds; doubles with each failure in a row
LONGEST_RETRY = 3600.0
LONGEST_NAMED_SECONDS = 86_400.0  # that a receiver is left alone when it says for how long
REFUSALS = 1  # of new deliveries in a row that say nothing of their channel yet
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
        self.shares = Shares(rules.threads, slow=rules.timeout / 4)

    def notify(self, message: NotifyChannel, turn: Turn) -> None:
        """Send what is due for one channel, oldest first, one turn at the channel's budget each.

        A channel that fails is left alone as a whole, until its ``not_before``: a receiver that is down is not hammered
        with all that waits for it. And a channel has one round at a time, which asks for the next: whoever comes
        meanwhile, or too early, has nothing to do. Nor does a round begin for which there is no thread to spare
        (``shares.py``): the channel is asked for again a little later.
        Raises Postponed when the channel's budget is used up: the round waits on the bus, not in a thread, and keeps
        its claim, so that nobody begins another beside it.
        """
        row = channels.get(self.db, message.channel_id)
        if row is None or row.disabled_at is not None:
            return
        note(workspace=row.workspace)
        if row.not_before > self.clock():
            self._held_already(message).give_back(self.clock())
            return
        with self.shares.held(row) as later:
            if later is None:
                self._round(message, turn, row)
            else:
                self._defer(message, later)

    def _round(self, message: NotifyChannel, turn: Turn, row: ChannelRow) -> None:
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
        now = self.clock()
        if deliveries.more_due(self.db, row.id, now):
            self._ask_again(message)
        elif ours.next_try - now <= ON_THE_BUS:
            self._ask_again(message, max(ours.next_try - now, 0.0))

    def _claim(self, message: NotifyChannel) -> Round:
        """The round that the message goes on with, or a new one; an empty one when somebody else has the channel's."""
        held = self._held_already(message)
        if held.rest:
            return held
        now, lease = self.clock(), self.rules.lease
        claimed = deliveries.claim(self.db, message.channel_id, now=now, limit=self.rules.batch, lease=lease)
        return Round(self.db, claimed, now + lease)

    def _held_already(self, message: NotifyChannel, wait: float = 0.0) -> Round:
        """What the message holds from before, held for a lease from now, or from after ``wait`` seconds, on."""
        now, lease = self.clock(), self.rules.lease + wait
        held: list[Claimed] = []
        if message.lease:
            held = deliveries.resume(self.db, message.channel_id, message.lease, now=now, lease=lease)
        return Round(self.db, held, now + lease)

    def _defer(self, message: NotifyChannel, seconds: float) -> None:
        """Come back later: a round that is under way with its claim; others by what the database says, to come once."""
        log.info("no thread to spare", seconds=round(seconds, 2))
        held = self._held_already(message, min(seconds, ON_THE_BUS))
        if held.rest:
            resumed = msgspec.structs.replace(message, lease=held.held_until)
            self.send(resumed, delay=min(seconds, ON_THE_BUS))
            return
        now = self.clock()
        if deliveries.defer(self.db, message.channel_id, now=now, until=now + seconds) and seconds <= ON_THE_BUS:
            self._ask_again(message, seconds)

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
        now = self.clock()
        ours.give_back(now)
        if not deliveries.more_due(self.db, message.channel_id, now):
            pause = max(pause, ours.next_try - now)
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
            # A fault of ours, or of a library, with this one notice: it is tried for as long as any other. Left to the
            # bus, it would hold up the channel for ever.
            log.exception("delivery broke", delivery=delivery.id)
            fault = DeliveryRefused(f"internal error: {type(error).__name__}")
            return self._retry(row, channel.kind, ours, delivery, fault)
        now = self.clock()
        deliveries.sent(self.db, delivery.id, now)
        channels.well(self.db, row.id)  # whatever was known when the round began: it may have failed within it
        self.shares.answered(row)
        self._count(row, channel.kind, "sent")
        for born in contents.born if not row.internal else ():
            self.metrics.item_to_delivered.observe(max(now - born, 0.0))
        return None

    def _retry(self, row: ChannelRow, kind: str, ours: Round, delivery: Claimed, error: TryAgain) -> float | None:
        """One try failed. None: that is about this delivery, the round may go on; else its channel pauses for so long.

        What a receiver refuses again and again is refused alone, and must not keep from it what it would take. One that
        refuses one new delivery after the other takes none, though it answers.
        """
        now = self.clock()
        refused = isinstance(error, DeliveryRefused)
        fault = not refused or delivery.attempts == 1
        since, failures = channels.failing(self.db, row.id, str(error), now, fault=fault)
        if not refused and error.delay is None:
            self.shares.failed(row)
        # Both: a channel that was quiet for days after a fault is not disabled by its next one.
        if min(now - since, now - delivery.created_at) >= self.rules.give_up_after:
            days = self.rules.give_up_after / 86400
            self._disable(row, f"nothing could be delivered for {days:.0f} days: {error}", kind)
            return math.inf
        pause = None
        if fault and not (refused and failures <= REFUSALS):
            pause = backoff(failures) if error.delay is None else min(error.delay, LONGEST_NAMED_SECONDS)
            channels.put_off(self.db, row.id, now + pause)
        if now - delivery.created_at >= self.rules.give_up_after and delivery.attempts >= TRIES:
            # The channel takes others: it is this one that it cannot take, and never will.
            ours.fail(delivery, str(error))
            self._count(row, kind, "failed")
            log.warning("delivery given up", delivery=delivery.id, tries=delivery.attempts, exc_info=error)
            return pause
        # It failed before the channel's last success, too: it may be this one that the receiver cannot take.
        again = pause is None or (error.delay is None and delivery.attempts > failures)
        delay = backoff(delivery.attempts) if again or pause is None else pause
        ours.put_off(delivery, now + delay, str(error))
        self._count(row, kind, "retried")
        log.info("delivery put off", delivery=delivery.id, seconds=round(delay, 1), exc_info=error)
        return pause

    def _disable(self, row: ChannelRow, reason: str, kind: str) -> None:
        channels.disable(self.db, row.id, reason, self.clock())
        self._count(row, kind, "disabled")
        log.error("channel disabled", reason=reason)

    def _count(self, row: ChannelRow, kind: str, outcome: str) -> None:
        if row.internal:
            return
        self.metrics.deliveries.labels(kind, outcome).inc()


def backoff(failures: int) -> float:
    """Seconds until the next try: doubling, with jitter so that receivers are not hit by all at once."""
    return min(FIRST_RETRY * 2.0 ** min(failures - 1, 16), LONGEST_RETRY) * random.uniform(0.8, 1.2)
