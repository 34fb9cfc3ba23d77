"""Register a stage's plain handler function as a Dramatiq actor."""

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

StageHandler = Callable[[Any, Any], Outcome]  # (message, permit)


class StageWork(NamedTuple):
    """The functions of one stage.

    ``handle(message, permit)`` returns the message's outcome. ``need(message)`` returns the budget that the permit is
    for. ``prepare`` runs before the first message, outside any message's time limit.
    """

    handle: StageHandler
    need: Callable[[Any], BudgetNeed | None] | None = None
    prepare: Callable[[], object] | None = None


def register(broker: dramatiq.Broker, stage: Stage, work: StageWork) -> None:
    """Declare the actor that runs ``work`` on the messages of ``stage``."""

    def run(payload: Payload) -> Outcome:
        try:
            return work.handle(payload.message, permit_of(CurrentMessage.get_current_message()))
        except BudgetExhausted as wait:
            # Sources acquire tokens deep inside their libraries, where only an exception gets out. A handler that has
            # to keep its progress catches it itself and returns a ``Later`` with a message of its own.
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
