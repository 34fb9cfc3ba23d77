"""The processes on this machine, as their /metrics and /healthz pages describe them."""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec

from overheard.config import MetricsSettings
from overheard.observability.metrics_server import INSTANCE_HEADER
from overheard.programs import PROGRAMS

ANSWER_SECONDS = 0.5  # per request: a healthy page takes milliseconds, and `status` must not hang on a stuck process
CONNECT_SECONDS = 0.1  # on this machine
WILDCARD_HOSTS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - the address to connect to, not to listen on
METRIC_PREFIX = b"overheard_"
PAGE_MAX_BYTES = 8 << 20  # the port may belong to any program
RUN_PROGRAM = "run"  # everything in one process, on the tick's port


class ProcessReport(msgspec.Struct, frozen=True):
    """A process. ``began`` is Unix time, ``memory`` resident bytes, ``done`` the number of messages it has finished.

    ``problems`` are those of its ``/healthz``; ``instance`` is the id of its database (``db.instance``), or empty.
    """

    program: str
    port: int
    problems: tuple[str, ...]
    began: float | None = None
    memory: float | None = None
    done: int = 0
    outdated_queries: int = 0  # in its index, but would be refused today
    unreadable_queries: int = 0  # stored, but not in its index
    instance: str = ""

    def belongs_to(self, instance: str | None) -> bool:
        """Return True if it may be a process of ``instance``; always if one of the two is unknown."""
        return instance is None or not self.instance or self.instance == instance


def scan(settings: MetricsSettings) -> list[ProcessReport] | None:
    """Return the processes on all ports, by port; None with [metrics] port = 0, where each takes any free port."""
    if not settings.port:
        return None
    host = WILDCARD_HOSTS.get(settings.host, settings.host)
    # Ports are tried one by one, as on this machine nearly all refuse at once: threads are only worth it for the pages.
    places = [(program, port) for program, port in _places(settings.port) if _listens(host, port)]
    if not places:
        return []
    with ThreadPoolExecutor(len(places)) as pool:
        reports = pool.map(lambda place: _report(host, *place), places)
        return sorted((process for process in reports if process is not None), key=lambda process: process.port)


def _places(base: int) -> Iterator[tuple[str, int]]:
    for program in PROGRAMS.values():
        for number in range(program.max_processes):
            yield program.name, base + program.port + number


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), CONNECT_SECONDS):
            return True
    except OSError:
        return False


def probe(settings: MetricsSettings) -> ProcessReport | None:
    """Return the process on [metrics] port itself; None if it is not an Overheard."""
    try:
        # Any program may answer on this port, in any protocol: every error means that it is not ours.
        return _scrape(WILDCARD_HOSTS.get(settings.host, settings.host), "tick", settings.port)
    except (OSError, http.client.HTTPException):
        return None


def _report(host: str, program: str, port: int) -> ProcessReport | None:
    try:
        return _scrape(host, program, port)
    except (OSError, http.client.HTTPException):
        return ProcessReport(
            program, port, (f"it accepts connections, but did not answer within {ANSWER_SECONDS:g} s",)
        )


def _scrape(host: str, program: str, port: int) -> ProcessReport | None:
    """Read both pages; return None if it is not an Overheard."""
    _, page, instance = _get(host, port, "/metrics")
    if METRIC_PREFIX not in page:
        return None
    status, health, _ = _get(host, port, "/healthz")
    problems = () if status == 200 else tuple(health.decode("utf-8", "replace").split("\n"))
    # The tick's port is also that of `overheard run`, which has worker threads.
    is_run = program == "tick" and _sum(page, b"overheard_worker_threads_alive") > 0
    return ProcessReport(
        program=RUN_PROGRAM if is_run else program,
        port=port,
        problems=tuple(problem for problem in problems if problem),
        # The Prometheus client reads these two from /proc: elsewhere than on Linux they are missing.
        began=_sum(page, b"process_start_time_seconds") or None,
        memory=_sum(page, b"process_resident_memory_bytes") or None,
        done=int(_sum(page, b"overheard_stage_messages_total")),
        instance=instance,
        outdated_queries=int(_sum(page, rb'overheard_refused_queries\{matched="yes"\}')),
        unreadable_queries=int(_sum(page, rb'overheard_refused_queries\{matched="no"\}')),
    )


def _get(host: str, port: int, path: str) -> tuple[int, bytes, str]:
    """Return status, body and the instance of a page."""
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read(PAGE_MAX_BYTES), response.getheader(INSTANCE_HEADER, "")
    finally:
        connection.close()


def _sum(page: bytes, series: bytes) -> float:
    """Return the sum of a series over its labels, in Prometheus's text format."""
    lines = re.finditer(rb"^" + series + rb"(?:\{[^}]*\})? (\S+)", page, re.MULTILINE)
    return sum(float(line[1]) for line in lines)
