"""One message's round: its channel's deliveries that are due, sent one after the other. Read it downwards."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from actors.notify.attempts import DeliveryAttempts
from actors.notify.batch import DeliveryBatch
from actors.notify.receiver_shares import ReceiverShares
from overheard.channels import Transport
from overheard.clock import Clock
from overheard.config import LEASE_MARGIN_SECONDS, NotifySettings
from overheard.db import channels, deliveries
from overheard.db.channels import ChannelRow
from overheard.db.database import Db
from overheard.db.deliveries import ClaimedDelivery
from overheard.errors import BudgetExhausted, InvalidInput
from overheard.messages import NotifyChannel
from overheard.observability.log import bind, get_logger
from overheard.observability.metrics import INVALID_CHANNEL_KIND, ProcessMetrics
from overheard.outcomes import Later, Outcome
from overheard.permits import AnyPermit
from overheard.sending import Send

log = get_logger(__name__)

MAX_BUS_DELAY_SECONDS = 300.0  # longer waits are due times in the database, which the sweep finds


class Notifier:
    """What the stage works with. ``open_channel`` makes a ready channel of a row."""

    def __init__(
        self,
        *,
        db: Db,
        send: Send,
        open_channel: Callable[[ChannelRow], Transport],
        clock: Clock,
        rules: NotifySettings,
        metrics: ProcessMetrics,
    ) -> None:
        self.db = db
        self.send = send
        self.open_channel = open_channel
        self.clock = clock
        self.rules = rules
        self.shares = ReceiverShares(rules.threads, slow=rules.timeout / 4)
        self.tries = DeliveryAttempts(db=db, clock=clock, rules=rules, metrics=metrics, shares=self.shares)

    def notify(self, message: NotifyChannel, permit: AnyPermit) -> Outcome:
        """Send what is due for one channel, oldest first, one token of the channel's budget each.

        A channel that fails is left alone as a whole, until its ``not_before``: a receiver that is down is not hammered
        with all that waits for it. And a channel has one round at a time, which asks for the next: a message that comes
        meanwhile, or too early, has nothing to do. Nor does a round begin for which there is no thread to spare
        (``receiver_shares.py``): the message comes back a little later. So it does when the channel's budget is spent:
        the round waits on the bus, not in a thread, and keeps its claim, so that no other begins beside it.
        """
        row = channels.get(self.db, message.channel_id)
        if row is None or row.disabled_at is not None:
            return None
        bind(workspace=row.workspace)
        if row.not_before > self.clock():
            self._held(message).give_back(self.clock())
            return None
        with self.shares.held(row) as later:
            return self._round(message, row, permit) if later is None else self._defer(message, later)

    def _held(self, message: NotifyChannel, wait: float = 0.0) -> DeliveryBatch:
        """What the message holds from before, held for a lease from now, or from after ``wait`` seconds, on."""
        now, lease = self.clock(), self.rules.lease + wait
        held: list[ClaimedDelivery] = []
        if message.lease:
            held = deliveries.resume(self.db, message.channel_id, message.lease, now=now, lease=lease)
        return DeliveryBatch(self.db, held, now + lease)

    def _defer(self, message: NotifyChannel, seconds: float) -> Outcome:
        """Come back later: a round that is under way with its claim; others by what the database says, to come once."""
        log.info("no thread to spare", seconds=round(seconds, 2))
        held = self._held(message, min(seconds, MAX_BUS_DELAY_SECONDS))
        if held.rest:
            return Later(min(seconds, MAX_BUS_DELAY_SECONDS), msgspec.structs.replace(message, lease=held.held_until))
        now = self.clock()
        if deliveries.defer(self.db, message.channel_id, now=now, until=now + seconds):
            return Later(seconds, NotifyChannel(channel_id=message.channel_id))
        return None

    def _round(self, message: NotifyChannel, row: ChannelRow, permit: AnyPermit) -> Outcome:
        batch = self._batch(message)
        bind(deliveries=len(batch.rest))
        if not batch.rest:
            return None
        try:
            channel = self.open_channel(row)
        except InvalidInput as error:
            self.tries.disable(row, f"cannot be used: {error}", INVALID_CHANNEL_KIND)
            return None
        pause = None
        while batch.rest and pause is None:
            if not self._hold(batch):
                return None
            try:
                permit.acquire()
            except BudgetExhausted as wait:
                return self._later(message, batch, wait)
            pause = self.tries.deliver(row, channel, batch, batch.rest.pop(0))
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
        return now + self.rules.timeout + LEASE_MARGIN_SECONDS <= batch.held_until or batch.hold(now + self.rules.lease)

    def _later(self, message: NotifyChannel, batch: DeliveryBatch, wait: BudgetExhausted) -> Outcome:
        """Come back for the slot that is reserved, with the claim; without one the rest is given back to the sweep."""
        moment = self.clock() + wait.delay
        if wait.slot is None or wait.delay > MAX_BUS_DELAY_SECONDS:
            batch.give_back(moment)
        elif not batch.hold(moment + self.rules.lease):
            return None
        return Later.for_slot(wait, msgspec.structs.replace(message, lease=batch.held_until))

    def _ask_again(self, row: ChannelRow, batch: DeliveryBatch, pause: float | None) -> None:
        """Ask for the next round, once: a failing channel must not have more and more of them under way.

        At once when more is due, else when the first of what was put off is; not before the channel's own ``pause``.
        """
        now = self.clock()
        if batch.rest:
            batch.give_back(now)
        delay = pause if deliveries.more_due(self.db, row.id, now) else max(pause or 0.0, batch.next_try - now)
        if delay is None or delay <= MAX_BUS_DELAY_SECONDS:
            self.send(NotifyChannel(channel_id=row.id), delay=delay)
