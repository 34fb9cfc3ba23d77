"""Carries out the verdict on a failed message without ever losing it.

Dramatiq publishes the retry in a hook whose errors are swallowed, and then acknowledges the message (facts/bus.md §1).
Here a message counts as failed until its copy is confirmed, so that every way out of the hook, even a time limit
that strikes inside it, leaves the message in ``.XQ``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import dramatiq
import msgspec
from dramatiq.middleware import Retries

from overheard.bus.envelope import Payload
from overheard.bus.verdict import Again, LetGo, Park, describe, judge
from overheard.errors import Unavailable
from overheard.faults import trace as traced
from overheard.stages import Stage

TRACEBACK_TAIL = 4_000  # characters; a message must not outgrow its limit because it failed


class Fate(msgspec.Struct, frozen=True):
    """What became of a message; kept on it for the middlewares that run later."""

    outcome: str
    reason: str = ""
    traceback: str = ""


def fate_of(message: Any) -> Fate | None:
    """The fate of a message that failed; None while it has not."""
    found: Fate | None = message.__dict__.get("fate")
    return found


class SafeRetries(Retries):
    """Retries, postpones, parks or lets go of failed messages, as ``verdict`` says."""

    def __init__(self, stages: Iterable[Stage]) -> None:
        super().__init__()
        self._stages = {stage.name: stage for stage in stages}

    @property
    def actor_options(self) -> set[str]:
        return set()  # a stage's limits stand in stages.py only

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: Any,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        """1. judge; 2. hold the message as failed; 3. publish the copy; 4. only now let it be acknowledged."""
        if exception is None:
            return
        trace = traced(exception)
        verdict = judge(exception, message.options, self._stages[message.actor_name], trace[-TRACEBACK_TAIL:])
        message.fail()
        match verdict:
            case Park(reason):
                message.fate = Fate("dead", reason, trace)
            case LetGo():
                message.fate = Fate("postponed")
                message.failed = False
            case Again() if isinstance(exception, Unavailable) and not _is_ours(message):
                # The gate has closed: it comes again by itself, perhaps to a machine that reaches the database.
                message.fate = Fate(verdict.outcome, describe(exception), trace)
                message.failed = False
            case Again():
                self._again(broker, message, verdict, Fate(verdict.outcome, describe(exception), trace))

    def _again(self, broker: dramatiq.Broker, message: Any, verdict: Again, fate: Fate) -> None:
        message.fate = Fate("dead", f"it could not be put back on the bus; {fate.reason}", fate.traceback)
        args = message.args if verdict.message is None else (Payload(verdict.message),)
        copy = dataclasses.replace(message._message, args=args, options=verdict.options)
        try:
            broker.enqueue(copy, delay=verdict.delay)
        except Exception as error:
            if not _is_ours(message):
                # The bus is away, and its connection lost meanwhile: it comes again as it was.
                message.fate = fate
                message.failed = False
                return
            unsent = f"it could not be put back on the bus ({describe(error)}); {fate.reason}"
            message.fate = Fate("dead", unsent, fate.traceback)
            raise error from None  # dramatiq logs it; the handler's error may quote an item and is left out
        message.fate = fate
        message.failed = False


def _is_ours(message: Any) -> bool:
    """Whether the connection that it came by is still there: else RabbitMQ has it again."""
    consumer = message.__dict__.get("consumer")
    return consumer is None or bool(consumer.connected)
