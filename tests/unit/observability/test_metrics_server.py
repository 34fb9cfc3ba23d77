"""/metrics and /healthz, over real HTTP."""

from __future__ import annotations

import http.client
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from overheard import http_server
from overheard.errors import ConfigError
from overheard.observability.metrics import ProcessMetrics
from overheard.observability.metrics_server import MetricsServer
from tests.servers.waiting import wait_for


class Process:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = ProcessMetrics(self.registry)
        self.problems: list[str] = []
        self.server = MetricsServer(self.registry, lambda: self.problems)
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


def test_healthz_lists_the_problems(process: Process) -> None:
    assert process.get("/healthz") == (200, "text/plain; charset=utf-8", "ok\n")
    process.problems += ["a worker thread is dead", "the tick is late: 90 s ✗"]
    assert process.get("/healthz")[::2] == (503, "a worker thread is dead\nthe tick is late: 90 s ✗\n")


@pytest.mark.parametrize("path", ["/", "/metrics/x", "/healthz/", "/favicon.ico"])
def test_other_paths_are_not_found(process: Process, path: str) -> None:
    assert process.get(path)[0] == 404


def test_a_taken_port_is_a_config_error(process: Process) -> None:
    other = MetricsServer(CollectorRegistry(), list)
    with pytest.raises(ConfigError, match=rf"\[metrics\] 127.0.0.1:{process.port} cannot be used.*--process"):
        other.start("127.0.0.1", process.port)
    other.stop()


def test_a_server_stops_at_once() -> None:
    """Not at the next time, up to half a second later, at which its loop looks whether it should end."""
    began = time.monotonic()
    for _ in range(20):
        server = MetricsServer(CollectorRegistry(), list)
        server.start("127.0.0.1", 0)
        server.stop()
    server.stop()
    assert time.monotonic() - began < 5


def test_a_foreign_host_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"192.0.2.1:0 cannot be used"):
        MetricsServer(CollectorRegistry(), list).start("192.0.2.1", 0)


def test_after_stop_the_port_is_closed() -> None:
    running = Process()
    running.server.stop()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", running.port)) != 0


def test_a_silent_client_delays_no_other(process: Process) -> None:
    with socket.create_connection(("127.0.0.1", process.port)):
        assert process.get("/healthz")[0] == 200


def test_a_client_that_drips_bytes_is_disconnected(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "REQUEST_MAX_SECONDS", 0.3)
    with socket.create_connection(("127.0.0.1", process.port)) as slow:
        slow.settimeout(10)
        slow.sendall(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
        assert slow.recv(1) == b""
    assert process.get("/healthz")[0] == 200


def test_a_request_over_the_limit_is_refused_and_later_ones_served(process: Process) -> None:
    with ExitStack() as stack:
        held = [
            stack.enter_context(socket.create_connection(("127.0.0.1", process.port), timeout=10))
            for _ in range(http_server.MAX_CONCURRENT_REQUESTS + 1)
        ]
        assert held[-1].recv(1) == b""
    wait_for(lambda: served(process), "the end of those that went away")
    for _ in range(3 * http_server.MAX_CONCURRENT_REQUESTS):
        assert process.get("/healthz")[0] == 200


def served(process: Process) -> bool:
    try:
        return process.get("/healthz")[0] == 200
    except (ConnectionError, http.client.RemoteDisconnected):
        return False


def test_clients_that_disconnect_leave_no_traceback(process: Process, capfd: pytest.CaptureFixture[str]) -> None:
    for sent in (b"", b"GET /metrics HTTP/1.1\r\n", b"\x16\x03\x01rubbish\r\n\r\n", b"G" * 70_000):
        with socket.create_connection(("127.0.0.1", process.port)) as rude:
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
            rude.sendall(sent)
    assert process.get("/healthz")[0] == 200
    assert capfd.readouterr().err == ""


def test_a_failing_page_is_one_line_of_the_log(process: Process, capfd: pytest.CaptureFixture[str]) -> None:
    process.problems = 7  # type: ignore[assignment]
    with structlog.testing.capture_logs() as lines, pytest.raises(http.client.RemoteDisconnected):
        process.get("/healthz")
    assert [line["event"] for line in lines] == ["page not served"]
    assert capfd.readouterr().err == ""


def test_the_version_of_python_is_not_revealed(process: Process) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=10)
    connection.request("GET", "/healthz")
    assert "Python" not in (connection.getresponse().headers["Server"] or "")
    connection.close()
