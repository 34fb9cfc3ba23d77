"""What is seen of the bus: metrics by stage, and a log line as a message begins and as it ends. Never a text of it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import dramatiq
from dramatiq.middleware import Middleware
from prometheus_client import Counter, Gauge, Histogram

from overheard.bus.republishing import ending_of
from overheard.observability import log as logs
from overheard.observability.log import get_logger
from overheard.observability.metrics import OUTCOMES, ProcessMetrics

# pika's errors come to us as exceptions. Dramatiq's worker repeats every failure with a foreign error's text.
LIBRARY_LEVELS = {
    "pika": logging.CRITICAL + 1,
    "dramatiq.worker.WorkerThread": logging.CRITICAL + 1,
    "dramatiq.broker": logging.ERROR,  # warns of more than one worker in a process, which is what we want
}

# How a message's end is told, by its outcome; one that is not here has failed.
WORDS = {"ok": "message done", "postponed": "message postponed"}
TOLD_AT = {"ok": logging.INFO, "postponed": logging.INFO, "retried": logging.WARNING, "dead": logging.ERROR}

log = get_logger(__name__)


class Observation(Middleware):
    """Stands first, so that its ``after_…`` hooks run last and know how the message ended.

    ``give_back`` runs on a worker's thread as the last thing it does: what belongs to the thread is closed by it, or
    by nobody.
    """

    def __init__(self, metrics: ProcessMetrics, give_back: Callable[[], object] = lambda: None) -> None:
        self._metrics = metrics
        self._outcomes: dict[tuple[str, str], Counter] = {}
        self._duration: dict[str, Histogram] = {}
        self._in_progress: dict[str, Gauge] = {}
        self._give_back = give_back
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
        ending = ending_of(message)
        outcome = ending.outcome if ending else "dead" if message.failed else "ok"
        self._in_progress[message.actor_name].dec()
        self._duration[message.actor_name].observe(seconds)
        self._outcomes[message.actor_name, outcome].inc()
        told_of: dict[str, Any] = {"outcome": outcome, "ms": round(seconds * 1000, 1)}
        if exception is None and ending is not None:
            told_of["reason"] = ending.reason  # an error tells its own
        log.log(TOLD_AT[outcome], WORDS.get(outcome, "message failed"), **told_of, exc_info=exception)

    def after_skip_message(self, broker: dramatiq.Broker, message: Any) -> None:
        name = message.actor_name
        if self._busy.pop(threading.get_ident(), None) is not None:
            self._in_progress[name].dec()
        self._outcomes[name, "dead" if message.failed else "dropped"].inc()

    def after_ack(self, broker: dramatiq.Broker, message: Any) -> None:
        logs.clear()

    after_nack = after_ack

    def before_worker_thread_shutdown(self, broker: dramatiq.Broker, thread: Any) -> None:
        self._give_back()


def log_fields(message: Any) -> dict[str, Any]:
    """What every line of a message's work bears: which it is, of which run, and what it is about."""
    options = message.options
    fields: dict[str, Any] = {"stage": message.actor_name, "message_id": message.message_id}
    fields["run"] = options.get("run", message.message_id)
    fields |= message.args[0].message.gist
    if "workspace" in options:
        fields["workspace"] = options["workspace"]
    if options.get("retries"):
        fields["retries"] = options["retries"]
    return fields


def quiet_libraries() -> None:
    """Keep libraries from logging what we log better."""
    for name, level in LIBRARY_LEVELS.items():
        logging.getLogger(name).setLevel(level)
