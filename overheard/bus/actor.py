"""The thin shell that makes a plain function an actor."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import dramatiq
from dramatiq.middleware import CurrentMessage

from overheard.bus.envelope import unpack
from overheard.bus.verdict import held_slot
from overheard.messages import Message
from overheard.stages import Stage

Slot = tuple[str, float]  # (budget, time on the limiter's clock)
Handler = Callable[[Any, Slot | None], object]


def register(broker: dramatiq.Broker, stage: Stage, handler: Handler) -> None:
    """Let ``handler(message, slot)`` work on the stage's messages. ``slot`` is what a postponed message holds."""

    def run(payload: object) -> None:
        current = CurrentMessage.get_current_message()
        message: Message = unpack(stage, payload)
        handler(message, held_slot(current.options) if current is not None else None)

    declare = dramatiq.actor(broker=broker, actor_name=stage.name, queue_name=stage.queue, time_limit=stage.time_limit)
    actor = declare(run)
    actor.logger.setLevel(logging.WARNING)  # at DEBUG it logs every call and its arguments
