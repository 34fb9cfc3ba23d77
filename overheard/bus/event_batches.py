"""Handle batches of public events: each event is handled or rejected, counted and timed like a stage's message."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from overheard.bus.dead_letters import DeadLetterRecord, RecordAll, body_hash, truncated
from overheard.bus.events import readable
from overheard.bus.public_exchange import REJECTED
from overheard.errors import InvalidInput, NotFound, OverheardError, PermanentError, RetryableError
from overheard.observability.log import bound, get_logger
from overheard.observability.metrics import EVENT_OUTCOMES, ProcessMetrics

STAGE = "ingress"
RUN_MAX_CHARS = 200  # the envelope's limit; an AMQP message id may have 255

log = get_logger(__name__)


class IncomingEvent(msgspec.Struct, frozen=True):
    """A public event as received. ``refusal`` is set if the consumer knows already why it must be rejected."""

    key: str
    body: bytes
    message_id: str | None
    refusal: str | None = None

    @property
    def identity(self) -> str:
        return self.message_id or body_hash(self.body)


class EventOutcome(msgspec.Struct, frozen=True):
    """The outcome of an event; merged: another event of the same meaning in the batch stands for it."""

    outcome: Literal["ok", "merged", "rejected"]
    refusal: OverheardError | None = None

    @property
    def reason(self) -> str:
        return str(self.refusal)


OK = EventOutcome("ok")
MERGED = EventOutcome("merged")
REFUSALS = (InvalidInput, NotFound, PermanentError)

# One outcome for each event, in the same order. Raises RetryableError.
HandleAll = Callable[[Sequence[IncomingEvent]], Sequence[EventOutcome]]
Refused = list[tuple[IncomingEvent, str]]  # with the reasons


def refused(error: OverheardError) -> EventOutcome:
    return EventOutcome("rejected", error)


class EventBatchHandler:
    """Passes events to ``handle`` and the rejected ones to ``record``. Thread-safe if they are."""

    def __init__(self, handle: HandleAll, record: RecordAll, metrics: ProcessMetrics) -> None:
        self._handler = handle
        self._record = record
        self._counters = {outcome: metrics.stage_messages.labels(STAGE, outcome) for outcome in EVENT_OUTCOMES}
        self._duration = metrics.stage_duration.labels(STAGE)
        self._in_progress = metrics.stage_in_progress.labels(STAGE)

    def process(self, events: Sequence[IncomingEvent], set_aside: Callable[[Refused], object] = len) -> None:
        """Handle the events; pass the rejected ones to ``set_aside``, then record them.

        Raises RetryableError and the errors of ``set_aside``: then the whole batch has to be processed again.
        """
        began, counts = time.monotonic(), Counter({"retried": len(events)})
        self._in_progress.inc(len(events))
        try:
            outcomes = self._outcomes_of(events)
            pairs = zip(events, outcomes, strict=True)
            if rejected := [(event, outcome.reason) for event, outcome in pairs if outcome.outcome == "rejected"]:
                # Both: the queue holds them even while the database is away, the table is where people look. The tick
                # moves the queue to the table, which ignores what it has.
                set_aside(rejected)
                self._record_rejected(rejected, began)
            counts = Counter(outcome.outcome for outcome in outcomes)
        finally:
            seconds = time.monotonic() - began
            self._in_progress.dec(len(events))
            for _ in events:
                self._duration.observe(seconds)
            for outcome, count in counts.items():
                self._counters[outcome].inc(count)

    def _outcomes_of(self, events: Sequence[IncomingEvent]) -> list[EventOutcome]:
        handled = iter(self._handle([event for event in events if event.refusal is None]))
        return [next(handled) if event.refusal is None else refused(InvalidInput(event.refusal)) for event in events]

    def _handle(self, events: Sequence[IncomingEvent]) -> Sequence[EventOutcome]:
        """Return the handler's outcomes; reject only an event on which the handler fails. Raises RetryableError."""
        try:
            return self._handler(events) if events else []
        except RetryableError:
            raise
        except Exception as error:
            if len(events) > 1:  # find the one at fault
                return [self._handle([event])[0] for event in events]
            with bound(**event_log_fields(events[0])):
                log.exception("event failed")
            return [refused(PermanentError(f"internal error: {type(error).__name__}"))]

    def _record_rejected(self, rejected: Refused, began: float) -> None:
        dead_letters = []
        for event, reason in rejected:
            with bound(**event_log_fields(event)):
                log.warning("event rejected", reason=reason, ms=round((time.monotonic() - began) * 1000, 1))
            body = truncated(event.body)
            dead_letters.append(
                DeadLetterRecord(event.identity, STAGE, REJECTED, body, reason, "", "rejected", event.key)
            )
        try:
            self._record(dead_letters)
        except Exception as error:  # any error of the recorder: on RabbitMQ they are in overheard.rejected too
            log.error("rejected events not recorded", stage=STAGE, events=len(dead_letters), exc_info=error)


def event_log_fields(event: IncomingEvent) -> dict[str, str]:
    """Return the log fields of an event, malformed or not; its ``event_id`` is the run, if it can be read."""
    fields, identity = readable(event.body), event.identity
    run = fields.pop("event_id", identity)
    return {"stage": STAGE, "type": event.key, "message_id": identity, "run": run[:RUN_MAX_CHARS], **fields}
