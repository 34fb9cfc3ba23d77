"""Publish a message's copy without ever losing the message.

Dramatiq publishes a retry in a hook whose errors are swallowed, and then acknowledges the message (docs/dramatiq.md).
Here a message counts as failed until its copy is confirmed, so that every way out of the hook, even a time limit that
strikes inside it, leaves the message in ``.XQ``.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import dramatiq
import msgspec

from overheard.bus.envelope import Payload
from overheard.bus.retry_policy import Republication
from overheard.error_fields import safe_text


class MessageResult(msgspec.Struct, frozen=True):
    """The result of a message's processing, kept on the message for the middleware that run later."""

    outcome: str
    reason: str = ""
    traceback: str = ""


def result_of(message: Any) -> MessageResult | None:
    """Return the message's result; None if it is plainly done, or not done yet."""
    return message.__dict__.get("message_result")  # type: ignore[no-any-return]


def reject(message: Any, result: MessageResult) -> None:
    """Mark the message to be rejected: it becomes a dead letter."""
    message.fail()
    message.message_result = result


def acknowledge(message: Any, result: MessageResult) -> None:
    """Mark the message to be acknowledged."""
    message.message_result = result
    message.failed = False


def republish(broker: dramatiq.Broker, message: Any, republication: Republication, result: MessageResult) -> None:
    """Publish a copy of the message, then acknowledge the message.

    1. mark the message as rejected; 2. publish the copy, confirmed; 3. only now mark the message as acknowledged.

    Raises the errors of publishing: then the message becomes a dead letter.
    """
    because = f"; {result.reason}" if result.reason else ""
    reject(message, MessageResult("dead", f"it could not be put back on the bus{because}", result.traceback))
    args = message.args if republication.message is None else (Payload(republication.message),)
    try:
        broker.enqueue(
            dataclasses.replace(message._message, args=args, options=republication.options), delay=republication.delay
        )
    except Exception as error:
        if has_live_connection(message):
            unsent = f"it could not be put back on the bus ({safe_text(error)}){because}"
            reject(message, MessageResult("dead", unsent, result.traceback))
            raise error from None  # Dramatiq logs it; from None, because the handler's error may quote an item
        # The connection that delivered the message is lost, too: RabbitMQ redelivers the message, unchanged. A
        # dead letter would be a second copy of it.
    acknowledge(message, result)


def has_live_connection(message: Any) -> bool:
    """Return True if the connection that delivered the message is open; if not, RabbitMQ redelivers it."""
    consumer = message.__dict__.get("consumer")
    return consumer is None or bool(consumer.connected)
