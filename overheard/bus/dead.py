"""Dead letters: what was given up, with its reason.

RabbitMQ keeps every one in its queue's ``.XQ`` for seven days, silently; here they are recorded for people. A message
that fails in a worker is recorded at once (``DeadLetters``); what no worker could even decode is found by ``drain.py``.
Both may see the same letter: the recorder ignores a (message_id, stage) that it has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import dramatiq
import msgspec
from dramatiq.common import xq_name
from dramatiq.middleware import Middleware

from overheard.bus.copies import ending_of
from overheard.bus.envelope import MAX_BYTES
from overheard.bus.retry_policy import describe
from overheard.log import get_logger

log = get_logger(__name__)


class DeadLetter(msgspec.Struct, frozen=True):
    """``body`` is the envelope as it was delivered (an event's body when rejected); ``queue`` where it was parked.

    ``message_id`` is a hash of the body where that has none; ``routing_key`` a refused event's type.
    """

    message_id: str
    stage: str
    queue: str
    body: bytes
    reason: str
    traceback: str
    origin: Literal["nack", "xq", "rejected"]
    routing_key: str | None = None


def bounded(body: bytes) -> bytes:
    """What is kept of a body: RabbitMQ takes much larger ones than our largest message, and they are none of ours."""
    return body[:MAX_BYTES]


Record = Callable[[DeadLetter], None]
RecordAll = Callable[[Sequence[DeadLetter]], None]


class DeadLetters(Middleware):
    """Records each message that is rejected. When that fails the message is still in ``.XQ``."""

    def __init__(self, record: Record) -> None:
        self._record = record

    def after_nack(self, broker: dramatiq.Broker, message: Any) -> None:
        try:
            self._record(letter_of(message))
        except Exception as error:  # whatever the recorder may raise
            log.error("dead letter not recorded", queue=message.queue_name, exc_info=error)


def letter_of(message: Any) -> DeadLetter:
    """The dead letter of a message that failed in a worker."""
    ending, error = ending_of(message), message._exception
    reason = ending.reason if ending else describe(error) if error else "rejected without a reason"
    return DeadLetter(
        message_id=message.message_id,
        stage=message.actor_name,
        queue=xq_name(message.queue_name),
        body=message.encode(),
        reason=reason,
        traceback=ending.traceback if ending else "",
        origin="nack",
    )
