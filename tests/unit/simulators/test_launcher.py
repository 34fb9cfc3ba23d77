"""`python -m overheard.simulators NAME`: any simulator by itself, with invented items."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time

import pytest
import requests

from overheard.simulators.__main__ import SIMULATORS

LAUNCH = [sys.executable, "-m", "overheard.simulators"]


@pytest.mark.parametrize("name", SIMULATORS)
def test_a_simulator_runs_until_it_is_stopped(name: str) -> None:
    command = [*LAUNCH, name, "--port", "0", "--rate", "20", "--history", "5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            told = ""
            for line in process.stdout:
                told += line
                if line.startswith("Stop it"):
                    break
            assert f"[sources.{name}]" in told
            port = re.search(r'"\w+://127\.0\.0\.1:(\d+)/?', told)
            assert port is not None, "the lines of pipeline.toml name the server"
            socket.create_connection(("127.0.0.1", int(port[1])), timeout=60).close()
            if name == "hackernews":
                _check_hacker_news(f"http://127.0.0.1:{port[1]}")
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def _check_hacker_news(url: str) -> None:
    first = requests.get(f"{url}/v0/maxitem.json", timeout=60).json()
    deadline = time.monotonic() + 60
    while requests.get(f"{url}/v0/maxitem.json", timeout=60).json() < first + 3:
        assert time.monotonic() < deadline, "no items are added"
    assert requests.get(f"{url}/v0/item/{first - 4}.json", timeout=60).json()["id"] == first - 4, "the history"


def test_numbers_go_on_after_a_restart() -> None:
    """Overheard remembers how far it has read: lower numbers would never be read."""
    options = SIMULATORS["hackernews"].options
    first = options()["first"]
    assert first > 0
    assert options()["first"] >= first


@pytest.mark.parametrize("arguments", [["nothing"], [], ["hackernews", "--rate", "-1"]])
def test_wrong_usage(arguments: list[str]) -> None:
    done = subprocess.run([*LAUNCH, *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "usage:" in done.stderr


def test_a_taken_port_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [*LAUNCH, "hackernews", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
