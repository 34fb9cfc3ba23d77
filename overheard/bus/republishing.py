"""Putting a message's copy back on the bus without ever losing the message.

Dramatiq publishes a retry in a hook whose errors are swallowed, and then acknowledges the message (docs/dramatiq.md).
Here a message counts as failed until its copy is confirmed, so that every way out of the hook, even a time limit
that strikes inside it, leaves the message in ``.XQ``.
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
    """What became of a message; kept on it for the middlewares that run later."""

    outcome: str
    reason: str = ""
    traceback: str = ""


def ending_of(message: Any) -> MessageResult | None:
    """How the message ended; None when it is simply done, or not yet."""
    return message.__dict__.get("ending")  # type: ignore[no-any-return]


def reject(message: Any, ending: MessageResult) -> None:
    """Let the message be a dead letter."""
    message.fail()
    message.ending = ending


def acknowledge(message: Any, ending: MessageResult) -> None:
    """Let the message be acknowledged."""
    message.ending = ending
    message.failed = False


def put_back(broker: dramatiq.Broker, message: Any, copy: Republication, ending: MessageResult) -> None:
    """1. hold the message as failed; 2. publish the copy; 3. only now let it be acknowledged.

    Raises what publishing raises: then the message is a dead letter.
    """
    because = f"; {ending.reason}" if ending.reason else ""
    reject(message, MessageResult("dead", f"it could not be put back on the bus{because}", ending.traceback))
    args = message.args if copy.message is None else (Payload(copy.message),)
    try:
        broker.enqueue(dataclasses.replace(message._message, args=args, options=copy.options), delay=copy.delay)
    except Exception as error:
        if came_here(message):
            unsent = f"it could not be put back on the bus ({safe_text(error)}){because}"
            reject(message, MessageResult("dead", unsent, ending.traceback))
            raise error from None  # dramatiq logs it; the handler's error may quote an item and is left out
        # The bus is away, and its connection lost meanwhile: it comes again as it was.
    acknowledge(message, ending)


def came_here(message: Any) -> bool:
    """Whether the connection that it came by is still there: else RabbitMQ has it again."""
    consumer = message.__dict__.get("consumer")
    return consumer is None or bool(consumer.connected)
