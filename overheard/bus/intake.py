"""Taking in public events: each is handled, or refused with its reason; seen as a stage's message is (``observe``)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from overheard.bus.dead_letters import DeadLetterRecord, RecordAll, digest, truncated
from overheard.bus.events import readable
from overheard.bus.public_exchange import REJECTED
from overheard.errors import InvalidInput, NotFound, OverheardError, PermanentError, RetryableError
from overheard.observability.log import bound, get_logger
from overheard.observability.metrics import EVENT_OUTCOMES, ProcessMetrics

STAGE = "ingress"
RUN_MAX_CHARS = 200  # characters; foreign clients' message ids may be longer

log = get_logger(__name__)


class IncomingEvent(msgspec.Struct, frozen=True):
    """A public event as it came. ``refusal``: a reason to refuse it that is known already."""

    key: str
    body: bytes
    message_id: str | None
    refusal: str | None = None

    @property
    def identity(self) -> str:
        return self.message_id or digest(self.body)


class EventOutcome(msgspec.Struct, frozen=True):
    """What became of an event; merged: one of the same meaning stands for it."""

    outcome: Literal["ok", "merged", "rejected"]
    refusal: OverheardError | None = None

    @property
    def reason(self) -> str:
        return str(self.refusal)


OK = EventOutcome("ok")
MERGED = EventOutcome("merged")
REFUSALS = (InvalidInput, NotFound, PermanentError)

HandleAll = Callable[
    [Sequence[IncomingEvent]], Sequence[EventOutcome]
]  # one for each, in the same order. Raises RetryableError
Refused = list[tuple[IncomingEvent, str]]  # with the reasons


def refused(error: OverheardError) -> EventOutcome:
    return EventOutcome("rejected", error)


class EventBatch:
    """``handle`` works on events, ``record`` keeps those that are refused. Any thread may use it."""

    def __init__(self, handle: HandleAll, record: RecordAll, metrics: ProcessMetrics) -> None:
        self._handler = handle
        self._record = record
        self._outcomes = {outcome: metrics.stage_messages.labels(STAGE, outcome) for outcome in EVENT_OUTCOMES}
        self._duration = metrics.stage_duration.labels(STAGE)
        self._in_progress = metrics.stage_in_progress.labels(STAGE)

    def take(self, arrivals: Sequence[IncomingEvent], aside: Callable[[Refused], object] = len) -> None:
        """Handle them all; set ``aside`` and record those that are refused.

        Raises RetryableError, and what ``aside`` raises: then all are to come again.
        """
        began, counts = time.monotonic(), Counter({"retried": len(arrivals)})
        self._in_progress.inc(len(arrivals))
        try:
            settled = self._settle(arrivals)
            pairs = zip(arrivals, settled, strict=True)
            if out := [(arrival, each.reason) for arrival, each in pairs if each.outcome == "rejected"]:
                aside(out)
                self._keep(out, began)
            counts = Counter(each.outcome for each in settled)
        finally:
            seconds = time.monotonic() - began
            self._in_progress.dec(len(arrivals))
            for _ in arrivals:
                self._duration.observe(seconds)
            for outcome, count in counts.items():
                self._outcomes[outcome].inc(count)

    def _settle(self, arrivals: Sequence[IncomingEvent]) -> list[EventOutcome]:
        wanted = iter(self._handle([each for each in arrivals if each.refusal is None]))
        return [next(wanted) if each.refusal is None else refused(InvalidInput(each.refusal)) for each in arrivals]

    def _handle(self, arrivals: Sequence[IncomingEvent]) -> Sequence[EventOutcome]:
        """What the handler makes of them; when one breaks it, only that one is refused. Raises RetryableError."""
        try:
            return self._handler(arrivals) if arrivals else []
        except RetryableError:
            raise
        except Exception as error:
            if len(arrivals) > 1:
                return [self._handle([each])[0] for each in arrivals]
            with bound(**said_of(arrivals[0])):
                log.exception("event failed")
            return [refused(PermanentError(f"internal error: {type(error).__name__}"))]

    def _keep(self, out: Refused, began: float) -> None:
        """Record them; on RabbitMQ they are in ``overheard.rejected`` too, until that is drained."""
        letters = []
        for arrival, reason in out:
            with bound(**said_of(arrival)):
                log.warning("event rejected", reason=reason, ms=round((time.monotonic() - began) * 1000, 1))
            body = truncated(arrival.body)
            letters.append(
                DeadLetterRecord(arrival.identity, STAGE, REJECTED, body, reason, "", "rejected", arrival.key)
            )
        try:
            self._record(letters)
        except Exception as error:  # whatever the recorder may raise
            log.error("rejected events not recorded", stage=STAGE, events=len(letters), exc_info=error)


def said_of(arrival: IncomingEvent) -> dict[str, str]:
    """What each line says of an event, whatever is wrong with it: its run is its own id, where that can be read."""
    read, identity = readable(arrival.body), arrival.identity
    run = read.pop("event_id", identity)
    return {"stage": STAGE, "type": arrival.key, "message_id": identity, "run": run[:RUN_MAX_CHARS], **read}
