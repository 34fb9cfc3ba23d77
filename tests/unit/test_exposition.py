"""/metrics and /healthz, over real HTTP."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from overheard.errors import ConfigError
from overheard.exposition import Exposition
from overheard.metrics import Metrics


class Process:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.problems: list[str] = []
        self.server = Exposition(self.registry, lambda: self.problems)
        self.port = self.server.start("127.0.0.1", 0)

    def get(self, path: str, **headers: str) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
        finally:
            connection.close()


@pytest.fixture
def process() -> Iterator[Process]:
    running = Process()
    yield running
    running.server.stop()


def test_metrics_are_what_prometheus_reads(process: Process) -> None:
    process.metrics.stage_messages.labels("fetch", "ok").inc()
    status, kind, text = process.get("/metrics")
    assert (status, kind.partition(";")[0]) == (200, "text/plain")
    samples = {sample.name: sample for family in text_string_to_metric_families(text) for sample in family.samples}
    assert samples["overheard_stage_messages_total"].labels == {"stage": "fetch", "outcome": "ok"}
    assert process.get("/metrics?name=x")[0] == 200
    assert process.get("/metrics", Accept="application/openmetrics-text")[1].startswith("application/openmetrics-text")


def test_health_says_what_is_wrong(process: Process) -> None:
    assert process.get("/healthz") == (200, "text/plain; charset=utf-8", "ok\n")
    process.problems += ["a worker thread is dead", "the tick is late: 90 s ✗"]
    assert process.get("/healthz")[::2] == (503, "a worker thread is dead\nthe tick is late: 90 s ✗\n")


@pytest.mark.parametrize("path", ["/", "/metrics/x", "/healthz/", "/favicon.ico"])
def test_there_is_nothing_else(process: Process, path: str) -> None:
    assert process.get(path)[0] == 404


def test_a_port_that_is_taken_is_told(process: Process) -> None:
    other = Exposition(CollectorRegistry(), list)
    with pytest.raises(ConfigError, match=rf"\[metrics\] 127.0.0.1:{process.port} cannot be used.*--process"):
        other.start("127.0.0.1", process.port)
    other.stop()


def test_a_host_that_is_not_ours_is_told() -> None:
    with pytest.raises(ConfigError, match=r"192.0.2.1:0 cannot be used"):
        Exposition(CollectorRegistry(), list).start("192.0.2.1", 0)


def test_nobody_listens_afterwards() -> None:
    running = Process()
    running.server.stop()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", running.port)) != 0


def test_a_client_that_says_nothing_holds_nobody_up(process: Process) -> None:
    with socket.create_connection(("127.0.0.1", process.port)):
        assert process.get("/healthz")[0] == 200


def test_a_process_may_have_pages_of_its_own() -> None:
    running = Process.__new__(Process)
    running.server = Exposition(CollectorRegistry(), list, {"/targets": lambda: (200, "application/json", b"[]")})
    running.port = running.server.start("127.0.0.1", 0)
    try:
        assert running.get("/targets") == (200, "application/json", "[]")
        assert running.get("/target")[::2] == (404, "/metrics, /targets or /healthz\n")
        assert running.get("/healthz")[0] == 200
    finally:
        running.server.stop()
