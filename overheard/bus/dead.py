"""Dead letters: what was given up, with its reason.

RabbitMQ keeps every one in its queue's ``.XQ`` for seven days, silently; here they are recorded for people. A message
that fails in a worker is recorded at once (``DeadLetters``); what no worker could even decode is found by ``drain``.
Both may see the same letter: the recorder ignores a (message_id, queue) that it has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Literal

import dramatiq
import msgspec
import pika.exceptions
from dramatiq.common import q_name, xq_name
from dramatiq.middleware import Middleware

from overheard.bus import amqp
from overheard.bus.envelope import StrictEncoder, fault
from overheard.bus.retries import fate_of
from overheard.bus.verdict import describe
from overheard.log import get_logger
from overheard.stages import Stage

log = get_logger(__name__)


class DeadLetter(msgspec.Struct, frozen=True):
    """``body`` is the envelope as it was delivered (an event's body when rejected); ``queue`` where it was parked.

    ``message_id`` is a hash of the body where that has none.
    """

    message_id: str
    stage: str
    queue: str
    body: bytes
    reason: str
    traceback: str
    origin: Literal["nack", "xq", "rejected"]


Record = Callable[[DeadLetter], None]


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
    fate, error = fate_of(message), message._exception
    reason = fate.reason if fate else describe(error) if error else "rejected without a reason"
    return DeadLetter(
        message_id=message.message_id,
        stage=message.actor_name,
        queue=xq_name(message.queue_name),
        body=message.encode(),
        reason=reason,
        traceback=fate.traceback if fate else "",
        origin="nack",
    )


def drain(url: str, stages: Iterable[Stage], record: Record) -> int:
    """Move what is in the stages' ``.XQ`` queues to ``record``; how many were.

    Each letter is removed after it was recorded; the first failure to record leaves the rest where it is.
    Raises BusUnavailable.
    """
    known = tuple(stages)
    params = amqp.parameters(url, name="drain")
    connection = amqp.connect(params)
    try:
        encoder = StrictEncoder(known)
        return sum(_drain_queue(connection, stage, encoder, record) for stage in known)
    except amqp.LOST as error:
        raise amqp.unavailable(params, error) from None
    finally:
        amqp.close(connection)


def _drain_queue(connection: Any, stage: Stage, encoder: StrictEncoder, record: Record) -> int:
    queue, drained = xq_name(stage.queue), 0
    channel = connection.channel()
    try:
        waiting = channel.queue_declare(queue, passive=True).method.message_count
    except pika.exceptions.ChannelClosedByBroker:
        return 0  # no worker of this stage has run yet
    # Never ask an empty queue: a quorum queue that has just been restarted keeps the answer back for a minute.
    while drained < waiting:
        method, properties, body = channel.basic_get(queue)
        if method is None:
            break
        try:
            record(_letter_from(stage, queue, body, properties, encoder))
        except Exception as error:  # whatever the recorder may raise
            log.error("dead letter not recorded", queue=queue, exc_info=error)
            channel.basic_nack(method.delivery_tag, requeue=True)
            break
        channel.basic_ack(method.delivery_tag)
        drained += 1
    channel.close()
    return drained


def _letter_from(stage: Stage, queue: str, body: bytes, properties: Any, encoder: StrictEncoder) -> DeadLetter:
    deaths = (properties.headers or {}).get("x-death") or [{}]
    found_on = deaths[0].get("queue", stage.queue)
    reason = fault(body, queue=found_on, encoder=encoder)
    if reason is None:
        identity = encoder.decode(body)["message_id"]
        why = deaths[0].get("reason", "unknown")
        reason = DEATHS.get(why, f"dead-lettered by RabbitMQ: {why}")
    else:
        identity = hashlib.sha256(body).hexdigest()
    return DeadLetter(identity, q_name(queue), queue, body, reason, "", "xq")


DEATHS = {
    "rejected": "rejected by a worker that could not record why; see its log",
    "delivery_limit": "delivered too often without an answer: it may crash its workers",
}
