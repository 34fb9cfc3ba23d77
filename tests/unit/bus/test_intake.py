"""One event, whatever becomes of it, is counted, timed, and told of with its run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import structlog
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from overheard.bus.dead_letters import DeadLetterRecord
from overheard.bus.intake import OK, RUN_MAX_CHARS, EventBatch, EventOutcome, IncomingEvent, Refused, refused, said_of
from overheard.errors import InvalidInput, Unavailable

BODY = b'{"workspace": "acme", "event_id": "order-66", "text": "somebody said this"}'
OUTCOMES = ("ok", "retried", "rejected")


@pytest.fixture
def told() -> Iterator[list[Any]]:
    """The lines of the log, with what is bound to the thread."""
    with capture_logs(processors=[merge_contextvars]) as lines:
        yield lines


class Door:
    """An intake, what it recorded, and what was bound to the lines of the handler."""

    def __init__(self, metrics: Any, failure: Exception | None = None) -> None:
        self.failure = failure
        self.letters: list[DeadLetterRecord] = []
        self.aside: list[str] = []
        self.noted: list[dict[str, Any]] = []
        self.intake = EventBatch(self.handle, self.letters.extend, metrics)

    def handle(self, arrivals: Sequence[IncomingEvent]) -> list[EventOutcome]:
        self.noted.append(structlog.contextvars.get_contextvars())
        if isinstance(self.failure, InvalidInput):
            return [refused(self.failure) for _ in arrivals]
        if self.failure is not None:
            raise self.failure
        return [OK for _ in arrivals]

    def take(self, body: bytes = BODY, message_id: str | None = "m-1", refuse: str | None = None) -> None:
        self.intake.take([IncomingEvent("workspace.due", body, message_id, refuse)], self.set_aside)

    def set_aside(self, out: Refused) -> None:
        self.aside += [reason for _, reason in out]


def outcomes(metric: Any) -> tuple[float, ...]:
    return tuple(metric("stage_messages_total", stage="ingress", outcome=outcome) for outcome in OUTCOMES)


def test_its_series_begin_at_0(metrics: Any) -> None:
    Door(metrics)
    value = metrics.registry.get_sample_value
    assert [value("overheard_stage_messages_total", {"stage": "ingress", "outcome": each}) for each in OUTCOMES] == [
        0
    ] * 3
    assert value("overheard_stage_in_progress", {"stage": "ingress"}) == 0
    assert value("overheard_stage_duration_seconds_count", {"stage": "ingress"}) == 0


def test_an_event_that_is_handled(metrics: Any, metric: Any, told: Any) -> None:
    door = Door(metrics)
    door.take()
    assert outcomes(metric) == (1, 0, 0)
    assert (metric("stage_duration_seconds_count", stage="ingress"), told) == (1, [])
    assert (door.letters, door.aside) == ([], [])
    assert structlog.contextvars.get_contextvars() == {}


def test_a_refused_event_is_found_by_its_event_id(metrics: Any, metric: Any, told: Any) -> None:
    door = Door(metrics, InvalidInput("no such key"))
    door.take()
    (line,) = told
    wanted = {"event": "event rejected", "stage": "ingress", "run": "order-66", "workspace": "acme"}
    assert line | wanted | {"type": "workspace.due", "message_id": "m-1", "reason": "no such key"} == line
    assert line["ms"] >= 0
    assert "somebody" not in str(line)
    assert [(letter.message_id, letter.reason) for letter in door.letters] == [("m-1", "no such key")]
    assert door.aside == ["no such key"]
    assert outcomes(metric) == (0, 0, 1)


def test_one_that_is_known_to_be_refused_is_not_handled(metrics: Any, metric: Any, told: Any) -> None:
    door = Door(metrics)
    door.take(refuse="no such type")
    assert (door.noted, door.aside, outcomes(metric)) == ([], ["no such type"], (0, 0, 1))
    assert told[0]["run"] == "order-66"


def test_a_fault_of_ours_is_told_with_the_run_too(metrics: Any, told: Any) -> None:
    Door(metrics, ZeroDivisionError("secret")).take()
    assert [(line["event"], line["run"]) for line in told] == [
        ("event failed", "order-66"),
        ("event rejected", "order-66"),
    ]


def test_one_that_has_to_wait_is_counted_each_time(metrics: Any, metric: Any) -> None:
    door = Door(metrics, Unavailable("the database"))
    for _ in range(2):
        with pytest.raises(Unavailable):
            door.take()
    assert outcomes(metric) == (0, 2, 0)
    assert metric("stage_in_progress", stage="ingress") == 0
    assert door.letters == []


def test_a_refusal_that_cannot_be_set_aside_comes_again_and_is_not_recorded(metrics: Any, metric: Any) -> None:
    door = Door(metrics, InvalidInput("no such key"))

    def lost(out: Refused) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        door.intake.take([IncomingEvent("workspace.due", BODY, None)], lost)
    assert (door.letters, outcomes(metric)) == ([], (0, 1, 0))


def test_the_run_of_one_without_an_id_of_its_own() -> None:
    assert said_of(IncomingEvent("k", b"{", "m" * 255))["run"] == "m" * RUN_MAX_CHARS
    assert said_of(IncomingEvent("k", b"{", None))["run"] == hashlib.sha256(b"{").hexdigest()


def test_of_events_taken_together_the_one_that_breaks_is_refused_alone(metrics: Any, metric: Any, told: Any) -> None:
    letters: list[DeadLetterRecord] = []

    def handle(arrivals: Sequence[IncomingEvent]) -> list[EventOutcome]:
        if any(each.body == b"bad" for each in arrivals):
            raise ZeroDivisionError
        return [OK for _ in arrivals]

    EventBatch(handle, letters.extend, metrics).take(
        [IncomingEvent("k", body, None) for body in (b"good", b"bad", b"fine")]
    )
    assert [(letter.body, letter.reason) for letter in letters] == [(b"bad", "internal error: ZeroDivisionError")]
    assert outcomes(metric) == (2, 0, 1)
