"""The command line on a private database."""

from __future__ import annotations

import csv
import io
import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from overheard.cli import cli
from overheard.config import Config, DatabaseSettings
from overheard.db import models, storing, workspaces
from overheard.items import Item
from overheard.messages import ItemsMatched, MatchedItem, PollPart, WorkspaceMatch
from overheard.process import RunningProcess

Run = Callable[..., Result]
FOREIGN = "Ä ✓ 😀 日本"  # only UTF-8 has them all


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Change to an empty working directory, without our environment variables; restore the log handlers afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OVERHEARD_CONFIG", raising=False)
    monkeypatch.setenv("OVERHEARD_METRICS__PORT", "0")  # do not scan the ports of other tests
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield tmp_path
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def run(folder: Path) -> Run:
    """Return a function that runs a command: ``run("workspace", "list")``."""
    runner = CliRunner()

    def invoke(*args: str, input: str | bytes | None = None, **environ: str) -> Result:
        return runner.invoke(cli, list(args), input=input, env=environ, prog_name="overheard")

    return invoke


@pytest.fixture
def migrated(folder: Path, sqlite_template: Path) -> None:
    """Put an empty database into the working directory: to migrate for each test takes longer than most of them."""
    shutil.copy(sqlite_template, folder / "overheard.db")


@pytest.fixture
def running(migrated: None) -> Iterator[RunningProcess]:
    """A running process on the same database as the commands."""
    made = RunningProcess(Config(database=DatabaseSettings()))
    made.ready_database()
    with made.db.session():
        yield made
    made.db.release()


@pytest.fixture
def acme(run: Run, running: RunningProcess) -> int:
    """Create a workspace with the query ``snake=python``; return its id."""
    result = run(
        "workspace", "add", "acme", "-s", "python", "-q", "snake=python", "-c", "team=https://example.com/t0ken"
    )
    assert result.exit_code == 0, result.output
    return int(workspaces.by_name(running.db, "acme").id)


@pytest.fixture
def mention(running: RunningProcess, acme: int) -> Callable[..., None]:
    """Return a function that stores a mention of acme: ``mention("t3_1", title="python", age=60)``."""

    def store(name: str, *, title: str = "About python", body: str = "", age: float = 60.0, **fields: Any) -> None:
        now = running.clock() - age
        kind = "comment" if name.startswith("t1_") else "post"
        given: dict[str, Any] = {
            "author": "alice", "source": "reddit", "place": "python", "permalink": f"/r/python/{name}/", **fields
        }  # fmt: skip
        item = Item(id=name, kind=kind, title=title, body=body, created_at=now, **given)
        (query,) = models.Query.select().where(models.Query.workspace == acme).execute(running.db.peewee)
        at = title.find("python")
        match = WorkspaceMatch(
            workspace_id=acme,
            query_ids=(query.id,),
            highlights=(("title", at, at + 6),) if at >= 0 else (),
            why=((query.id, "python", "title", at, at + 6),) if at >= 0 else (),
        )
        matched = (MatchedItem(item=item, matches=(match,)),)
        storing.store(running.db, ItemsMatched(part=PollPart(poll=name, part=0, parts=1), items=matched), now)

    return store


def lines(text: str) -> list[dict[str, Any]]:
    """Parse JSON lines."""
    return [json.loads(line) for line in text.splitlines()]


def rows(text: str) -> list[dict[str, str]]:
    """Parse CSV with a header."""
    return list(csv.DictReader(io.StringIO(text)))
