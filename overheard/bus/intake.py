"""Taking in one public event: it is handled, or refused with its reason; seen as a stage's message is (``observe``)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from overheard.bus.dead import DeadLetter, Record, bounded
from overheard.bus.door import REJECTED
from overheard.bus.events import readable
from overheard.errors import InvalidInput, NotFound, Permanent, TryAgain
from overheard.log import about, get_logger
from overheard.metrics import EVENT_OUTCOMES, Metrics

STAGE = "ingress"
LONGEST_RUN = 200  # characters; foreign clients' message ids may be longer

Handle = Callable[[str, bytes, str | None], None]  # routing key, body, message id

log = get_logger(__name__)


class Intake:
    """``handle`` works on an event, ``record`` keeps what is refused. Any thread may use it."""

    def __init__(self, handle: Handle, record: Record, metrics: Metrics) -> None:
        self._handle = handle
        self._record = record
        self._outcomes = {outcome: metrics.stage_messages.labels(STAGE, outcome) for outcome in EVENT_OUTCOMES}
        self._duration = metrics.stage_duration.labels(STAGE)
        self._in_progress = metrics.stage_in_progress.labels(STAGE)

    def take(
        self,
        key: str,
        body: bytes,
        message_id: str | None,
        *,
        refuse: str | None = None,
        aside: Callable[[str], object] | None = None,
    ) -> None:
        """Handle it, unless there is a reason to ``refuse`` it already; set ``aside`` and record what is refused.

        Raises TryAgain, and what ``aside`` raises: then it is to come again.
        """
        began, outcome = time.monotonic(), "retried"
        self._in_progress.inc()
        try:
            with about(**said_of(key, body, message_id)):
                reason = refuse or self._refusal(key, body, message_id)
                if reason is not None:
                    if aside is not None:
                        aside(reason)
                    self._keep(key, body, message_id, reason, began)
                outcome = "ok" if reason is None else "rejected"
        finally:
            self._in_progress.dec()
            self._duration.observe(time.monotonic() - began)
            self._outcomes[outcome].inc()

    def _refusal(self, key: str, body: bytes, message_id: str | None) -> str | None:
        """Handle it: None when it was, else the reason to reject it for. Raises TryAgain."""
        try:
            self._handle(key, body, message_id)
        except TryAgain:
            raise
        except (InvalidInput, NotFound, Permanent) as error:
            return str(error)
        except Exception as error:
            log.exception("event failed")
            return f"internal error: {type(error).__name__}"
        return None

    def _keep(self, key: str, body: bytes, message_id: str | None, reason: str, began: float) -> None:
        """Record it; on RabbitMQ it is in ``overheard.rejected`` too, until that is drained."""
        log.warning("event rejected", reason=reason, ms=round((time.monotonic() - began) * 1000, 1))
        try:
            identity = _identity(body, message_id)
            self._record(DeadLetter(identity, STAGE, REJECTED, bounded(body), reason, "", "rejected", key))
        except Exception as error:  # whatever the recorder may raise
            log.error("rejected event not recorded", exc_info=error)


def said_of(key: str, body: bytes, message_id: str | None) -> dict[str, str]:
    """What each line says of an event, whatever is wrong with it: its run is its own id, where that can be read."""
    read, identity = readable(body), _identity(body, message_id)
    run = read.pop("event_id", identity)
    return {"stage": STAGE, "type": key, "message_id": identity, "run": run[:LONGEST_RUN], **read}


def _identity(body: bytes, message_id: str | None) -> str:
    return message_id or hashlib.sha256(body).hexdigest()
