"""``overheard demo``: its last lines are commands that work when they are copied one after another."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from overheard.simulators.hackernews import HackerNewsSimulator
from tests.project import ROOT
from tests.servers.forks import PYTHON
from tests.servers.waiting import wait_for


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a shell; Hacker News is simulated."""
    with HackerNewsSimulator() as simulator:
        simulator.add_story("Postgres is fast", "and so is postgres")
        yield {
            "PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1",
            "OVERHEARD_METRICS__PORT": "0", "OVERHEARD_SOURCES__HACKERNEWS__URL": simulator.url,
            "OVERHEARD_SOURCES__HACKERNEWS__SEARCH_URL": simulator.url,
        }  # fmt: skip


def test_the_last_lines_work_in_a_shell_one_after_another(environ: dict[str, str], tmp_path: Path) -> None:
    demo = subprocess.run(
        [*PYTHON, "overheard.cli", "demo", "--for", "3s"],
        env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert demo.returncode == 0, demo.stderr
    lines = demo.stdout.partition("copy one line after another:")[2].splitlines()
    commands = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    *first, last = (command.replace("--for 30s", "--for 3s") for command in commands)
    assert len(first) == 2
    for command in first:
        done = subprocess.run(
            ["bash", "-c", command], env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
    assert "tryout watches" in done.stdout
    running = subprocess.Popen(
        ["bash", "-c", f"exec {last}"], env=environ, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("Overheard is running")
        listing = f"{last.removesuffix(' run')} mentions --format json"

        def found() -> bool:
            listed = subprocess.run(
                ["bash", "-c", listing], env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60
            )
            return "Postgres is fast" in listed.stdout

        wait_for(found, "a mention of the workspace that was added", 60)
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0
    finally:
        running.kill()
        running.communicate(timeout=60)


def test_two_demos_at_once_do_not_take_each_others_port(environ: dict[str, str], tmp_path: Path) -> None:
    demos = [
        subprocess.Popen(
            [*PYTHON, "overheard.cli", "demo", "--for", "2s"],
            env=environ, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    try:
        told = [demo.communicate(timeout=120) for demo in demos]
    finally:
        for demo in demos:
            demo.kill()
    assert [demo.returncode for demo in demos] == [0, 0], told
