"""Run one round: send the deliveries of one channel that are due, one after the other. Read it from the top down."""

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
from overheard.observability.log import bind, bound, get_logger
from overheard.observability.metrics import INVALID_CHANNEL_KIND, ProcessMetrics
from overheard.outcomes import Later, Outcome
from overheard.permits import AnyPermit
from overheard.sending import Send

log = get_logger(__name__)

# The longest delay of a message on the bus (bus.envelope.MAX_DELAY_SECONDS). Longer waits are due times in the
# database, which the sweep finds.
MAX_BUS_DELAY_SECONDS = 300.0
# Of [notify] timeout: healthy receivers respond much faster, and one that hangs must count as failing before its first
# attempt times out, or its other channels would take more threads. Chosen, not measured.
SLOW_FRACTION = 0.25
# A message that wakes a channel arrives so much later: if it came too early, only the sweep would wake the channel.
WAKE_MARGIN_SECONDS = 0.1


class Notifier:
    """The notify stage's handler. ``open_transport`` makes a ready transport from a channel's row."""

    def __init__(
        self,
        *,
        db: Db,
        send: Send,
        open_transport: Callable[[ChannelRow], Transport],
        clock: Clock,
        rules: NotifySettings,
        metrics: ProcessMetrics,
    ) -> None:
        self.db = db
        self.send = send
        self.open_transport = open_transport
        self.clock = clock
        self.rules = rules
        self.shares = ReceiverShares(rules.threads, slow_seconds=SLOW_FRACTION * rules.timeout)
        self.attempts = DeliveryAttempts(db=db, clock=clock, rules=rules, metrics=metrics, shares=self.shares)

    def notify(self, message: NotifyChannel, permit: AnyPermit) -> Outcome:
        """Send what is due for one channel, oldest first, with one token of the channel's budget for each delivery.

        - A failing channel pauses as a whole, until its ``not_before``: a receiver that is down is not hammered with
          everything that waits for it.
        - A channel has one round at a time, which requests the next one. A message that arrives meanwhile, or too
          early, has nothing to do.
        - Without a free thread in its shares (``receiver_shares``) a round does not begin; it is postponed.
        - Without budget a round waits on the bus, not in a thread, and keeps its claim, so that no other round begins.
        """
        row = channels.get(self.db, message.channel_id)
        if row is None or row.disabled_at is not None:
            return None
        bind(workspace=row.workspace)
        if row.not_before > self.clock():
            # The channel failed while this round waited for budget: what the round still claims must not stay locked.
            self._resume(message).release(self.clock())
            return None
        with self.shares.held(row) as wait_seconds:
            if wait_seconds is None:
                return self._round(message, row, permit)
            return self._postpone(message, wait_seconds)

    def _resume(self, message: NotifyChannel, wait: float = 0.0) -> DeliveryBatch:
        """Return what the message's earlier claim still holds, under a new lease that begins ``wait`` seconds later."""
        now, lease = self.clock(), self.rules.lease + wait
        claimed: list[ClaimedDelivery] = []
        if message.lease:
            claimed = deliveries.resume(self.db, message.channel_id, message.lease, now=now, lease=lease)
        return DeliveryBatch(self.db, claimed, now + lease)

    def _postpone(self, message: NotifyChannel, seconds: float) -> Outcome:
        """Postpone the round: with its claim if it has one, otherwise once for the channel, by its ``not_before``."""
        log.info("thread share full", seconds=round(seconds, 2))
        delay = min(seconds, MAX_BUS_DELAY_SECONDS)
        batch = self._resume(message, delay)
        if batch.remaining:
            return Later(delay, msgspec.structs.replace(message, lease=batch.held_until))
        now = self.clock()
        if deliveries.postpone_channel(self.db, message.channel_id, now=now, until=now + seconds):
            return Later(seconds, NotifyChannel(channel_id=message.channel_id))
        return None

    def _round(self, message: NotifyChannel, row: ChannelRow, permit: AnyPermit) -> Outcome:
        batch, wake_at = self._claim(message)
        bind(deliveries=len(batch.remaining))
        if not batch.remaining:
            self._wake(row, wake_at)
            return None
        try:
            transport = self.open_transport(row)
        except InvalidInput as error:
            self.attempts.disable(row, batch, f"cannot be used: {error}", INVALID_CHANNEL_KIND)
            return None
        pause = None
        while batch.remaining and pause is None:
            if not self._ensure_lease(batch):
                return None
            try:
                _acquire(permit, transport)
            except BudgetExhausted as exhausted:
                return self._wait_for_budget(message, batch, exhausted)
            with bound():  # what an attempt adds to its log lines is not added to the next one's
                pause = self.attempts.deliver(row, transport, batch, batch.remaining.pop(0))
        if pause != math.inf:  # infinite: the channel was disabled, and its deliveries with it
            self._request_next_round(row, batch, pause)
        return None

    def _claim(self, message: NotifyChannel) -> tuple[DeliveryBatch, float | None]:
        """Return the batch that the message resumes, or a new one; empty if another round holds the channel.

        With an empty one, the time at which to notify the channel again, if it has to wait for its next message.
        """
        resumed = self._resume(message)
        if resumed.remaining:
            return resumed, None
        now, lease = self.clock(), self.rules.lease
        claim = deliveries.claim(self.db, message.channel_id, now=now, limit=self.rules.batch, lease=lease)
        return DeliveryBatch(self.db, claim.deliveries, now + lease), claim.wake_at

    def _wake(self, row: ChannelRow, wake_at: float | None) -> None:
        """Send a message for the time at which it is decided again what the channel gets."""
        if wake_at is None:
            return
        delay = max(wake_at - self.clock(), 0.0) + WAKE_MARGIN_SECONDS
        if delay <= MAX_BUS_DELAY_SECONDS:
            self.send(NotifyChannel(channel_id=row.id), delay=delay)

    def _ensure_lease(self, batch: DeliveryBatch) -> bool:
        """Extend the claim if the next attempt might outlast it. Return False if the claim was lost."""
        # Extended before each attempt instead of claimed for the whole batch: so a lease is short, and after a kill the
        # channel waits for a short time only.
        now = self.clock()
        return now + self.rules.timeout + LEASE_MARGIN_SECONDS <= batch.held_until or batch.extend(
            now + self.rules.lease
        )

    def _wait_for_budget(self, message: NotifyChannel, batch: DeliveryBatch, exhausted: BudgetExhausted) -> Outcome:
        """Come back for the reserved slot, with the claim; without a slot, or with a distant one, release the rest."""
        slot_at = self.clock() + exhausted.delay
        if exhausted.slot is None or exhausted.delay > MAX_BUS_DELAY_SECONDS:
            batch.release(slot_at)  # the sweep finds what is due then
        elif not batch.extend(slot_at + self.rules.lease):
            return None
        return Later.for_slot(exhausted, msgspec.structs.replace(message, lease=batch.held_until))

    def _request_next_round(self, row: ChannelRow, batch: DeliveryBatch, pause: float | None) -> None:
        """Send one message for the next round: a failing channel must not accumulate messages.

        Now if more is due, else when the first postponed delivery is; never before the channel's ``pause`` ends.
        """
        now = self.clock()
        if batch.remaining:
            batch.release(now)  # the channel pauses: the next round claims a single delivery, as a probe
        delay = pause if deliveries.more_due(self.db, row.id, now) else max(pause or 0.0, batch.next_attempt_at - now)
        if delay is None or delay <= MAX_BUS_DELAY_SECONDS:
            self.send(NotifyChannel(channel_id=row.id), delay=delay)


def _acquire(permit: AnyPermit, transport: Transport) -> None:
    """Take a token of the channel, then one of the service, if its transport has a ``pace``.

    A message that waited for the service has spent its channel's token already.
    """
    pace = transport.pace
    if pace is None:
        permit.acquire()
        return
    service = permit.paced(pace.key, (pace.per_minute, pace.burst))
    if permit.held is None or permit.held.key != service.key:
        permit.acquire()
    service.acquire()
