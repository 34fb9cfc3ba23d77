"""``overheard forget``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from overheard.db.models import StoredItem, Workspace
from overheard.process import RunningProcess

from .conftest import Run, lines


@pytest.fixture(autouse=True)
def mentions(mention: Callable[..., None]) -> None:
    mention("t3_1", author="Alice")
    mention("t3_2", author="alice")
    mention("t3_3", author="bob")


def items(running: RunningProcess) -> list[str]:
    rows = StoredItem.select(StoredItem.ref).order_by(StoredItem.ref).tuples().execute(running.db.peewee)
    return [name for (name,) in rows]


@pytest.mark.parametrize("name", ["alice", "u/alice", "/u/ALICE"])
def test_forgetting_an_author_erases_their_items(run: Run, running: RunningProcess, name: str) -> None:
    result = run("forget", "--author", name, "--yes")
    assert result.exit_code == 0, result.output
    table = result.stdout.splitlines()
    assert table[0].endswith("is forgotten. Erased:")
    assert [row.split() for row in table[1:4]] == [
        ["Posts", "and", "comments", "2"], ["Mentions", "2"], ["Deliveries", "0"],
    ]  # fmt: skip
    assert "--undo" in table[-1]
    assert items(running) == ["t3_3"]
    assert lines(run("forget", "--author", name, "-y", "--format", "json").stdout) == [
        {
            "author": name.removeprefix("/").removeprefix("u/"), "source": "reddit", "dry_run": False,
            "erased": {"items": 0, "mentions": 0, "deliveries": 0, "digests": 0},
        }
    ]  # fmt: skip


def test_forget_asks_for_confirmation(run: Run, running: RunningProcess) -> None:
    result = run("forget", "--author", "alice", input="n\n")
    assert result.exit_code == 1
    assert "Erase 2 items by u/alice, and store nothing by this author from now on?" in result.stderr
    result = run("forget", "--workspace", "acme", input="\n")
    assert result.exit_code == 1
    assert "Permanently erase the workspace acme (3 mentions, 1 channel)?" in result.stderr
    assert len(items(running)) == 3
    assert run("forget", "--author", "alice", input="y\n").exit_code == 0
    assert len(items(running)) == 1


def test_a_dry_run_counts_and_erases_nothing(run: Run, running: RunningProcess) -> None:
    for target in (["--author", "alice"], ["--workspace", "acme"]):
        result = run("forget", *target, "--dry-run")
        assert result.exit_code == 0
        assert "nothing has been erased" in result.stdout
    assert len(items(running)) == 3
    [result_json] = lines(run("forget", "--workspace", "acme", "--dry-run", "--format", "json").stdout)
    assert (result_json["dry_run"], result_json["erased"]["mentions"], result_json["erased"]["items"]) == (True, 3, 3)


def test_forgetting_a_workspace_erases_everything_in_it(run: Run, running: RunningProcess) -> None:
    result = run("forget", "--workspace", "acme", "--yes", "--format", "json")
    assert result.exit_code == 0, result.output
    [result_json] = lines(result.stdout)
    assert result_json["workspace"] == "acme"
    assert result_json["erased"] == {
        "mentions": 3, "deliveries": 0, "items": 3, "letters": 0, "channels": 1, "queries": 1, "feeds": 2,
    }  # fmt: skip
    assert items(running) == []
    assert Workspace.select().count(running.db.peewee) == 0
    again = run("forget", "--workspace", "acme", "--yes")
    assert (again.exit_code, "no workspace 'acme'" in again.stderr) == (1, True)


def test_undo_lets_an_author_be_stored_again(run: Run) -> None:
    assert "was not forgotten" in run("forget", "--author", "alice", "--undo").stdout
    run("forget", "--author", "alice", "--yes")
    assert "is stored again" in run("forget", "--author", "Alice", "--undo").stdout
    assert lines(run("forget", "--author", "alice", "--undo", "--format", "json").stdout) == [
        {"author": "alice", "source": "reddit", "was_forgotten": False}
    ]


def test_forgetting_an_author_of_another_source_keeps_namesakes(
    run: Run, running: RunningProcess, mention: Callable[..., None]
) -> None:
    mention("1", author="Alice", source="replay")
    result = run("forget", "--author", "alice", "--source", "replay", "--yes")
    assert result.exit_code == 0, result.output
    assert items(running) == ["t3_1", "t3_2", "t3_3"], "namesakes on Reddit are other people"
    assert "overheard forget --author alice --source replay --undo" in result.stdout
    assert "is stored again" in run("forget", "--author", "alice", "--source", "replay", "--undo").stdout
    refused = run("forget", "--author", "alice", "--source", "redit", "--yes")
    assert (refused.exit_code, "'reddit', " in refused.stderr) == (2, True)


def test_the_undo_command_is_quoted_for_the_shell(run: Run, mention: Callable[..., None]) -> None:
    mention("1", author="Al; ice", source="replay")
    result = run("forget", "--author", "Al; ice", "--source", "replay", "--yes")
    assert "overheard forget --author 'Al; ice' --source replay --undo" in result.stdout


def test_an_internal_workspace_cannot_be_forgotten(run: Run, running: RunningProcess) -> None:
    Workspace.update(internal=True).execute(running.db.peewee)
    result = run("forget", "--workspace", "acme", "--yes")
    assert (result.exit_code, "acme is internal to Overheard" in result.stderr) == (1, True)
    assert len(items(running)) == 3


@pytest.mark.parametrize(
    "given",
    [
        [], ["--author", "a", "--workspace", "b"], ["--author", "[deleted]"], ["--author", "a b"], ["--author", ""],
        ["--author", "u/"], ["--workspace", "acme", "--undo"], ["--author", "a", "--undo", "--dry-run"], ["alice"],
    ],
)  # fmt: skip
def test_contradictory_options_are_wrong_usage(run: Run, running: RunningProcess, given: list[str]) -> None:
    assert run("forget", *given, "--yes").exit_code == 2
    assert len(items(running)) == 3
