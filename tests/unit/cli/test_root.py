"""The command line as a whole: help, exit codes, error messages."""

from __future__ import annotations

import os
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import click
import pytest
from structlog.testing import capture_logs

from overheard.cli import ENTRIES, cli
from overheard.config import Config
from overheard.db import migrate
from overheard.db.database import open_database
from overheard.process import NO_DATABASE_REMEDY, RunningProcess

from .conftest import Run

HEAVY = ("peewee", "pika", "dramatiq", "praw", "rich", "pydantic")


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
def test_every_command_exists_and_has_help(run: Run, name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert isinstance(command, click.Command)
    assert command.help
    for words in [(), *((each,) for each in getattr(command, "commands", ()))]:
        result = run(name, *words, "--help")
        assert result.exit_code == 0
        assert "Usage: overheard" in result.stdout


def test_a_mistyped_command_is_wrong_usage_with_a_suggestion(run: Run) -> None:
    result = run("statsu")
    assert result.exit_code == 2
    assert "Did you mean status?" in result.stderr


def test_an_invalid_configuration_lists_every_problem(run: Run, folder: Path) -> None:
    (folder / "mine.toml").write_text("[tick]\nintervall = 3\n[bus]\nurl = 7\n[nothing]\n")
    result = run("--config", "mine.toml", "status")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "overheard: mine.toml: [bus] url: Input should be a valid string" in result.stderr
    assert "mine.toml: [tick] intervall: unknown key. Did you mean interval?" in result.stderr
    assert "there is no section [nothing]" in result.stderr


def test_the_environment_may_name_the_configuration_file(run: Run, folder: Path) -> None:
    (folder / "other.toml").write_text('[database]\nurl = "sqlite:///other.db"\n')
    assert run("migrate", OVERHEARD_CONFIG="other.toml").exit_code == 0
    assert (folder / "other.db").exists()
    assert run("workspace", "list", OVERHEARD_CONFIG="absent.toml").exit_code == 2


def test_an_error_is_one_line_without_a_traceback(run: Run, running: RunningProcess) -> None:
    result = run("workspace", "show", "nobody")
    assert result.exit_code == 1
    assert (
        result.stderr == "overheard: no workspace 'nobody'; there are none yet (overheard workspace add, or import)\n"
    )


def test_an_unreachable_database_is_an_error_without_the_password(run: Run) -> None:
    url = "postgresql://me:hunter2@127.0.0.1:1/overheard"
    result = run("workspace", "list", OVERHEARD_DATABASE__URL=url)
    assert result.exit_code == 1
    assert result.stderr.startswith("overheard: the database does not answer: ")
    assert "hunter2" not in result.stderr


def test_ctrl_c_exits_with_130_and_no_output(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("overheard.cli.workspaces.running_process", interrupted)
    result = run("workspace", "list")
    assert result.exit_code == 130
    assert result.output.strip() == ""


def test_a_closed_pipe_is_not_an_error(folder: Path) -> None:
    (folder / "items.jsonl").write_text('{"body": "python"}\n' * 200_000)
    read, write = os.pipe()
    command = [sys.executable, "-m", "overheard.cli", "query", "test", "python", "--file", "items.jsonl"]
    process = subprocess.Popen([*command, "--format", "json"], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    os.read(read, 100)
    os.close(read)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (141, "")


def test_a_closed_stdout_is_not_an_error(folder: Path) -> None:
    command = f"exec {shlex.quote(sys.executable)} -m overheard.cli workspace list >&-"
    done = subprocess.run(["/bin/sh", "-c", command], cwd=folder, stderr=subprocess.PIPE, text=True)
    assert "Traceback" not in done.stderr


@pytest.fixture
def behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a database at the first migration, with a workspace in it; return its path."""
    old = folder / "migrations"
    old.mkdir()
    first = migrate.DIRECTORY / "0001_initial.py"
    (old / first.name).write_text(first.read_text())
    db = open_database(f"sqlite:///{folder}/overheard.db")
    with monkeypatch.context() as released:
        released.setattr(migrate, "DIRECTORY", old)
        migrate.migrate(db)
    with db.session():
        values = "(1, 'acme', 'Acme', 'UTC', '5m', 1, 0, 1, 0, 0, 0)"
        db.peewee.execute_sql(
            "INSERT INTO workspace (id, slug, name, timezone, every, active, created_at, next_due_at, demanded_at,"
            f" served_at, digest_asked_at) VALUES {values}"
        )
    db.release()
    return folder / "overheard.db"


def schema(path: Path) -> tuple[int, list[str]]:
    with closing(sqlite3.connect(path)) as db:
        tables = [sql for (sql,) in db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")]
        return db.execute("SELECT count(*) FROM schema_migration").fetchone()[0], tables


@pytest.mark.parametrize(
    "command",
    ["mentions", "mentions --format json", "workspace list", "workspace show acme", "workspace pause acme", "export",
     "channel list", "dead-letters list", "trigger acme",
     "forget --workspace acme --dry-run", "status", "status --format json",
     "workspace add bolt -s python -q x"],
)  # fmt: skip
def test_only_migrate_and_run_migrate(run: Run, behind: Path, command: str) -> None:
    before = schema(behind)
    result = run(*command.split())
    assert (result.exit_code, "run `overheard migrate`" in result.stderr) == (2, True)
    assert schema(behind) == before
    assert not list(behind.parent.glob("*.backup"))


def test_migrate_copies_the_file_first_and_prints_where(run: Run, behind: Path) -> None:
    before = schema(behind)
    result = run("migrate")
    copy = behind.with_name("overheard.db.0001_initial.backup")
    assert result.exit_code == 0
    assert f"copied to {copy}" in result.stdout
    assert schema(copy) == before
    assert run("workspace", "list").stdout.splitlines()[1].startswith("acme")
    assert run("migrate").stdout == "The database was already up to date.\n"
    assert list(behind.parent.glob("*.backup")) == [copy]


def test_a_long_running_process_migrates_and_copies_too(behind: Path) -> None:
    made = RunningProcess(Config())
    with capture_logs() as lines:
        made.ready_database()
    made.db.release()
    [copy] = behind.parent.glob("*.backup")
    assert [(line["event"], line["path"]) for line in lines] == [("database copied before it is migrated", str(copy))]


@pytest.mark.parametrize("command", ["mentions", "workspace list", "export", "dead-letters list", "channel list"])
def test_reading_does_not_create_a_database(run: Run, folder: Path, command: str) -> None:
    result = run(*command.split())
    assert result.exit_code == 2
    status = run("status").stdout
    assert f"overheard: there is no database yet: {folder}/overheard.db\n  {NO_DATABASE_REMEDY}\n" in result.stderr
    assert NO_DATABASE_REMEDY in " ".join(status.split()), "status says the same"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("command", ["mentions", "migrate", "run", "workspace add acme -s python -q x"])
def test_an_unusable_sqlite_path_is_an_error_with_a_remedy(run: Run, folder: Path, command: str) -> None:
    result = run(*command.split(), OVERHEARD_DATABASE__URL="sqlite:///absent/x.db")
    assert result.exit_code == 2
    assert f"[database] url: SQLite cannot use {folder}/absent/x.db: there is no folder" in result.stderr
    assert f"mkdir -p {folder}/absent" in result.stderr
