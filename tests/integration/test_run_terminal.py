"""``overheard run`` on a terminal: mentions as they are stored, without log lines between them; elsewhere only logs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from overheard.clock import system_clock
from overheard.db import storing
from overheard.db.database import open_database
from overheard.db.models import Channel, SourceStatus
from tests.fixtures import Clock, World
from tests.project import ROOT
from tests.servers.waiting import wait_for

CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """``overheard run`` in a folder of its own, on a pseudo-terminal, or with a pipe as stdout."""

    def __init__(self, folder: Path, *arguments: str, tty: bool = True) -> None:
        self._written = ""
        # No prefix of our own settings: a developer's environment must not change what is tested.
        environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), "TERM": "xterm"}
        environ |= {"OVERHEARD_METRICS__PORT": "0", "COLUMNS": "120", "PYTHONUTF8": "1"}
        ours, theirs = os.openpty() if tty else os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "overheard.cli", "run", *arguments],
            env=environ, cwd=folder, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, args=(ours,), daemon=True)
        self._reader.start()

    def _read(self, ours: int) -> None:
        with suppress(OSError), open(ours, "rb", buffering=0) as stream:  # EIO: the terminal's other end is closed
            while part := stream.read(4096):
                self._written += part.decode(errors="replace")

    @property
    def text(self) -> str:
        """What was written so far, without colours and movements of the cursor."""
        return CONTROL.sub("", self._written)

    def wait_for(self, text: str) -> None:
        wait_for(lambda: text in self.text, f"{text!r} on the terminal", 60)

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(60)
        self._reader.join(60)
        return code


@pytest.fixture
def start(tmp_path: Path, sqlite_url: str) -> Iterator[Callable[..., Terminal]]:
    """Start ``overheard run`` on this test's database, which is in its folder."""
    started: list[Terminal] = []

    def begin(*arguments: str, tty: bool = True) -> Terminal:
        started.append(Terminal(tmp_path, *arguments, tty=tty))
        return started[-1]

    yield begin
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait(60)


@pytest.fixture
def tell(sqlite_url: str) -> Iterator[Callable[[str], None]]:
    """Store a mention with this title, and let a channel and a source fail; the pipeline does not read that one."""
    db = open_database(sqlite_url)
    with db.session():
        world = World(db, Clock(system_clock()))
        acme = world.workspace(subreddits=("python",), every="1d")

        def store(title: str) -> None:
            world.clock.now = system_clock()
            SourceStatus.insert(name="hackernews", failing_since=1.0, retry_at=9e9, reason="it answers 503").execute(
                db.peewee
            )
            Channel.update(failing_since=1.0, reason="it is down").execute(db.peewee)
            storing.store(db, world.matched((world.item(title=title), (acme,)), poll=title), system_clock())

        yield store
    db.release()


def test_a_terminal_shows_mentions_and_what_fails_but_no_logs(
    start: Callable[..., Terminal], tell: Callable[[str], None]
) -> None:
    terminal = start()
    terminal.wait_for("Watching for 1 workspace.")
    tell("acme is mentioned")
    terminal.wait_for("is mentioned")
    terminal.wait_for("https://www.reddit.com/r/Python/comments/rs/")
    terminal.wait_for("hackernews cannot be reached: it answers 503")
    terminal.wait_for("channel acme/team fails: it is down")
    assert terminal.end() == 0
    assert "Overheard is running. Metrics: " in terminal.text
    assert "#brand" in terminal.text
    assert "Ctrl-C stops" in terminal.text
    for event in ("process started", "message started", "process ended"):
        assert event not in terminal.text


def test_the_logs_are_shown_with_v_and_the_mentions_too(
    start: Callable[..., Terminal], tell: Callable[[str], None]
) -> None:
    terminal = start("-v")
    terminal.wait_for("process started")
    terminal.wait_for("Watching for 1 workspace.")
    tell("acme is mentioned")
    terminal.wait_for("is mentioned")
    assert terminal.end() == 0
    assert "process ended" in terminal.text
    assert "Ctrl-C stops ·" not in terminal.text


def test_the_logs_are_kept_in_a_file(
    start: Callable[..., Terminal], tell: Callable[[str], None], tmp_path: Path
) -> None:
    terminal = start("--log-file", "run.log")
    terminal.wait_for("Watching for 1 workspace.")
    assert terminal.end() == 0
    assert "process started" not in terminal.text
    events = [json.loads(line)["event"] for line in (tmp_path / "run.log").read_text().splitlines()]
    assert (events[0], events[-1]) == ("process started", "process ended")


def test_elsewhere_there_are_only_logs(start: Callable[..., Terminal], tell: Callable[[str], None]) -> None:
    process = start(tty=False)
    process.wait_for("Overheard is running. Metrics: ")
    tell("acme is mentioned")
    assert process.end() == 0
    [said, *_] = [line for line in process.text.splitlines() if not line.startswith("{")]
    assert said.startswith("Overheard is running. Metrics: ")
    events = [json.loads(line)["event"] for line in process.text.splitlines() if line.startswith("{")]
    assert (events[0], events[-1]) == ("process started", "process ended")
    assert "is mentioned" not in process.text
