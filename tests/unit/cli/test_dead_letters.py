"""``overheard dead-letters``, on memory://."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from overheard.db import dead_letters
from overheard.process import RunningProcess

from .conftest import Run, lines, rows

BODY = '{"queue_name":"fetch","args":[{"workspace_id":1}]}'


@pytest.fixture(autouse=True)
def dead_letters_of_two_stages(running: RunningProcess) -> None:
    """Record dead letters 1 and 2 of fetch, and 3 of store."""
    for number, (stage, reason) in enumerate([("fetch", "no \x1b[31mJSON"), ("fetch", "late"), ("store", "late")]):
        dead_letters.record(
            running.db, message_id=f"m{number}", stage=stage, origin="nack", reason=reason, traceback="Traceback: x",
            body=BODY, now=running.clock() - 180,
        )  # fmt: skip


def test_list(run: Run) -> None:
    table = run("dead-letters", "list").stdout
    assert table.splitlines()[0].split() == ["Count", "Last", "Stage", "Origin", "Reason"]
    assert table.splitlines()[6].split(maxsplit=6) == ["3", "3", "min", "ago", "store", "nack", "late"]
    assert "\x1b" not in table
    assert [row["id"] for row in lines(run("dead-letters", "list", "--format", "json").stdout)] == [3, 2, 1]
    assert [row["id"] for row in rows(run("dead-letters", "list", "--stage", "fetch", "--format", "csv").stdout)] == [
        "2",
        "1",
    ]
    assert len(lines(run("dead-letters", "list", "--limit", "1", "--format", "json").stdout)) == 1
    assert "… and 2 older ones; use --limit to show more" in run("dead-letters", "list", "--limit", "1").stdout
    assert run("dead-letters", "list", "--stage", "nothing").exit_code == 2


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        (["--reason", "LATE"], [3, 2]),
        (["--origin", "xq"], []),
        (["--since", "1m"], []),
        (["--before", "1m", "--stage", "store"], [3]),
    ],
)
def test_list_with_filters(run: Run, given: list[str], ids: list[int]) -> None:
    assert [row["id"] for row in lines(run("dead-letters", "list", *given, "--format", "json").stdout)] == ids
    if not ids:
        assert run("dead-letters", "list", *given).stdout == "No matching dead letters.\n"


def test_list_counts_by_reason_stage_or_origin(run: Run, running: RunningProcess) -> None:
    for number in (17, 18):
        dead_letters.record(
            running.db, message_id=f"n{number}", stage="fetch", origin="nack", traceback=None, body=BODY,
            reason=f"no workspace {number} 'a{number}'", now=running.clock(),
        )  # fmt: skip
    counts = lines(run("dead-letters", "list", "--by", "reason", "--format", "json").stdout)
    assert (counts[0]["count"], counts[0]["reason"]) == (2, "no workspace … …")
    assert (len(counts), counts[0]["newest_at"][-1]) == (4, "Z")
    stages = rows(run("dead-letters", "list", "--by", "stage", "--format", "csv").stdout)
    assert [(row["stage"], row["count"], row["origin"]) for row in stages] == [("fetch", "4", ""), ("store", "1", "")]
    assert run("dead-letters", "list", "--by", "origin").stdout.splitlines()[1].split() == ["5", "just", "now", "nack"]


def test_show(run: Run) -> None:
    shown = run("dead-letters", "show", "1").stdout
    assert "no [31mJSON" in shown
    assert "Traceback: x" in shown
    assert '    "queue_name": "fetch"'.strip() in shown
    (row,) = lines(run("dead-letters", "show", "1", "--format", "json").stdout)
    assert (row["reason"], row["body"]) == ("no \x1b[31mJSON", BODY)
    result = run("dead-letters", "show", "9")
    assert (result.exit_code, result.stderr) == (
        1,
        "overheard: no dead letter 9; `overheard dead-letters list` lists them\n",
    )


def test_drop(run: Run, running: RunningProcess) -> None:
    assert run("dead-letters", "drop", "1", "1").stdout == "✓ 1 dead letter dropped.\n"
    assert run("dead-letters", "drop", "2", "9").exit_code == 1
    assert dead_letters.count(running.db) == 2
    assert run("dead-letters", "drop", "--stage", "store", "--yes").exit_code == 0
    assert dead_letters.count(running.db) == 1
    assert run("dead-letters", "drop", "--all", "--yes").exit_code == 0
    assert dead_letters.count(running.db) == 0
    assert run("dead-letters", "list").stdout == "No dead letters.\n"


@pytest.mark.parametrize("given", [[], ["1", "--all"], ["1", "--stage", "fetch"], ["--stage", "fetch", "--all"], ["x"]])
def test_drop_needs_ids_or_filters_or_all(run: Run, running: RunningProcess, given: list[str]) -> None:
    assert run("dead-letters", "drop", *given).exit_code == 2
    assert dead_letters.count(running.db) == 3


def test_without_a_terminal_confirmation_needs_yes(run: Run, running: RunningProcess) -> None:
    result = run("dead-letters", "drop", "--reason", "late", input="y\n")
    assert (result.exit_code, "add --yes" in result.stderr, "2 dead letters" in result.stderr) == (2, True, True)
    assert dead_letters.count(running.db) == 3


@pytest.mark.parametrize(("answer", "code", "left"), [("n\n", 1, 3), ("y\n", 0, 1)])
def test_on_a_terminal_drop_shows_counts_and_asks(
    folder: Path, running: RunningProcess, answer: str, code: int, left: int
) -> None:
    terminal, stdin = pty.openpty()
    command = [sys.executable, "-m", "overheard.cli", "dead-letters", "drop", "--reason", "late"]
    process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.close(stdin)
    os.write(terminal, answer.encode())
    output, question = process.communicate(timeout=60)
    os.close(terminal)
    assert (process.returncode, dead_letters.count(running.db)) == (code, left)
    assert output.splitlines()[1].split(maxsplit=6) == ["1", "3", "min", "ago", "fetch", "nack", "late"]
    assert "Drop these 2 dead letters? [y/N]" in question


def test_the_old_name_dead_works_as_before_and_is_not_listed(run: Run, running: RunningProcess) -> None:
    for command in (["list"], ["list", "--format", "json"], ["show", "1"], ["show", "9"], ["replay", "1"]):
        old, new = run("dead", *command), run("dead-letters", *command)
        assert (old.exit_code, old.stdout, old.stderr) == (new.exit_code, new.stdout, new.stderr)
    assert run("dead", "drop", "1").stdout == "✓ 1 dead letter dropped.\n"
    assert dead_letters.count(running.db) == 2
    assert run("dead", "--help").stdout.startswith("Usage: overheard dead [OPTIONS]")
    assert "  dead " not in run("--help").stdout


def test_replay_needs_a_bus_to_send_on(run: Run, running: RunningProcess) -> None:
    result = run("dead-letters", "replay", "1")
    assert result.exit_code == 1
    assert "memory://" in result.stderr
    assert dead_letters.count(running.db) == 3
