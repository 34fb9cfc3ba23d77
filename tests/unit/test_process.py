"""The start of every process."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from overheard.config import Config, DatabaseSettings
from overheard.errors import ConfigError
from overheard.process import RunningProcess
from tests.servers.ports import free_ports

# Threads that allocate at the same time, and after that what glibc says of its arenas.
ARENAS = """
import ctypes, sys, threading
from overheard import process
def main():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = libc.fdopen.restype = ctypes.c_void_p
    together = threading.Barrier(4)
    def allocate():
        together.wait()
        libc.malloc(1000)
        together.wait()
    threads = [threading.Thread(target=allocate) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    out = ctypes.c_void_p(libc.fdopen(1, b"w"))
    libc.malloc_info(0, out)
    libc.fflush(out)
    sys.exit()
process.main("test", main, None) if sys.argv[1:] else main()
"""


def running(url: str) -> RunningProcess:
    return RunningProcess(Config(database=DatabaseSettings(url=SecretStr(url))))


def test_an_unavailable_database_is_awaited_until_the_process_is_stopped() -> None:
    (port,) = free_ports(1)
    made = running(f"postgresql://overheard:hunter2@127.0.0.1:{port}/overheard")
    made.stop.set()
    lines: list[Any]
    with capture_logs() as lines:
        assert made.await_database() is False
    assert [line["event"] for line in lines] == ["waiting for the database"]
    assert "hunter2" not in str(lines)


@pytest.mark.timeout(20)
def test_a_signal_between_two_steps_of_a_wait_stops_the_process(tmp_path: Path) -> None:
    """The handler runs in the main thread, wherever that is: within ``Event.wait``, it holds the event's lock."""
    made = running(f"sqlite:///{tmp_path}/overheard.db")
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    made.stop_on_signals()
    try:
        with made.stop._cond:  # type: ignore[attr-defined]
            signal.raise_signal(signal.SIGTERM)
        assert made.stop.wait(10)
        with pytest.raises(SystemExit):
            signal.raise_signal(signal.SIGTERM)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_an_available_database_is_migrated(tmp_path: Path) -> None:
    made = running(f"sqlite:///{tmp_path}/overheard.db")
    assert made.await_database() is True
    assert made.unavailable_reason() is None
    made.db.release()


def test_a_file_that_is_not_a_database_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "overheard.db").write_bytes(b"something else, and long enough to be taken for a database file " * 20)
    made = running(f"sqlite:///{tmp_path}/overheard.db")
    with pytest.raises(ConfigError):
        made.await_database()


def test_all_threads_of_a_process_allocate_from_one_arena() -> None:
    def arenas(*arguments: str) -> int:
        command = [sys.executable, "-c", ARENAS, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.count("<heap nr=")

    assert arenas() > 1
    assert arenas("of a process") == 1
