"""The benchmarks themselves: they end in time, say which text they used, and count what they claim to count."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from overheard.db.models import RefreshDemand
from overheard.workspaces import QuerySpec
from overheard.workspaces.parts import pattern_problems
from tests.benchmarks import expensive, texts
from tests.benchmarks.__main__ import CUT_SHORT, GRACE_SECONDS, TABLES, made, main
from tests.benchmarks.bench_fetch import bound
from tests.benchmarks.fetch_world import DISTINCT, FetchWorld, database

ROOT = Path(__file__).parents[3]
ALL_SECONDS = 600.0


def test_all_tables_together_take_ten_minutes_at_most() -> None:
    assert sum(table.seconds + GRACE_SECONDS for table in TABLES.values()) <= ALL_SECONDS


def test_a_table_whose_time_is_over_is_ended() -> None:
    began = time.monotonic()
    assert not made("pipeline", 0.1)
    assert time.monotonic() - began < 0.1 + 2 * GRACE_SECONDS


SLOW = """
import signal
from tests.benchmarks.__main__ import BenchTable, here
from tests.benchmarks.figures import Figure

def slow():
    yield Figure("the first", 1.0, "s")
    print("begun", flush=True)
    signal.pause()

here(BenchTable("A table", slow, 1.0))
"""


def test_what_there_is_when_the_time_is_over_is_printed() -> None:
    process = subprocess.Popen([sys.executable, "-c", SLOW], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.terminate()
    assert "the first" in process.communicate(timeout=30)[0]
    assert process.returncode == CUT_SHORT


def test_a_workspace_may_have_the_most_expensive_queries() -> None:
    for queries, text in expensive.cases().values():
        assert len(text) <= expensive.CHARACTERS
        specs = [QuerySpec(str(number), query) for number, query in enumerate(queries)]
        assert list(pattern_problems(specs)) == []


def test_the_command_lists_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--list"])
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(TABLES)


def test_the_text_is_the_projects_own_unless_one_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("OVERHEARD_CORPUS", raising=False)
    assert "shipped sample" in texts.description()
    items = texts.load_items(random.Random(1), 800)
    assert len(items) == 800
    assert sum("title" in item for item in items) == 100
    assert 150 < sum(len(item["body"]) for item in items) / len(items) < 600

    monkeypatch.setenv("OVERHEARD_CORPUS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"posts\.jsonl\.gz"):
        texts.description()
    for name, row in {"posts": {"title": "t", "selftext": "s"}, "comments": {"body": "c"}}.items():
        (tmp_path / f"{name}.jsonl.gz").write_bytes(gzip.compress((json.dumps(row) + "\n").encode() * 10))
    assert str(tmp_path) in texts.description()
    assert {item["body"] for item in texts.load_items(random.Random(1), 16)} == {"s", "c"}


def test_each_made_up_name_is_its_own() -> None:
    assert len({texts.name(number) for number in range(texts.NAMES)}) == texts.NAMES


def test_the_bound_is_news_or_groups_whichever_is_more() -> None:
    assert bound([], 250, 50, minutes=10) == 2 * (250 / 50) / 5
    many = [f"t1_{number}" for number in range(2_000)]
    assert bound(many, 250, 50, minutes=10) == 2_000 / 100 / 10 + (250 / 50) / 5


def test_the_world_reads_what_its_people_say() -> None:
    with database() as db:
        world = FetchWorld(db, DISTINCT + 10, 1)
        world.run()
        with db.session():
            served = RefreshDemand.select().where(RefreshDemand.served_at > 0).count(db.peewee)
    assert served == DISTINCT + 10, "copies of workspaces are read for, too"
    shown, stored = world.reddit.shown, world.stored
    assert len(shown) > 1_000
    assert len(shown.keys() & stored.keys()) > 0.5 * len(shown)
    assert all(stored[name] >= at for name, at in shown.items() if name in stored), "nothing is read before it is said"
    assert 30 < len(world.reddit.requested_at) < 200
