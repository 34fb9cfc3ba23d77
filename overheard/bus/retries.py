"""Retries messages whose handlers failed, or rejects them, as ``retry_policy`` says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dramatiq
from dramatiq.middleware import Retries

from overheard.bus.republishing import MessageResult, acknowledge, came_here, put_back, reject
from overheard.bus.retry_policy import decide
from overheard.error_fields import safe_text, safe_traceback
from overheard.errors import Unavailable
from overheard.outcomes import Rejected
from overheard.stages import Stage


class SafeRetries(Retries):
    """Instead of Dramatiq's. A handler's ``Rejected`` is carried out here, too."""

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
        if exception is None:
            if isinstance(result, Rejected):
                reject(message, MessageResult("dead", result.reason))
            return
        decision = decide(exception, message.options, self._stages[message.actor_name])
        if isinstance(decision, Rejected):
            reject(message, MessageResult("dead", decision.reason, safe_traceback(exception)))
            return
        ending = MessageResult("retried", safe_text(exception), safe_traceback(exception))
        if isinstance(exception, Unavailable) and not came_here(message):
            # The gate has closed: it comes again by itself, perhaps to a machine that reaches the database.
            acknowledge(message, ending)
        else:
            put_back(broker, message, decision, ending)
