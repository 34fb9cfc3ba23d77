"""The processes on this machine, as their own pages say: asked on their ports, all at once, for a moment."""

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

ANSWER_SECONDS = 0.5
CONNECT_SECONDS = 0.1  # on this machine
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask who listens there
OURS = b"overheard_"
PAGE_MAX_BYTES = 8 << 20  # whoever listens there
RUN = "run"  # everything in one process, on the tick's port


class Process(msgspec.Struct, frozen=True):
    """A process. ``began`` is Unix time, ``memory`` resident bytes, ``done`` the messages it has finished with.

    ``instance`` says whose it is (``db.instance``); empty where it does not say. ``problems`` are those of its
    ``/healthz``. None where it has not said.
    """

    program: str
    port: int
    problems: tuple[str, ...]
    began: float | None = None
    memory: float | None = None
    done: int = 0
    outdated_queries: int = 0  # in its index, and would be refused today
    unreadable_queries: int = 0  # stored, and not in its index
    instance: str = ""

    def belongs_to(self, instance: str | None) -> bool:
        """Return whether it may be one of this Overheard's; None: nobody knows which this is."""
        return instance is None or not self.instance or self.instance == instance


def look(rules: MetricsSettings) -> list[Process] | None:
    """Who is there, by port. None where nobody can know: with [metrics] port = 0 each takes any port."""
    if not rules.port:
        return None
    host = EVERYWHERE.get(rules.host, rules.host)
    places = [(program, port) for program, port in _places(rules.port) if _listens(host, port)]
    if not places:
        return []
    with ThreadPoolExecutor(len(places)) as pool:
        found = pool.map(lambda place: _ask(host, *place), places)
        return sorted((process for process in found if process is not None), key=lambda process: process.port)


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


def ask(rules: MetricsSettings) -> Process | None:
    """Who answers on [metrics] port itself; None when it is no Overheard."""
    try:
        return _read(EVERYWHERE.get(rules.host, rules.host), "tick", rules.port)
    except (OSError, http.client.HTTPException):
        return None


def _ask(host: str, program: str, port: int) -> Process | None:
    try:
        return _read(host, program, port)
    except (OSError, http.client.HTTPException):
        return Process(program, port, (f"it listens, and gave no answer within {ANSWER_SECONDS:g} s",))


def _read(host: str, program: str, port: int) -> Process | None:
    """The process there; None when it is no Overheard."""
    _, page, instance = _get(host, port, "/metrics")
    if OURS not in page:
        return None
    status, said, _ = _get(host, port, "/healthz")
    problems = () if status == 200 else tuple(said.decode("utf-8", "replace").split("\n"))
    is_run = program == "tick" and _sum(page, b"overheard_worker_threads_alive") > 0
    return Process(
        program=RUN if is_run else program,
        port=port,
        problems=tuple(problem for problem in problems if problem),
        began=_sum(page, b"process_start_time_seconds") or None,
        memory=_sum(page, b"process_resident_memory_bytes") or None,
        done=int(_sum(page, b"overheard_stage_messages_total")),
        instance=instance,
        outdated_queries=int(_sum(page, rb'overheard_refused_queries\{matched="yes"\}')),
        unreadable_queries=int(_sum(page, rb'overheard_refused_queries\{matched="no"\}')),
    )


def _get(host: str, port: int, path: str) -> tuple[int, bytes, str]:
    """(status, body, whose it is)."""
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(PAGE_MAX_BYTES), answer.getheader(INSTANCE_HEADER, "")
    finally:
        connection.close()


def _sum(page: bytes, series: bytes) -> float:
    """The sum of a series over its labels, in Prometheus's text format."""
    lines = re.finditer(rb"^" + series + rb"(?:\{[^}]*\})? (\S+)", page, re.MULTILINE)
    return sum(float(line[1]) for line in lines)
