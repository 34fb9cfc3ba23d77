"""``overheard backfill`` as a separate process, on Hacker News's search."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from overheard.simulators.hackernews import HackerNewsSimulator
from tests.project import ROOT

DAY = 86_400.0
Command = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def simulator() -> Iterator[HackerNewsSimulator]:
    with HackerNewsSimulator() as simulator:
        yield simulator


@pytest.fixture
def command(tmp_path: Path, simulator: HackerNewsSimulator) -> Iterator[Command]:
    """Return a function that starts a command with a database of its own."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **environ: str) -> subprocess.Popen[str]:
        urls = {f"OVERHEARD_SOURCES__HACKERNEWS__{name}": simulator.url for name in ("URL", "SEARCH_URL")}
        given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **urls, **environ}
        process = subprocess.Popen(
            [sys.executable, "-m", "overheard.cli", *arguments],
            cwd=tmp_path, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def done(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def searches(simulator: HackerNewsSimulator) -> int:
    return len([target for target in simulator.recent_requests() if "search_by_date" in target])


def test_a_week_is_found_and_an_interrupted_backfill_resumes(command: Command, simulator: HackerNewsSimulator) -> None:
    now = time.time()
    for number in range(2500):
        # Every tenth matches, and a page of the search has a thousand.
        title = f"Acme number {number}" if number % 10 == 0 else f"bolt number {number}"
        simulator.add_story(title, created=now - 7 * DAY + 600 + number * 200)
    simulator.add_story("Acme, too old", created=now - 8 * DAY)
    added = done(
        command("workspace", "add", "hn", "--watch", "hackernews:all", "--watch", "reddit:python", "-q", "a=acme OR x")
    )
    assert added[0] == 0, added

    # A token every twenty seconds: the second page waits for one.
    slow = command("backfill", "hn", "--since", "7d", OVERHEARD_SOURCES__HACKERNEWS__REQUESTS_PER_SECOND="0.05")
    assert simulator.wait_for_requests(1)
    slow.send_signal(signal.SIGINT)
    code, out, err = done(slow)
    assert code == 1, err
    assert "interrupted: the same command resumes it" in out
    assert "reddit cannot be backfilled: " in err

    code, out, err = done(command("backfill", "hn", "--since", "7d"))
    assert code == 0, err
    assert "Resuming the backfill since " in out
    assert "✓ hn: 250 new mentions in 2,50" in out, "the last second of a page is in the next one as well"
    assert searches(simulator) == 3, "no page is read twice"

    code, out, _ = done(command("mentions", "--format", "json"))
    mentions = [json.loads(line) for line in out.splitlines()]
    assert len(mentions) == 250
    assert {mention["backfilled"] for mention in mentions} == {True}

    code, out, _ = done(command("backfill", "hn", "--since", "7d"))
    assert code == 0
    assert "✓ hn: 0 new mentions in " in out


def test_a_workspace_without_a_source_that_can_be_searched(command: Command) -> None:
    assert done(command("workspace", "add", "files", "--watch", "replay:all", "-q", "acme"))[0] == 0
    code, _, err = done(command("backfill", "files", "--since", "7d"))
    assert code == 1
    assert "replay cannot be backfilled: " in err
    assert "nothing can be backfilled" in err


@pytest.mark.parametrize("arguments", [["hn"], ["hn", "--since", "tomorrow"], ["hn", "--since", "2099-01-01"]])
def test_wrong_usage(command: Command, arguments: list[str]) -> None:
    assert done(command("backfill", *arguments))[0] == 2
