"""One try of one delivery, and what follows from it for the delivery and its channel."""

from __future__ import annotations

import math
import random

from actors.notify.batch import DeliveryBatch
from actors.notify.receiver_shares import ReceiverShares
from overheard.channels import Transport
from overheard.clock import Clock
from overheard.config import NotifySettings
from overheard.db import channels, deliveries
from overheard.db.channels import ChannelRow
from overheard.db.database import Db
from overheard.db.deliveries import ClaimedDelivery, DeliveryContents
from overheard.errors import ChannelGone, DeliveryRefused, PermanentError, RetryableError
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics

log = get_logger(__name__)

FIRST_RETRY_SECONDS = 5.0  # seconds; doubles with each failure in a row
LONGEST_RETRY_SECONDS = 3600.0
REFUSALS_TOLERATED = 1  # of new deliveries in a row that say nothing of their channel yet
MIN_ATTEMPTS = (
    10  # at least, over most of an hour: what waited for days on a machine that was off is not given up at once
)


class DeliveryAttempts:
    """Sends deliveries and marks them."""

    def __init__(
        self, *, db: Db, clock: Clock, rules: NotifySettings, metrics: ProcessMetrics, shares: ReceiverShares
    ) -> None:
        self.db = db
        self.clock = clock
        self.rules = rules
        self.metrics = metrics
        self.shares = shares

    def deliver(
        self, row: ChannelRow, channel: Transport, batch: DeliveryBatch, delivery: ClaimedDelivery
    ) -> float | None:
        """One try. None: the round may go on; else it ends, for so many seconds (infinity: for good)."""
        contents = deliveries.contents(self.db, delivery)
        if contents is None:
            return None  # what it was to say was erased since it was claimed, and the delivery with it
        if not contents.notice.mentions:
            self._fail(row, channel.kind, batch, delivery, "what it was to say has been deleted")
            return None
        try:
            channel.send(contents.notice)
        except ChannelGone as error:
            self.disable(row, str(error), channel.kind)
            return math.inf
        except PermanentError as error:
            self._fail(row, channel.kind, batch, delivery, str(error))
            log.warning("delivery failed", delivery=delivery.id, exc_info=error)
            return None
        except RetryableError as error:
            return self._retry(row, channel.kind, batch, delivery, error)
        except Exception as error:
            # A fault of ours, or of a library, with this one notice: it is tried for as long as any other. Left to the
            # bus, it would hold up the channel for ever.
            log.exception("delivery broke", delivery=delivery.id)
            broken = DeliveryRefused(f"internal error: {type(error).__name__}")
            return self._retry(row, channel.kind, batch, delivery, broken)
        self._mark_sent(row, channel.kind, batch, delivery, contents)
        return None

    def _mark_sent(
        self, row: ChannelRow, kind: str, batch: DeliveryBatch, delivery: ClaimedDelivery, contents: DeliveryContents
    ) -> None:
        now = self.clock()
        deliveries.mark_sent(self.db, delivery.id, now)
        if batch.failing:
            channels.mark_healthy(self.db, row.id)
            batch.failing = False
        self.shares.answered(row)
        self._count(row, kind, "sent")
        for born in contents.born if not row.internal else ():
            self.metrics.item_to_delivered.observe(max(now - born, 0.0))

    def _retry(
        self, row: ChannelRow, kind: str, batch: DeliveryBatch, delivery: ClaimedDelivery, error: RetryableError
    ) -> float | None:
        """One try failed. None: that is about this delivery, the round may go on; else its channel pauses for so long.

        What a receiver refuses again and again is refused alone, and must not keep from it what it would take. One that
        refuses one new delivery after the other takes none, though it answers.
        """
        now = self.clock()
        refused = isinstance(error, DeliveryRefused)
        fault = not refused or delivery.attempts == 1
        since, failures = channels.record_failure(self.db, row.id, str(error), now, fault=fault)
        batch.failing = True
        if not refused and error.delay is None:
            self.shares.failed(row)
        # Both: a channel that was quiet for days after a fault is not disabled by its next one.
        if min(now - since, now - delivery.created_at) >= self.rules.give_up_after:
            days = self.rules.give_up_after / 86400
            self.disable(row, f"nothing could be delivered for {days:.0f} days: {error}", kind)
            return math.inf
        pause = None
        if fault and not (refused and failures <= REFUSALS_TOLERATED):
            pause = backoff(failures) if error.delay is None else error.delay
            channels.put_off(self.db, row.id, now + pause)
        if now - delivery.created_at >= self.rules.give_up_after and delivery.attempts >= MIN_ATTEMPTS:
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

    def _fail(self, row: ChannelRow, kind: str, batch: DeliveryBatch, delivery: ClaimedDelivery, reason: str) -> None:
        batch.fail(delivery, reason)
        self._count(row, kind, "failed")

    def disable(self, row: ChannelRow, reason: str, kind: str) -> None:
        """Send nothing there any more."""
        channels.disable(self.db, row.id, reason, self.clock())
        self._count(row, kind, "disabled")
        log.error("channel disabled", reason=reason)

    def _count(self, row: ChannelRow, kind: str, outcome: str) -> None:
        if row.internal:
            return  # it has gauges of its own
        self.metrics.deliveries.labels(kind, outcome).inc()


def backoff(failures: int) -> float:
    """Seconds until the next try: doubling, with jitter so that receivers are not hit by all at once."""
    return min(FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 16), LONGEST_RETRY_SECONDS) * random.uniform(0.8, 1.2)
