"""The command line as a whole: help, exit codes, and how faults are told."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from overheard.cli import ENTRIES, cli
from overheard.program import Program

from .conftest import Run

HEAVY = ("peewee", "pika", "dramatiq", "praw", "rich", "pydantic", "lark")


def test_help_shows_every_command_under_its_heading(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name, entry in ENTRIES.items():
        assert f"  {name} " in result.stdout
        assert entry.help in result.stdout


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom overheard.cli import cli\n"
        "try: cli(['--help'])\nexcept SystemExit: pass\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"


@pytest.mark.parametrize("name", ENTRIES)
def test_every_command_exists_and_explains_itself(run: Run, name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert isinstance(command, click.Command)
    assert command.help
    for words in [(), *((each,) for each in getattr(command, "commands", ()))]:
        result = run(name, *words, "--help")
        assert result.exit_code == 0
        assert "Usage: overheard" in result.stdout


def test_a_mistyped_command_is_wrong_usage_and_the_nearest_is_named(run: Run) -> None:
    result = run("statsu")
    assert result.exit_code == 2
    assert "Did you mean status?" in result.stderr


def test_a_wrong_configuration_names_every_problem(run: Run, folder: Path) -> None:
    (folder / "mine.toml").write_text("[tick]\nintervall = 3\n[bus]\nurl = 7\n[nothing]\n")
    result = run("--config", "mine.toml", "status")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "overheard: mine.toml: [tick] intervall: unknown key. Did you mean interval?" in result.stderr
    assert "[nothing] is no section of it" in result.stderr


def test_the_configuration_may_be_named_by_the_environment(run: Run, folder: Path) -> None:
    (folder / "other.toml").write_text('[database]\nurl = "sqlite:///other.db"\n')
    assert run("migrate", OVERHEARD_CONFIG="other.toml").exit_code == 0
    assert (folder / "other.db").exists()
    assert run("workspace", "list", OVERHEARD_CONFIG="absent.toml").exit_code == 2


def test_a_fault_is_one_line_and_no_traceback(run: Run, program: Program) -> None:
    result = run("workspace", "show", "nobody")
    assert result.exit_code == 1
    assert (
        result.stderr == "overheard: no workspace 'nobody'; there are none yet (overheard workspace add, or import)\n"
    )


def test_a_database_that_cannot_be_reached_is_told(run: Run) -> None:
    url = "postgresql://me:hunter2@127.0.0.1:1/overheard"
    result = run("workspace", "list", OVERHEARD_DATABASE__URL=url)
    assert result.exit_code == 1
    assert result.stderr.startswith("overheard: the database does not answer: ")
    assert "hunter2" not in result.stderr


def test_ctrl_c_ends_quietly_with_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("overheard.cli.workspaces.opened", interrupted)
    result = run("workspace", "list")
    assert result.exit_code == 130
    assert result.output.strip() == ""


def test_a_reader_that_goes_away_is_no_fault(folder: Path) -> None:
    (folder / "items.jsonl").write_text('{"body": "python"}\n' * 200_000)
    read, write = os.pipe()
    command = [sys.executable, "-m", "overheard.cli", "query", "test", "python", "--file", "items.jsonl"]
    process = subprocess.Popen([*command, "--format", "json"], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    os.read(read, 100)
    os.close(read)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (141, "")


def test_a_stdout_that_was_closed_before_is_no_fault(folder: Path) -> None:
    command = f"exec {shlex.quote(sys.executable)} -m overheard.cli workspace list >&-"
    done = subprocess.run(["/bin/sh", "-c", command], cwd=folder, stderr=subprocess.PIPE, text=True)
    assert "Traceback" not in done.stderr
