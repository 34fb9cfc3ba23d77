"""One message's round: its channel's deliveries that are due, sent one after the other. Read it downwards."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import msgspec

from actors.notify.batch import DeliveryBatch
from actors.notify.shares import Shares
from overheard import canary
from overheard.channels import Channel, Notice
from overheard.clock import Clock
from overheard.config import LEASE_MARGIN
from overheard.config import Notify as Rules
from overheard.db import channels, deliveries
from overheard.db.channels import ChannelRow
from overheard.db.connect import Db
from overheard.db.deliveries import Claimed, Contents
from overheard.errors import ChannelGone, DeliveryRefused, InvalidInput, Permanent, Postponed, TryAgain
from overheard.limits import Permission
from overheard.log import get_logger, note
from overheard.messages import NotifyChannel
from overheard.metrics import INVALID, Metrics
from overheard.outcomes import Later, Outcome
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

    def notify(self, message: NotifyChannel, permit: Permission) -> Outcome:
        """Send what is due for one channel, oldest first, one token of the channel's budget each.

        A channel that fails is left alone as a whole, until its ``not_before``: a receiver that is down is not hammered
        with all that waits for it. And a channel has one round at a time, which asks for the next: a message that comes
        meanwhile, or too early, has nothing to do. Nor does a round begin for which there is no thread to spare
        (``shares.py``): the message comes back a little later. Later, too, when the channel's budget is used up: the
        round waits on the bus, not in a thread, and keeps its claim, so that no other begins beside it.
        """
        row = channels.get(self.db, message.channel_id)
        if row is None or row.disabled_at is not None:
            return None
        note(workspace=row.workspace)
        if row.not_before > self.clock():
            self._held(message).give_back(self.clock())
            return None
        with self.shares.held(row) as later:
            return self._round(message, row, permit) if later is None else self._defer(message, later)

    def _held(self, message: NotifyChannel, wait: float = 0.0) -> DeliveryBatch:
        """What the message holds from before, held for a lease from now, or from after ``wait`` seconds, on."""
        now, lease = self.clock(), self.rules.lease + wait
        held: list[Claimed] = []
        if message.lease:
            held = deliveries.resume(self.db, message.channel_id, message.lease, now=now, lease=lease)
        return DeliveryBatch(self.db, held, now + lease)

    def _defer(self, message: NotifyChannel, seconds: float) -> Outcome:
        """Come back later: a round that is under way with its claim; others by what the database says, to come once."""
        log.info("no thread to spare", seconds=round(seconds, 2))
        held = self._held(message, min(seconds, ON_THE_BUS))
        if held.rest:
            return Later(min(seconds, ON_THE_BUS), msgspec.structs.replace(message, lease=held.held_until))
        now = self.clock()
        if deliveries.defer(self.db, message.channel_id, now=now, until=now + seconds):
            return Later(seconds, NotifyChannel(channel_id=message.channel_id))
        return None

    def _round(self, message: NotifyChannel, row: ChannelRow, permit: Permission) -> Outcome:
        batch = self._batch(message)
        note(deliveries=len(batch.rest))
        if not batch.rest:
            return None
        try:
            channel = self.open_channel(row)
        except InvalidInput as error:
            self._disable(row, f"cannot be used: {error}", INVALID)
            return None
        pause = None
        while batch.rest and pause is None:
            if not self._hold(batch):
                return None
            try:
                permit.acquire()
            except Postponed as wait:
                return self._later(message, batch, wait)
            pause = self._deliver(row, channel, batch, batch.rest.pop(0))
        if pause != math.inf:  # else it was disabled, and its deliveries with it
            self._ask_again(row, batch, pause)
        return None

    def _batch(self, message: NotifyChannel) -> DeliveryBatch:
        """The batch that the message goes on with, or a new one; an empty one when another round has the channel's."""
        held = self._held(message)
        if held.rest:
            return held
        now, lease = self.clock(), self.rules.lease
        claimed = deliveries.claim(self.db, message.channel_id, now=now, limit=self.rules.batch, lease=lease)
        return DeliveryBatch(self.db, claimed, now + lease)

    def _hold(self, batch: DeliveryBatch) -> bool:
        """Return whether the rest is ours, held for longer when the next try might outlast the lease.

        So a lease is short, and a killed process keeps its channels waiting for a short time only.
        """
        now = self.clock()
        return now + self.rules.timeout + LEASE_MARGIN <= batch.held_until or batch.hold(now + self.rules.lease)

    def _later(self, message: NotifyChannel, batch: DeliveryBatch, wait: Postponed) -> Outcome:
        """Come back for the slot that is reserved, with the claim; without one the rest is given back to the sweep."""
        moment = self.clock() + wait.delay
        if wait.slot is None or wait.delay > ON_THE_BUS:
            batch.give_back(moment)
        elif not batch.hold(moment + self.rules.lease):
            return None
        return Later.for_slot(wait, msgspec.structs.replace(message, lease=batch.held_until))

    def _deliver(self, row: ChannelRow, channel: Channel, batch: DeliveryBatch, delivery: Claimed) -> float | None:
        """One try. None: the round may go on; else it ends, for so many seconds (infinity: for good)."""
        contents = deliveries.contents(self.db, delivery)
        if contents is None:
            return None  # what it was to say was erased since it was claimed, and the delivery with it
        if not contents.notice.mentions:
            self._fail(row, channel.kind, batch, delivery, "what it was to say has been deleted")
            return None
        match _sent(channel, contents.notice):
            case None:
                self._mark_sent(row, channel.kind, batch, delivery, contents)
                return None
            case ChannelGone() as error:
                self._disable(row, str(error), channel.kind)
                return math.inf
            case Permanent() as error:
                self._fail(row, channel.kind, batch, delivery, str(error))
                log.warning("delivery failed", delivery=delivery.id, exc_info=error)
                return None
            case TryAgain() as error:
                return self._retry(row, channel.kind, batch, delivery, error)

    def _mark_sent(
        self, row: ChannelRow, kind: str, batch: DeliveryBatch, delivery: Claimed, contents: Contents
    ) -> None:
        now = self.clock()
        deliveries.sent(self.db, delivery.id, now)
        if batch.failing:
            channels.well(self.db, row.id)
            batch.failing = False
        self.shares.answered(row)
        self._count(row, kind, "sent")
        for born in contents.born if row.workspace != canary.WORKSPACE else ():
            self.metrics.item_to_delivered.observe(max(now - born, 0.0))

    def _retry(
        self, row: ChannelRow, kind: str, batch: DeliveryBatch, delivery: Claimed, error: TryAgain
    ) -> float | None:
        """One try failed. None: that is about this delivery, the round may go on; else its channel pauses for so long.

        What a receiver refuses again and again is refused alone, and must not keep from it what it would take. One that
        refuses one new delivery after the other takes none, though it answers.
        """
        now = self.clock()
        refused = isinstance(error, DeliveryRefused)
        fault = not refused or delivery.attempts == 1
        since, failures = channels.failing(self.db, row.id, str(error), now, fault=fault)
        batch.failing = True
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
            self._fail(row, kind, batch, delivery, str(error))
            log.warning("delivery given up", delivery=delivery.id, tries=delivery.attempts, exc_info=error)
            return pause
        # It failed before the channel's last success, too: it may be this one that the receiver cannot take.
        again = pause is None or (error.delay is None and delivery.attempts > failures)
        delay = backoff(delivery.attempts) if again or pause is None else pause
        batch.put_off(delivery, now + delay, str(error))
        self._count(row, kind, "retried")
        log.info("delivery put off", delivery=delivery.id, seconds=round(delay, 1), exc_info=error)
        return pause

    def _fail(self, row: ChannelRow, kind: str, batch: DeliveryBatch, delivery: Claimed, reason: str) -> None:
        batch.fail(delivery, reason)
        self._count(row, kind, "failed")

    def _disable(self, row: ChannelRow, reason: str, kind: str) -> None:
        channels.disable(self.db, row.id, reason, self.clock())
        self._count(row, kind, "disabled")
        log.error("channel disabled", reason=reason)

    def _count(self, row: ChannelRow, kind: str, outcome: str) -> None:
        if row.workspace == canary.WORKSPACE:
            return  # it has gauges of its own
        self.metrics.deliveries.labels(kind, outcome).inc()

    def _ask_again(self, row: ChannelRow, batch: DeliveryBatch, pause: float | None) -> None:
        """Ask for the next round, once: a failing channel must not have more and more of them under way.

        At once when more is due, else when the first of what was put off is; not before the channel's own ``pause``.
        """
        now = self.clock()
        if batch.rest:
            batch.give_back(now)
        if deliveries.more_due(self.db, row.id, now):
            delay = pause
        else:
            delay = max(pause or 0.0, batch.next_try - now)
        if delay is None or delay <= ON_THE_BUS:
            self.send(NotifyChannel(channel_id=row.id), delay=delay)


def _sent(channel: Channel, notice: Notice) -> ChannelGone | Permanent | TryAgain | None:
    """Send it; return why it could not be sent."""
    try:
        channel.send(notice)
    except (Permanent, TryAgain) as error:
        return error
    except Exception as error:
        # A fault of ours, or of a library, with this one notice: it is tried for as long as any other. Left to the
        # bus, it would hold up the channel for ever.
        log.exception("delivery broke", delivery=notice.id)
        return DeliveryRefused(f"internal error: {type(error).__name__}")
    return None


def backoff(failures: int) -> float:
    """Seconds until the next try: doubling, with jitter so that receivers are not hit by all at once."""
    return min(FIRST_RETRY * 2.0 ** min(failures - 1, 16), LONGEST_RETRY) * random.uniform(0.8, 1.2)
