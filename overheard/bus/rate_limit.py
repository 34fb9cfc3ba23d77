"""Rate limiting, as a Dramatiq middleware.

Before the handler it makes the message's permit, for the budget that its stage's ``need`` names and with the slot that
the message holds. After the handler it turns ``Later`` into a delayed copy of the message that keeps its slot: that
uses no retry and holds no thread meanwhile. The source or channel acquires a token from the permit for each request.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import dramatiq
from dramatiq.middleware import Middleware

from overheard.bus.envelope import MAX_DELAY_SECONDS
from overheard.bus.republishing import MessageResult, acknowledge, republish
from overheard.bus.retry_policy import Republication
from overheard.outcomes import Later
from overheard.permits import AnyPermit, BudgetNeed, Slot

OPTION = "need"  # of an actor: Callable[[Message], BudgetNeed | None]

PermitFactory = Callable[[BudgetNeed | None, Slot | None], AnyPermit]


class RateLimit(Middleware):
    """``permits(need, slot)`` makes a message's permit; ``slot`` is the one that the message holds."""

    def __init__(self, permits: PermitFactory) -> None:
        self._permits = permits

    @property
    def actor_options(self) -> set[str]:
        return {OPTION}

    def before_process_message(self, broker: dramatiq.Broker, message: Any) -> None:
        need = broker.get_actor(message.actor_name).options.get(OPTION)
        payload = message.args[0].message
        message.permit = self._permits(need(payload) if need is not None else None, held_slot(message.options))

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: Any,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        if exception is not None or not isinstance(result, Later):
            return
        republication = reschedule(result, message.options, permit_of(message).held)
        if republication is None:
            acknowledge(message, MessageResult("postponed", "left to the sweep"))
        else:
            republish(broker, message, republication, MessageResult("postponed", f"comes back in {result.delay:.1f} s"))


def permit_of(message: Any) -> AnyPermit:
    """Return the permit of a message. Raises KeyError if none could be made: the handler must not run unlimited."""
    return message.__dict__["permit"]  # type: ignore[no-any-return]


def reschedule(later: Later, options: dict[str, Any], held: Slot | None = None) -> Republication | None:
    """Return what to republish; None if the delay is too long for the bus: a sweep finds the work again.

    The copy holds the slot reserved by ``later``, or the one that the message ``held`` and did not use.
    """
    if later.delay > MAX_DELAY_SECONDS:
        return None
    kept = {name: value for name, value in options.items() if name not in ("eta", "slot", "slot_key")}
    if (slot := later.slot or held) is not None:
        kept |= {"slot": slot.at, "slot_key": slot.key}
    return Republication(math.ceil(max(later.delay, 0.0) * 1000), kept, later.message)


def held_slot(options: dict[str, Any]) -> Slot | None:
    """Return the slot that a republished message holds."""
    if "slot" in options and "slot_key" in options:
        return Slot(options["slot_key"], options["slot"])
    return None
