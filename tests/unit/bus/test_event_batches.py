"""Every event is counted, timed and logged with its run, whatever its outcome."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import structlog
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from overheard.bus.dead_letters import DeadLetterRecord
from overheard.bus.event_batches import (
    OK,
    RUN_MAX_CHARS,
    EventBatchHandler,
    EventOutcome,
    IncomingEvent,
    Refused,
    event_log_fields,
    refused,
)
from overheard.errors import InvalidInput, Unavailable
from overheard.observability.metrics import ProcessMetrics
from tests.fixtures import Metric

BODY = b'{"workspace": "acme", "event_id": "order-66", "text": "somebody said this"}'
OUTCOMES = ("ok", "retried", "rejected")


@pytest.fixture
def told() -> Iterator[list[Any]]:
    """Yield the captured log lines, with the fields bound to the thread."""
    with capture_logs(processors=[merge_contextvars]) as captured:
        yield captured


class Harness:
    """An EventBatchHandler, what it recorded, and the log fields bound while its handler ran."""

    def __init__(self, metrics: ProcessMetrics, failure: Exception | None = None) -> None:
        self.failure = failure
        self.dead_letters: list[DeadLetterRecord] = []
        self.set_aside_reasons: list[str] = []
        self.handler_context: list[dict[str, Any]] = []
        self.batches = EventBatchHandler(self.handle, self.dead_letters.extend, metrics)

    def handle(self, events: Sequence[IncomingEvent]) -> list[EventOutcome]:
        self.handler_context.append(structlog.contextvars.get_contextvars())
        if isinstance(self.failure, InvalidInput):
            return [refused(self.failure) for _ in events]
        if self.failure is not None:
            raise self.failure
        return [OK for _ in events]

    def take(self, body: bytes = BODY, message_id: str | None = "m-1", refuse: str | None = None) -> None:
        self.batches.process([IncomingEvent("workspace.due", body, message_id, refuse)], self.set_aside)

    def set_aside(self, rejected: Refused) -> None:
        self.set_aside_reasons += [reason for _, reason in rejected]


def outcomes(metric: Metric) -> tuple[float, ...]:
    return tuple(metric("stage_messages_total", stage="ingress", outcome=outcome) for outcome in OUTCOMES)


def test_the_series_start_at_0(metrics: ProcessMetrics) -> None:
    Harness(metrics)
    value = metrics.registry.get_sample_value
    assert [value("overheard_stage_messages_total", {"stage": "ingress", "outcome": each}) for each in OUTCOMES] == [
        0
    ] * 3
    assert value("overheard_stage_in_progress", {"stage": "ingress"}) == 0
    assert value("overheard_stage_duration_seconds_count", {"stage": "ingress"}) == 0


def test_a_handled_event_is_counted_and_timed(metrics: ProcessMetrics, metric: Metric, told: list[Any]) -> None:
    harness = Harness(metrics)
    harness.take()
    assert outcomes(metric) == (1, 0, 0)
    assert (metric("stage_duration_seconds_count", stage="ingress"), told) == (1, [])
    assert (harness.dead_letters, harness.set_aside_reasons) == ([], [])
    assert structlog.contextvars.get_contextvars() == {}


def test_a_rejected_event_is_logged_with_its_event_id_as_run(
    metrics: ProcessMetrics, metric: Metric, told: list[Any]
) -> None:
    harness = Harness(metrics, InvalidInput("no such key"))
    harness.take()
    (line,) = told
    wanted = {"event": "event rejected", "stage": "ingress", "run": "order-66", "workspace": "acme"}
    assert line | wanted | {"type": "workspace.due", "message_id": "m-1", "reason": "no such key"} == line
    assert line["ms"] >= 0
    assert "somebody" not in str(line)
    assert [(each.message_id, each.reason) for each in harness.dead_letters] == [("m-1", "no such key")]
    assert harness.set_aside_reasons == ["no such key"]
    assert outcomes(metric) == (0, 0, 1)


def test_an_event_refused_in_advance_is_not_handled(metrics: ProcessMetrics, metric: Metric, told: list[Any]) -> None:
    harness = Harness(metrics)
    harness.take(refuse="no such type")
    assert (harness.handler_context, harness.set_aside_reasons, outcomes(metric)) == ([], ["no such type"], (0, 0, 1))
    assert told[0]["run"] == "order-66"


def test_an_internal_error_is_logged_with_the_run(metrics: ProcessMetrics, told: list[Any]) -> None:
    Harness(metrics, ZeroDivisionError("secret")).take()
    assert [(line["event"], line["run"]) for line in told] == [
        ("event failed", "order-66"),
        ("event rejected", "order-66"),
    ]


def test_each_failed_try_of_an_event_is_counted_as_retried(metrics: ProcessMetrics, metric: Metric) -> None:
    harness = Harness(metrics, Unavailable("the database"))
    for _ in range(2):
        with pytest.raises(Unavailable):
            harness.take()
    assert outcomes(metric) == (0, 2, 0)
    assert metric("stage_in_progress", stage="ingress") == 0
    assert harness.dead_letters == []


def test_a_rejected_event_that_cannot_be_set_aside_is_retried_and_not_recorded(
    metrics: ProcessMetrics, metric: Metric
) -> None:
    harness = Harness(metrics, InvalidInput("no such key"))

    def lost(rejected: Refused) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        harness.batches.process([IncomingEvent("workspace.due", BODY, None)], lost)
    assert (harness.dead_letters, outcomes(metric)) == ([], (0, 1, 0))


def test_an_unreadable_event_gets_its_message_id_or_hash_as_run() -> None:
    assert event_log_fields(IncomingEvent("k", b"{", "m" * 255))["run"] == "m" * RUN_MAX_CHARS
    assert event_log_fields(IncomingEvent("k", b"{", None))["run"] == hashlib.sha256(b"{").hexdigest()


def test_only_the_failing_event_of_a_batch_is_rejected(
    metrics: ProcessMetrics, metric: Metric, told: list[Any]
) -> None:
    dead_letters: list[DeadLetterRecord] = []

    def handle(events: Sequence[IncomingEvent]) -> list[EventOutcome]:
        if any(each.body == b"bad" for each in events):
            raise ZeroDivisionError
        return [OK for _ in events]

    EventBatchHandler(handle, dead_letters.extend, metrics).process(
        [IncomingEvent("k", body, None) for body in (b"good", b"bad", b"fine")]
    )
    assert [(each.body, each.reason) for each in dead_letters] == [(b"bad", "internal error: ZeroDivisionError")]
    assert outcomes(metric) == (2, 0, 1)
