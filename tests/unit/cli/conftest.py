"""The command line on a database of its own, as a test types it."""

from __future__ import annotations

import csv
import io
import json
import logging
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
FOREIGN = "Ä ✓ 😀 日本"  # more than any encoding but UTF-8 has


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory, nothing of ours in the environment, and the logs as they were afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OVERHEARD_CONFIG", raising=False)
    monkeypatch.setenv("OVERHEARD_METRICS__PORT", "0")  # nobody else's processes
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield tmp_path
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def run(folder: Path) -> Run:
    """``run("workspace", "list")`` as if typed there."""
    runner = CliRunner()

    def invoke(*args: str, input: str | bytes | None = None, **environ: str) -> Result:
        return runner.invoke(cli, list(args), input=input, env=environ, prog_name="overheard")

    return invoke


@pytest.fixture
def program(folder: Path) -> Iterator[RunningProcess]:
    """A program on the database that commands use there."""
    made = RunningProcess(Config(database=DatabaseSettings()))
    made.ready_database()
    with made.db.session():
        yield made
    made.db.release()


@pytest.fixture
def acme(run: Run, program: RunningProcess) -> int:
    """The id of a workspace that listens for python, under the name snake."""
    result = run(
        "workspace", "add", "acme", "-s", "python", "-q", "snake=python", "-c", "team=https://example.com/t0ken"
    )
    assert result.exit_code == 0, result.output
    return int(workspaces.by_name(program.db, "acme").id)


@pytest.fixture
def mention(program: RunningProcess, acme: int) -> Callable[..., None]:
    """Store a mention of acme's: ``mention("t3_1", title="python", age=60)``."""

    def store(name: str, *, title: str = "About python", body: str = "", age: float = 60.0, **fields: Any) -> None:
        now = program.clock() - age
        kind = "comment" if name.startswith("t1_") else "post"
        given: dict[str, Any] = {
            "author": "alice", "source": "reddit", "place": "python", "permalink": f"/r/python/{name}/", **fields
        }  # fmt: skip
        item = Item(id=name, kind=kind, title=title, body=body, created_at=now, **given)
        (query,) = models.Query.select().where(models.Query.workspace == acme).execute(program.db.peewee)
        at = title.find("python")
        match = WorkspaceMatch(
            workspace_id=acme, query_ids=(query.id,), highlights=(("title", at, at + 6),) if at >= 0 else ()
        )
        matched = (MatchedItem(item=item, matches=(match,)),)
        storing.store(program.db, ItemsMatched(part=PollPart(poll=name, part=0, parts=1), items=matched), now)

    return store


def lines(text: str) -> list[dict[str, Any]]:
    """JSON lines."""
    return [json.loads(line) for line in text.splitlines()]


def rows(text: str) -> list[dict[str, str]]:
    """CSV with a header."""
    return list(csv.DictReader(io.StringIO(text)))
