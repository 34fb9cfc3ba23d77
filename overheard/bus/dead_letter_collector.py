"""Moves dead letters that exist only on the bus to the table, where people find them and they do not expire.

They are on the stages' ``.XQ`` queues, whose messages RabbitMQ discards after seven days, and on
``overheard.rejected``, which would grow without limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import pika.exceptions
from dramatiq.common import q_name, xq_name

from overheard.bus import amqp
from overheard.bus.dead_letters import DeadLetterRecord, RecordAll, body_hash, truncated
from overheard.bus.envelope import StrictEncoder, problem
from overheard.bus.public_exchange import REJECTED
from overheard.errors import RetryableError
from overheard.observability.log import get_logger
from overheard.stages import Stage

COLLECT_SECONDS = 2.0  # per call: the tick has other steps, and the next tick continues
# One transaction and one acknowledgement each. Chosen, not measured; MORE_DEAD_LETTERS of the tick is another limit.
BATCH_MESSAGES = 200
BATCH_BYTES = 8 * 1024 * 1024
ARRIVAL_TIMEOUT_SECONDS = 1.0  # for the next message of a queue that is not empty
REASON_MAX_CHARS = 2_000
ROUTING_KEY_MAX_BYTES = 255  # AMQP's limit: a longer one in a header was not a routing key

ReadDeadLetter = Callable[[Any, bytes], DeadLetterRecord]  # (properties, body)

log = get_logger(__name__)


def collect(url: str, stages: Iterable[Stage], record: RecordAll, *, seconds: float = COLLECT_SECONDS) -> int:
    """Move the dead-letter queues' messages to ``record``; return how many. What is left after ``seconds`` stays.

    Messages are acknowledged after they were recorded. The first batch that cannot be recorded ends the collection of
    its queue. Raises BusUnavailable.
    """
    deadline = time.monotonic() + seconds
    params = amqp.parameters(url, name="drain")
    connection = amqp.connect(params)
    try:
        return sum(_collect_queue(connection, queue, read, record, deadline) for queue, read in _queues(tuple(stages)))
    except amqp.CONNECTION_ERRORS as error:
        raise amqp.unavailable(params, error) from None
    finally:
        amqp.close(connection)


def _queues(stages: tuple[Stage, ...]) -> Iterator[tuple[str, ReadDeadLetter]]:
    encoder = StrictEncoder(stages)
    for stage in stages:
        queue = xq_name(stage.queue)
        yield queue, partial(_dead_message, queue, encoder)
    yield REJECTED, _rejected_event


def _collect_queue(connection: Any, queue: str, read: ReadDeadLetter, record: RecordAll, deadline: float) -> int:
    channel = connection.channel()
    try:
        # Only what is there now: a queue that fills as fast as it is read would never let this end.
        waiting = channel.queue_declare(queue, passive=True).method.message_count
    except pika.exceptions.ChannelClosedByBroker as error:
        if error.reply_code == 404:
            return 0  # no worker of this stage has run yet
        raise
    if not waiting:
        channel.close()
        return 0
    collected = 0
    channel.basic_qos(prefetch_count=BATCH_MESSAGES)
    # Consume, not basic_get: each answer of a quorum queue to a get costs it a write to its log.
    arriving = channel.consume(queue, inactivity_timeout=ARRIVAL_TIMEOUT_SECONDS)
    while collected < waiting and time.monotonic() < deadline:
        batch, last_tag = _next_batch(arriving, queue, read, waiting - collected)
        if not batch:
            break
        try:
            _record(batch, record)
        except Exception as error:  # any error of the recorder: the messages stay on their queue
            log.error("dead letters not recorded", queue=queue, dead_letters=len(batch), exc_info=error)
            break
        channel.basic_ack(last_tag, multiple=True)
        collected += len(batch)
    channel.cancel()  # requeues what was prefetched and not recorded
    channel.close()
    return collected


def _record(batch: list[DeadLetterRecord], record: RecordAll) -> None:
    """Record all; in place of one that the database refuses, record a placeholder. Raises the recorder's errors."""
    try:
        record(batch)
    except RetryableError:
        raise
    except Exception:
        if len(batch) > 1:  # find the one at fault; if the recorder itself is broken, each of them fails
            for dead_letter in batch:
                _record([dead_letter], record)
            return
        (dead_letter,) = batch
        log.exception("dead letter cannot be kept as it is", queue=dead_letter.queue)
        record([_unreadable(dead_letter.queue, dead_letter.body, "cannot be kept as it was")])


def _next_batch(
    arriving: Iterator[Any], queue: str, read: ReadDeadLetter, limit: int
) -> tuple[list[DeadLetterRecord], int]:
    """Return the next dead letters, not acknowledged yet, and the delivery tag of the last one."""
    batch: list[DeadLetterRecord] = []
    size, tag = 0, 0
    while len(batch) < min(limit, BATCH_MESSAGES) and size < BATCH_BYTES:
        method, properties, body = next(arriving)
        if method is None:
            break
        batch.append(_read(queue, read, properties, body))
        size, tag = size + len(body), method.delivery_tag
    return batch, tag


def _read(queue: str, read: ReadDeadLetter, properties: Any, body: bytes) -> DeadLetterRecord:
    try:
        return read(properties, body)
    except Exception as error:  # any client may have published it; it must not fail every tick
        log.warning("dead letter cannot be read", queue=queue, exc_info=error)
        return _unreadable(queue, body, f"cannot be read: {type(error).__name__}")


def _unreadable(queue: str, body: bytes, reason: str) -> DeadLetterRecord:
    if queue == REJECTED:
        return DeadLetterRecord(body_hash(body), "ingress", queue, truncated(body), reason, "", "rejected")
    return DeadLetterRecord(body_hash(body), q_name(queue), queue, body, reason, "", "xq")


def _rejected_event(properties: Any, body: bytes) -> DeadLetterRecord:
    headers = _headers(properties)
    reason = str(headers.get("x-reason") or f"found on {REJECTED}, without a reason")[:REASON_MAX_CHARS]
    key = headers.get("x-routing-key")
    routing_key = key if isinstance(key, str) and len(key.encode()) <= ROUTING_KEY_MAX_BYTES else None
    message_id = properties.message_id  # bytes if it is not UTF-8
    identity = message_id if message_id and isinstance(message_id, str) else body_hash(body)
    return DeadLetterRecord(identity, "ingress", REJECTED, truncated(body), reason, "", "rejected", routing_key)


def _dead_message(queue: str, encoder: StrictEncoder, properties: Any, body: bytes) -> DeadLetterRecord:
    death = _last_death(properties)
    reason = problem(body, queue=death.get("queue") or q_name(queue), encoder=encoder)
    if reason is None:
        identity = encoder.decode(body)["message_id"]
        cause = death.get("reason", "unknown")
        reason = DEATH_REASONS.get(cause, f"dead-lettered by RabbitMQ: {cause}")
    else:
        identity = body_hash(body)
    return DeadLetterRecord(identity, q_name(queue), queue, body, reason[:REASON_MAX_CHARS], "", "xq")


def _last_death(properties: Any) -> dict[str, str]:
    """Return RabbitMQ's record of the latest dead-lettering; empty if the header was forged or is missing."""
    deaths = _headers(properties).get("x-death")
    if not isinstance(deaths, list) or not deaths or not isinstance(deaths[0], dict):
        return {}
    return {name: value for name, value in deaths[0].items() if isinstance(value, str)}


def _headers(properties: Any) -> dict[str, Any]:
    return properties.headers if isinstance(properties.headers, dict) else {}


DEATH_REASONS = {
    "rejected": "rejected by a worker that could not record why; see its log",
    "delivery_limit": "delivered too often without an answer: it may crash its workers",
}
