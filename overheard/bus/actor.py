"""The thin shell that makes a plain function an actor."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import dramatiq
from dramatiq.middleware import CurrentMessage

from overheard.bus.envelope import Payload
from overheard.bus.rate_limit import permit_of
from overheard.errors import BudgetExhausted
from overheard.outcomes import Later, Outcome
from overheard.permits import BudgetNeed
from overheard.stages import Stage

StageHandler = Callable[[Any, Any], Outcome]  # of a message and its Permission


class StageWork(NamedTuple):
    """What a stage does with its messages.

    ``handle(message, permit)`` returns the message's outcome. ``need(message)`` names the budget that the permit is
    for. ``prepare`` is called before the first message, outside of any message's time limit.
    """

    handle: StageHandler
    need: Callable[[Any], BudgetNeed | None] | None = None
    prepare: Callable[[], object] | None = None


def register(broker: dramatiq.Broker, stage: Stage, work: StageWork) -> None:
    """Let a stage's work be done on its messages."""

    def run(payload: Payload) -> Outcome:
        try:
            return work.handle(payload.message, permit_of(CurrentMessage.get_current_message()))
        except BudgetExhausted as wait:
            return Later.for_slot(wait)

    declare = dramatiq.actor(
        broker=broker,
        actor_name=stage.name,
        queue_name=stage.queue,
        time_limit=stage.time_limit,
        need=work.need,
    )
    actor = declare(run)
    actor.logger.setLevel(logging.WARNING)  # at DEBUG it logs every call and its arguments
