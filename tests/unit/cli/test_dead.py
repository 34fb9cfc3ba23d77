"""``overheard dead``, on memory://."""

from __future__ import annotations

import pytest

from overheard.db import dead_letters
from overheard.program import Program

from .conftest import Run, lines, rows

BODY = '{"queue_name":"fetch","args":[{"workspace_id":1}]}'


@pytest.fixture(autouse=True)
def letters(program: Program) -> None:
    """1 and 2 died in fetch, 3 in store."""
    for number, (stage, reason) in enumerate([("fetch", "no \x1b[31mJSON"), ("fetch", "late"), ("store", "late")]):
        dead_letters.record(
            program.db, message_id=f"m{number}", stage=stage, origin="nack", reason=reason, traceback="Traceback: x",
            body=BODY, now=program.clock() - 180,
        )  # fmt: skip


def test_list(run: Run) -> None:
    table = run("dead", "list").stdout
    assert table.splitlines()[1].split(maxsplit=5) == ["3", "3", "min", "ago", "store", "late"]
    assert "\x1b" not in table
    assert "Count   Stage   Reason" in table
    assert [row["id"] for row in lines(run("dead", "list", "--format", "json").stdout)] == [3, 2, 1]
    assert [row["id"] for row in rows(run("dead", "list", "--stage", "fetch", "--format", "csv").stdout)] == ["2", "1"]
    assert len(lines(run("dead", "list", "--limit", "1", "--format", "json").stdout)) == 1
    assert run("dead", "list", "--stage", "nothing").exit_code == 2


def test_show(run: Run) -> None:
    shown = run("dead", "show", "1").stdout
    assert "no [31mJSON" in shown
    assert "Traceback: x" in shown
    assert '    "queue_name": "fetch"'.strip() in shown
    (row,) = lines(run("dead", "show", "1", "--format", "json").stdout)
    assert (row["reason"], row["body"]) == ("no \x1b[31mJSON", BODY)
    result = run("dead", "show", "9")
    assert (result.exit_code, result.stderr) == (1, "overheard: no dead letter 9; `overheard dead list` lists them\n")


def test_drop(run: Run, program: Program) -> None:
    assert run("dead", "drop", "1", "1").stdout == "✓ 1 dead letter dropped.\n"
    assert run("dead", "drop", "2", "9").exit_code == 1
    assert dead_letters.count(program.db) == 2
    assert run("dead", "drop", "--all", "--stage", "store", input="y\n").exit_code == 0
    assert dead_letters.count(program.db) == 1
    assert run("dead", "drop", "--all", input="n\n").exit_code == 1
    assert run("dead", "drop", "--all", "--yes").exit_code == 0
    assert dead_letters.count(program.db) == 0
    assert run("dead", "list").stdout == "No dead letters.\n"


@pytest.mark.parametrize("given", [[], ["1", "--all"], ["1", "--stage", "fetch"], ["x"]])
def test_what_to_drop_must_be_clear(run: Run, program: Program, given: list[str]) -> None:
    assert run("dead", "drop", *given).exit_code == 2
    assert dead_letters.count(program.db) == 3


def test_replay_needs_a_bus_to_send_on(run: Run, program: Program) -> None:
    result = run("dead", "replay", "1")
    assert result.exit_code == 1
    assert "memory://" in result.stderr
    assert dead_letters.count(program.db) == 3
