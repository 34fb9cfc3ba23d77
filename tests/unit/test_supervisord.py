"""Queries to supervisord's socket; tests/integration/test_supervised.py queries a real supervisord."""

from __future__ import annotations

import socket
import tempfile
import threading
import xmlrpc.client
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from overheard import supervisord
from overheard.errors import Unavailable
from overheard.supervisord import SupervisedProcess

RECORD = {
    "name": "fetch_1",
    "group": "fetch",
    "statename": "RUNNING",
    "state": 20,
    "spawnerr": "",
    "stdout_logfile": "/logs/fetch_1.log",
    "stderr_logfile": "",
    "pid": 7,
}


class Answering:
    """Serve a socket that answers every client with the same bytes."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "socket"
        self.answer = b""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(self.path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def give(self, value: Any) -> None:
        self.give_body(xmlrpc.client.dumps((value,), methodresponse=True).encode())

    def give_body(self, body: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self.answer = head.encode() + body

    def ask(self, timeout: float = 60) -> list[SupervisedProcess]:
        return supervisord.processes(f"unix://{self.path}", timeout=timeout)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            with caller, suppress(OSError):  # a caller that has given up
                asked = b""
                while b"</methodCall>" not in asked and (part := caller.recv(65536)):
                    asked += part
                caller.sendall(self.answer)
                if not self.answer:
                    caller.recv(1)  # until the caller gives up


@pytest.fixture
def server() -> Iterator[Answering]:
    with tempfile.TemporaryDirectory() as folder:  # a socket's path is short
        made = Answering(Path(folder))
        yield made
        made.close()


def test_processes_are_read(server: Answering) -> None:
    server.give([RECORD, RECORD | {"name": "standin", "group": "standin", "spawnerr": "no such file"}])
    fetch, standin = server.ask()
    assert fetch == SupervisedProcess("fetch", "fetch_1", "RUNNING", "", "/logs/fetch_1.log")
    assert (fetch.number, fetch.full_name) == (1, "fetch:fetch_1")
    assert (standin.number, standin.spawnerr) == (0, "no such file")


@pytest.mark.parametrize("value", ["rubbish", [1, 2], [{"name": "fetch_0"}], [RECORD | {"statename": 20}]])
def test_an_unexpected_answer_is_an_error(server: Answering, value: Any) -> None:
    server.give(value)
    with pytest.raises(Unavailable, match=f"supervisord does not answer on {server.path}: Expected|Object missing"):
        server.ask()


@pytest.mark.parametrize(
    "answer", [b"rubbish\r\n\r\n", b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n<a>"]
)
def test_an_invalid_answer_is_an_error(server: Answering, answer: bytes) -> None:
    server.answer = answer
    with pytest.raises(Unavailable, match="supervisord does not answer on"):
        server.ask()


def test_a_refusal_is_reported_with_its_reason(server: Answering) -> None:
    server.give_body(xmlrpc.client.dumps(xmlrpc.client.Fault(6, "SHUTDOWN_STATE")).encode())
    with pytest.raises(Unavailable, match="SHUTDOWN_STATE"):
        server.ask()


def test_a_silent_server_times_out(server: Answering) -> None:
    with pytest.raises(Unavailable, match="timed out"):
        server.ask(timeout=0.05)


def test_a_missing_server_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file or directory"):
        supervisord.processes(f"unix://{tmp_path}/nobody")
