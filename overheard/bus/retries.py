"""Retry or reject messages whose handlers failed, as ``retry_policy`` decides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dramatiq
from dramatiq.middleware import Retries

from overheard.bus.republishing import MessageResult, acknowledge, has_live_connection, reject, republish
from overheard.bus.retry_policy import decide
from overheard.error_fields import safe_text, safe_traceback
from overheard.errors import Unavailable
from overheard.outcomes import Rejected
from overheard.stages import Stage


class SafeRetries(Retries):
    """Replaces Dramatiq's Retries; also rejects a message whose handler returned ``Rejected``."""

    def __init__(self, stages: Iterable[Stage]) -> None:
        super().__init__()
        self._stages = {stage.name: stage for stage in stages}

    @property
    def actor_options(self) -> set[str]:
        return set()  # limits are set in stages.py only, not by options of an actor

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: Any,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        if exception is None:
            if isinstance(result, Rejected):
                reject(message, MessageResult("dead", result.reason))
            return
        decision = decide(exception, message.options, self._stages[message.actor_name])
        if isinstance(decision, Rejected):
            reject(message, MessageResult("dead", decision.reason, safe_traceback(exception)))
            return
        retried = MessageResult("retried", safe_text(exception), safe_traceback(exception))
        if isinstance(exception, Unavailable) and not has_live_connection(message):
            # The gate has closed the connection: RabbitMQ redelivers the message, perhaps to a machine that reaches the
            # database. A copy would be processed twice.
            acknowledge(message, retried)
        else:
            republish(broker, message, decision, retried)
