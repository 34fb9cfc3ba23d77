"""Observe the bus: metrics by stage, and a log line at the start and end of each message, never its text."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import dramatiq
from dramatiq.middleware import Middleware
from prometheus_client import Counter, Gauge, Histogram

from overheard.bus.republishing import result_of
from overheard.observability import log as logs
from overheard.observability.log import get_logger
from overheard.observability.metrics import OUTCOMES, ProcessMetrics

# pika's errors reach us as exceptions. Dramatiq's worker logs every failure again, with the texts of foreign errors.
LIBRARY_LEVELS = {
    "pika": logging.CRITICAL + 1,
    "dramatiq.worker.WorkerThread": logging.CRITICAL + 1,
    "dramatiq.broker": logging.ERROR,  # below ERROR it warns of several workers in a process, which is our design
}

# The event that logs a message's end, by its outcome; of all others: message failed.
END_EVENTS = {"ok": "message done", "postponed": "message postponed"}
END_LEVELS = {"ok": logging.INFO, "postponed": logging.INFO, "retried": logging.WARNING, "dead": logging.ERROR}

log = get_logger(__name__)


class Observation(Middleware):
    """The first middleware: its ``after_…`` hooks run last, when the message's result is set.

    ``on_thread_end`` runs on each worker thread as it ends: the only chance to close what belongs to the thread.
    """

    def __init__(self, metrics: ProcessMetrics, on_thread_end: Callable[[], object] = lambda: None) -> None:
        self._metrics = metrics
        self._outcomes: dict[tuple[str, str], Counter] = {}
        self._duration: dict[str, Histogram] = {}
        self._in_progress: dict[str, Gauge] = {}
        self._on_thread_end = on_thread_end
        self._busy: dict[int, float] = {}  # thread → start of its message

    def after_declare_actor(self, broker: dramatiq.Broker, actor: Any) -> None:
        """Create the series of a stage that this process works on, at 0; it exports no series of other stages."""
        name, metrics = actor.actor_name, self._metrics
        self._outcomes |= {(name, outcome): metrics.stage_messages.labels(name, outcome) for outcome in OUTCOMES}
        self._duration[name] = metrics.stage_duration.labels(name)
        self._in_progress[name] = metrics.stage_in_progress.labels(name)
        metrics.longest_in_progress.set_function(self.longest_in_progress)

    def longest_in_progress(self) -> float:
        """Return the seconds that the message longest in progress has taken so far; 0 if none is."""
        began = min(tuple(self._busy.values()), default=None)
        return 0.0 if began is None else time.monotonic() - began

    def before_process_message(self, broker: dramatiq.Broker, message: Any) -> None:
        self._in_progress[message.actor_name].inc()
        self._busy[threading.get_ident()] = time.monotonic()
        logs.clear()
        logs.bind(**log_fields(message))
        log.info("message started")

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
        ended = result_of(message)
        outcome = ended.outcome if ended else "dead" if message.failed else "ok"
        self._in_progress[message.actor_name].dec()
        self._duration[message.actor_name].observe(seconds)
        self._outcomes[message.actor_name, outcome].inc()
        fields: dict[str, Any] = {"outcome": outcome, "ms": round(seconds * 1000, 1)}
        if exception is None and ended is not None:
            fields["reason"] = ended.reason  # otherwise the exception gives the reason
        log.log(END_LEVELS[outcome], END_EVENTS.get(outcome, "message failed"), **fields, exc_info=exception)

    def after_skip_message(self, broker: dramatiq.Broker, message: Any) -> None:
        name = message.actor_name
        if self._busy.pop(threading.get_ident(), None) is not None:
            self._in_progress[name].dec()
        self._outcomes[name, "dead" if message.failed else "dropped"].inc()

    def after_ack(self, broker: dramatiq.Broker, message: Any) -> None:
        logs.clear()

    after_nack = after_ack

    def before_worker_thread_shutdown(self, broker: dramatiq.Broker, thread: Any) -> None:
        self._on_thread_end()


def log_fields(message: Any) -> dict[str, Any]:
    """Return the fields of all log lines of a message's work: its stage, id and run, and its own fields."""
    options = message.options
    fields: dict[str, Any] = {"stage": message.actor_name, "message_id": message.message_id}
    fields["run"] = options.get("run", message.message_id)
    fields |= message.args[0].message.log_fields
    if "workspace" in options:
        fields["workspace"] = options["workspace"]
    if options.get("retries"):
        fields["retries"] = options["retries"]
    return fields


def quiet_libraries() -> None:
    """Silence the libraries' logging of what we log ourselves."""
    for name, level in LIBRARY_LEVELS.items():
        logging.getLogger(name).setLevel(level)
