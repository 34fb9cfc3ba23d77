"""Attempt one delivery, and record what follows for the delivery and its channel."""

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
from overheard.db.deliveries import ClaimedDelivery
from overheard.db.notice_contents import DeliveryContents
from overheard.errors import ChannelGone, DeliveryRefused, PartlyRefused, PermanentError, RetryableError
from overheard.observability.log import bind, get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.sources.logged_items import logged_ids

log = get_logger(__name__)

FIRST_RETRY_SECONDS = 5.0  # doubles with each failure in a row
LONGEST_RETRY_SECONDS = 3600.0
# New deliveries in a row that a channel may refuse before it pauses: a single one may be a mention that it cannot take.
REFUSALS_TOLERATED = 1
# Before a delivery is given up, whatever its age; they take most of an hour. So what waited for days on a machine that
# was switched off is not given up at the first failure.
MIN_ATTEMPTS = 10


class DeliveryAttempts:
    """Sends deliveries and marks them sent, postponed or failed."""

    def __init__(
        self, *, db: Db, clock: Clock, rules: NotifySettings, metrics: ProcessMetrics, shares: ReceiverShares
    ) -> None:
        self.db = db
        self.clock = clock
        self.rules = rules
        self.metrics = metrics
        self.shares = shares

    def deliver(
        self, row: ChannelRow, transport: Transport, batch: DeliveryBatch, delivery: ClaimedDelivery
    ) -> float | None:
        """Attempt the delivery. Return None if the round may go on, else the seconds for which the channel pauses.

        Infinity: the channel was disabled.
        """
        contents = deliveries.contents(self.db, delivery)
        if contents is None:
            return None  # its mention was erased after the claim, and the delivery with it
        if contents.empty:
            self._fail(row, transport.kind, batch, delivery, "its mentions have been deleted")
            return None
        bind(item_ids=logged_ids((mention.source, mention.item) for mention in contents.notice.mentions))
        try:
            transport.send(contents.notice)
        except ChannelGone as error:
            self._record_try(delivery, error)
            self.disable(row, batch, str(error), transport.kind)
            return math.inf
        except PermanentError as error:
            self._record_try(delivery, error)
            self._fail(row, transport.kind, batch, delivery, str(error))
            log.warning("delivery failed", delivery=delivery.id, exc_info=error)
            return None
        except RetryableError as error:
            return self._retry(row, transport.kind, batch, delivery, error)
        except Exception as error:
            # A bug of ours or of a library with this one notice: treated as a refusal, so that it is retried and given
            # up like any other. Raised to the bus, it would end the round again and again and block the channel.
            log.exception("delivery raised an unexpected error", delivery=delivery.id)
            refusal = DeliveryRefused(f"internal error: {type(error).__name__}")
            return self._retry(row, transport.kind, batch, delivery, refusal)
        self._mark_sent(row, transport.kind, batch, delivery, contents)
        return None

    def _mark_sent(
        self, row: ChannelRow, kind: str, batch: DeliveryBatch, delivery: ClaimedDelivery, contents: DeliveryContents
    ) -> None:
        now = self.clock()
        deliveries.mark_sent(self.db, delivery.id, now)
        if batch.failing:
            channels.mark_healthy(self.db, row.id)
            batch.failing = False
        self.shares.record_response(row)
        self._count(row, kind, "sent")
        log.info("delivery sent", delivery=delivery.id, type=contents.notice.type, attempts=delivery.attempts)
        for created_at in contents.born if not row.internal else ():
            # An item may be dated in the future by its source's clock.
            self.metrics.item_to_delivered.observe(max(now - created_at, 0.0))

    def _retry(
        self, row: ChannelRow, kind: str, batch: DeliveryBatch, delivery: ClaimedDelivery, error: RetryableError
    ) -> float | None:
        """Reschedule the delivery, or give it up, after a failed attempt. Return what ``deliver`` returns.

        A failure of the receiver pauses the channel. A refusal (``DeliveryRefused``) delays only its own delivery, as
        the receiver may take others; refusals of one new delivery after the other pause the channel too, because such a
        receiver takes nothing although it responds. Where some recipients have it, the channel works.
        """
        now = self.clock()
        self._record_try(delivery, error)
        refused = isinstance(error, DeliveryRefused)
        # A delivery that is refused for the second time says nothing new about its channel: ten refusals of one poison
        # delivery are one failure, refusals of ten new deliveries are ten.
        fault = not refused or delivery.attempts == 1
        if isinstance(error, PartlyRefused):
            since, failures, fault = now, 0, False
        else:
            since, failures = channels.record_failure(self.db, row.id, str(error), now, fault=fault)
            batch.failing = True
        # An error with a delay is a response (Retry-After): the receiver is up, and holds no threads.
        if not refused and error.delay is None:
            self.shares.record_failure(row)
        # Both: a channel that was quiet for days after a failure is not disabled by its next one.
        if min(now - since, now - delivery.created_at) >= self.rules.give_up_after:
            days = self.rules.give_up_after / 86400
            self.disable(row, batch, f"nothing could be delivered for {days:.0f} days: {error}", kind)
            return math.inf
        pause = None
        if fault and not (refused and failures <= REFUSALS_TOLERATED):
            pause = backoff(failures) if error.delay is None else error.delay
            channels.postpone(self.db, row.id, now + pause)
        if now - delivery.created_at >= self.rules.give_up_after and delivery.attempts >= MIN_ATTEMPTS:
            # The channel is not disabled, so it takes others: this delivery is the one that it does not take.
            self._fail(row, kind, batch, delivery, str(error))
            log.warning("delivery given up", delivery=delivery.id, attempts=delivery.attempts, exc_info=error)
            return pause
        # More attempts than failures in a row of the channel: it failed before the channel's last success, too, so the
        # delivery itself may be the cause. Its own, longer backoff lets others go first. Say: attempts 4, failures 1.
        failed_before_success = error.delay is None and delivery.attempts > failures
        delay = backoff(delivery.attempts) if pause is None or failed_before_success else pause
        batch.postpone(delivery, now + delay, str(error))
        self._count(row, kind, "retried")
        log.info("delivery rescheduled", delivery=delivery.id, seconds=round(delay, 1), exc_info=error)
        return pause

    def _fail(self, row: ChannelRow, kind: str, batch: DeliveryBatch, delivery: ClaimedDelivery, reason: str) -> None:
        batch.fail(delivery, reason)
        self._count(row, kind, "failed")

    def _record_try(self, delivery: ClaimedDelivery, error: Exception) -> None:
        deliveries.record_try(self.db, delivery.id, str(error), self.clock())

    def disable(self, row: ChannelRow, batch: DeliveryBatch, reason: str, kind: str) -> None:
        """Disable the channel: what waits is held until it is enabled or saved again."""
        now = self.clock()
        batch.release(now)  # not tried: it may be folded when the channel is enabled
        channels.disable(self.db, row.id, reason, now)
        self._count(row, kind, "disabled")
        log.error("channel disabled", reason=reason)

    def _count(self, row: ChannelRow, kind: str, outcome: str) -> None:
        if row.internal:
            return  # the canary has its own gauges
        self.metrics.deliveries.labels(kind, outcome).inc()


def backoff(failures: int) -> float:
    """Return the seconds until the next attempt: doubling, with jitter so that retries to one receiver spread out."""
    # The exponent is limited because a float overflows at 2 ** 1024; the hour is reached long before.
    return min(FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 16), LONGEST_RETRY_SECONDS) * random.uniform(0.8, 1.2)
