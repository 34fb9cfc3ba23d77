"""Moves what only the bus knows of to the table of dead letters, where people find it and nothing expires.

Those are the stages' ``.XQ`` queues, whose messages RabbitMQ throws away after seven days, and ``overheard.rejected``,
which would grow for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import pika.exceptions
from dramatiq.common import q_name, xq_name

from overheard.bus import amqp
from overheard.bus.dead_letters import DeadLetterRecord, RecordAll, digest, truncated
from overheard.bus.envelope import StrictEncoder, problem
from overheard.bus.public_exchange import REJECTED
from overheard.errors import RetryableError
from overheard.observability.log import get_logger
from overheard.stages import Stage

COLLECT_SECONDS = 2.0  # of one drain: the tick has other things to do, and comes again
BATCH_MESSAGES = 200  # letters recorded at once
BATCH_BYTES = 8 * 1024 * 1024
ARRIVAL_TIMEOUT_SECONDS = 1.0  # seconds to wait for a letter that should be there
REASON_MAX_CHARS = 2_000  # characters
ROUTING_KEY_MAX_BYTES = 255  # bytes of a routing key, in AMQP

LetterOf = Callable[[Any, bytes], DeadLetterRecord]  # of a message's properties and body

log = get_logger(__name__)


def collect(url: str, stages: Iterable[Stage], record: RecordAll, *, seconds: float = COLLECT_SECONDS) -> int:
    """Move what is in the dead-letter queues to ``record``; how many were. After ``seconds`` the rest stays for later.

    Letters are removed after they were recorded; the first failure to record leaves the rest where it is.
    Raises BusUnavailable.
    """
    until = time.monotonic() + seconds
    params = amqp.parameters(url, name="drain")
    connection = amqp.connect(params)
    try:
        return sum(_drain_queue(connection, queue, of, record, until) for queue, of in _queues(tuple(stages)))
    except amqp.CONNECTION_ERRORS as error:
        raise amqp.unavailable(params, error) from None
    finally:
        amqp.close(connection)


def _queues(stages: tuple[Stage, ...]) -> Iterator[tuple[str, LetterOf]]:
    encoder = StrictEncoder(stages)
    for stage in stages:
        queue = xq_name(stage.queue)
        yield queue, partial(_parked, queue, encoder)
    yield REJECTED, _refused


def _drain_queue(connection: Any, queue: str, letter_of: LetterOf, record: RecordAll, until: float) -> int:
    channel = connection.channel()
    try:
        left = channel.queue_declare(queue, passive=True).method.message_count
    except pika.exceptions.ChannelClosedByBroker as error:
        if error.reply_code == 404:
            return 0  # no worker of this stage has run yet
        raise
    if not left:
        channel.close()
        return 0
    drained = 0
    channel.basic_qos(prefetch_count=BATCH_MESSAGES)
    # Consumed, not asked for one by one: each answer of a quorum queue costs it a write to its log.
    arriving = channel.consume(queue, inactivity_timeout=ARRIVAL_TIMEOUT_SECONDS)
    while drained < left and time.monotonic() < until:
        letters, last_tag = _some(arriving, queue, letter_of, left - drained)
        if not letters:
            break
        try:
            _record(letters, record)
        except Exception as error:  # whatever the recorder may raise
            log.error("dead letters not recorded", queue=queue, letters=len(letters), exc_info=error)
            break
        channel.basic_ack(last_tag, multiple=True)
        drained += len(letters)
    channel.cancel()  # what has arrived and is not recorded goes back
    channel.close()
    return drained


def _record(letters: list[DeadLetterRecord], record: RecordAll) -> None:
    """Record them all; where one cannot be, it is kept as what can be. Raises what the recorder does."""
    try:
        record(letters)
    except RetryableError:
        raise
    except Exception:
        if len(letters) > 1:  # one of them is to blame, or the recorder: then each fails
            for letter in letters:
                _record([letter], record)
            return
        (letter,) = letters
        log.exception("dead letter cannot be kept as it is", queue=letter.queue)
        record([_unreadable(letter.queue, letter.body, "cannot be kept as it was")])


def _some(arriving: Iterator[Any], queue: str, letter_of: LetterOf, left: int) -> tuple[list[DeadLetterRecord], int]:
    """The next letters, not acknowledged yet, and the tag of the last of them."""
    letters: list[DeadLetterRecord] = []
    size, tag = 0, 0
    while len(letters) < min(left, BATCH_MESSAGES) and size < BATCH_BYTES:
        method, properties, body = next(arriving)
        if method is None:
            break
        letters.append(_read(queue, letter_of, properties, body))
        size, tag = size + len(body), method.delivery_tag
    return letters, tag


def _read(queue: str, letter_of: LetterOf, properties: Any, body: bytes) -> DeadLetterRecord:
    try:
        return letter_of(properties, body)
    except Exception as error:  # anybody may have put it there; it must not be the end of every tick
        log.warning("dead letter cannot be read", queue=queue, exc_info=error)
        return _unreadable(queue, body, f"cannot be read: {type(error).__name__}")


def _unreadable(queue: str, body: bytes, reason: str) -> DeadLetterRecord:
    if queue == REJECTED:
        return DeadLetterRecord(digest(body), "ingress", queue, truncated(body), reason, "", "rejected")
    return DeadLetterRecord(digest(body), q_name(queue), queue, body, reason, "", "xq")


def _refused(properties: Any, body: bytes) -> DeadLetterRecord:
    headers = _headers(properties)
    reason = str(headers.get("x-reason") or f"found on {REJECTED}, without a reason")[:REASON_MAX_CHARS]
    key = headers.get("x-routing-key")
    known = key if isinstance(key, str) and len(key.encode()) <= ROUTING_KEY_MAX_BYTES else None
    given = properties.message_id  # bytes, where it is not UTF-8
    identity = given if given and isinstance(given, str) else digest(body)
    return DeadLetterRecord(identity, "ingress", REJECTED, truncated(body), reason, "", "rejected", known)


def _parked(queue: str, encoder: StrictEncoder, properties: Any, body: bytes) -> DeadLetterRecord:
    death = _death(properties)
    reason = problem(body, queue=death.get("queue") or q_name(queue), encoder=encoder)
    if reason is None:
        identity = encoder.decode(body)["message_id"]
        why = death.get("reason", "unknown")
        reason = DEATH_REASONS.get(why, f"dead-lettered by RabbitMQ: {why}")
    else:
        identity = digest(body)
    return DeadLetterRecord(identity, q_name(queue), queue, body, reason[:REASON_MAX_CHARS], "", "xq")


def _death(properties: Any) -> dict[str, str]:
    """How it died last, as RabbitMQ notes it: nothing where somebody else wrote that header."""
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
