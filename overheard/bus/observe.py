"""What is seen of the bus: metrics by stage, and one log line a message. Never the text of a payload."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import dramatiq
import structlog
from dramatiq.middleware import Middleware
from prometheus_client import Counter, Gauge, Histogram

from overheard.bus.dead import told
from overheard.bus.retries import fate_of
from overheard.log import get_logger
from overheard.metrics import OUTCOMES, Metrics

# pika's errors come to us as exceptions. Dramatiq's worker repeats every failure with a foreign error's text.
LEVELS = {
    "pika": logging.CRITICAL + 1,
    "dramatiq.worker.WorkerThread": logging.CRITICAL + 1,
    "dramatiq.broker": logging.ERROR,  # warns of more than one worker in a process, which is what we want
}

log = get_logger(__name__)


class Observe(Middleware):
    """Stands first, so that its ``after_…`` hooks run last and know the message's fate.

    ``on_idle`` runs on the thread that is done with a message, after everything else: it gives back what the
    thread holds (database connections).
    """

    def __init__(self, metrics: Metrics, on_idle: Callable[[], object] | None = None) -> None:
        self._metrics = metrics
        self._outcomes: dict[tuple[str, str], Counter] = {}
        self._duration: dict[str, Histogram] = {}
        self._in_progress: dict[str, Gauge] = {}
        self._on_idle = on_idle
        self._busy: dict[int, float] = {}  # thread → when it began

    def after_declare_actor(self, broker: dramatiq.Broker, actor: Any) -> None:
        """A stage that this process works on: its series begin at 0. Those of other stages are not ours to show."""
        name, metrics = actor.actor_name, self._metrics
        self._outcomes |= {(name, outcome): metrics.stage_messages.labels(name, outcome) for outcome in OUTCOMES}
        self._duration[name] = metrics.stage_duration.labels(name)
        self._in_progress[name] = metrics.stage_in_progress.labels(name)
        metrics.longest_in_progress.set_function(self.longest)

    def longest(self) -> float:
        """Seconds that the message longest in progress has taken so far."""
        began = min(tuple(self._busy.values()), default=None)
        return 0.0 if began is None else time.monotonic() - began

    def before_process_message(self, broker: dramatiq.Broker, message: Any) -> None:
        structlog.contextvars.bind_contextvars(message_id=message.message_id, stage=message.actor_name)
        self._in_progress[message.actor_name].inc()
        self._busy[threading.get_ident()] = time.monotonic()

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: Any,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        began = self._busy.pop(threading.get_ident(), None)
        if began is None:
            return
        seconds = time.monotonic() - began
        fate = fate_of(message)
        outcome = fate.outcome if fate else "dead" if message.failed else "ok"
        self._in_progress[message.actor_name].dec()
        self._duration[message.actor_name].observe(seconds)
        self._outcomes[message.actor_name, outcome].inc()
        told_of = {"outcome": outcome, "ms": round(seconds * 1000, 1)}
        if exception is None:
            log.info("message done", **told_of)
        else:
            level = log.info if outcome == "postponed" else log.error if outcome == "dead" else log.warning
            level("message failed", **told_of, error=told(exception), at=place(exception))

    def after_skip_message(self, broker: dramatiq.Broker, message: Any) -> None:
        name = message.actor_name
        if self._busy.pop(threading.get_ident(), None) is not None:
            self._in_progress[name].dec()
        self._outcomes[name, "dead" if message.failed else "dropped"].inc()

    def after_ack(self, broker: dramatiq.Broker, message: Any) -> None:
        structlog.contextvars.unbind_contextvars("message_id", "stage")
        if self._on_idle is not None:
            self._on_idle()

    after_nack = after_ack


def place(error: BaseException) -> str:
    """``file.py:12 function`` where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    last = frames[-1]
    return f"{last.filename.rsplit('/', 1)[-1]}:{last.lineno} {last.name}"


def silence() -> None:
    """Keep libraries from logging what we log better."""
    for name, level in LEVELS.items():
        logging.getLogger(name).setLevel(level)
