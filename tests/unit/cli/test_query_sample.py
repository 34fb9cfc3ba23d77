"""query test --sample, query health, and the warnings before a flood."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from overheard.operations import flood_warnings
from overheard.process import RunningProcess
from tests.fixtures import World
from tests.unit.cli.conftest import Run, lines, rows


@pytest.fixture
def sampled(running: RunningProcess, acme: int) -> Callable[[int], None]:
    """Store so many items about python in the sample of acme's subreddit."""
    world = World(running.db, running.clock)  # type: ignore[arg-type]

    def store(count: int) -> None:
        world.sample(*[world.item(number, place="python", body="python for snakes") for number in range(1, count + 1)])

    return store


def test_a_query_is_tried_on_the_sample(run: Run, sampled: Callable[[int], None]) -> None:
    sampled(5)
    result = run("query", "test", "snakes", "--sample", "-w", "acme")
    assert result.exit_code == 0, result.output
    assert "r/python" in result.output
    assert "python for snakes" in result.output
    assert "5 hits among 5 sampled items" in result.output
    [found] = lines(run("query", "test", "snakes", "--sample", "-w", "acme", "--format", "json").output)
    assert found.keys() == {"sampled", "hits", "per_day", "by_place", "suggestions"}
    assert (found["sampled"], found["hits"], found["suggestions"]) == (5, 5, [])
    assert found["by_place"] == [{"source": "reddit", "place": "python", "hits": 5, "per_day": found["per_day"]}]
    [place] = rows(run("query", "test", "snakes", "--sample", "-w", "acme", "--format", "csv").output)
    assert (place["place"], place["hits"]) == ("python", "5")


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("thread:acme", "Acme is out"),
        ("flair:news", "Big News"),
        ("acme cat", "Acme's cat"),
        ("caption:acme", "Acme's cat"),
    ],
)
def test_a_hit_in_any_text_is_shown_with_it(
    run: Run, running: RunningProcess, acme: int, query: str, shown: str
) -> None:
    texts = {"flair": "Big News", "caption": "Acme's cat"}
    item = World(running.db, running.clock).item(1, place="python", body="x", thread_title="Acme is out")  # type: ignore[arg-type]
    World(running.db, running.clock).sample(msgspec.structs.replace(item, kind="comment", texts=texts))  # type: ignore[arg-type]
    result = run("query", "test", query, "--sample", "-w", "acme")
    assert result.exit_code == 0, result.output
    assert shown in result.output
    assert "1 hit among 1 sampled item" in result.output


def test_changes_are_suggested(run: Run, sampled: Callable[[int], None], running: RunningProcess) -> None:
    sampled(5)
    world = World(running.db, running.clock)  # type: ignore[arg-type]
    world.sample(*[world.item(number, place="python", title="Snakes", body="") for number in range(50, 52)])
    result = run("query", "test", "snakes", "--sample", "-w", "acme")
    assert "=Snakes" in result.output
    assert "leaves 2 of 7" in result.output


def test_no_hit_in_the_sample_is_not_said_to_be_none_at_all(run: Run, sampled: Callable[[int], None]) -> None:
    sampled(5)
    result = run("query", "test", "zebra", "--sample", "-w", "acme")
    assert "No hits among 5 sampled items: fewer than about " in result.output


def test_an_empty_sample_is_explained(run: Run, acme: int) -> None:
    result = run("query", "test", "snakes", "--sample", "-w", "acme")
    assert result.exit_code == 0
    assert "No recent items are stored yet" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sample"], "--sample -w WORKSPACE"),
        (["-w", "acme"], "--sample -w WORKSPACE"),
        (["--sample", "-w", "acme", "--text", "x"], "cannot be used together"),
        (["--sample", "-w", "nobody"], "nobody"),
    ],
)
def test_wrong_options_are_refused(run: Run, acme: int, options: list[str], message: str) -> None:
    result = run("query", "test", "snakes", *options)
    assert result.exit_code == 2 or message == "nobody"
    assert result.exit_code != 0
    assert message in result.stderr


def test_health_lists_all_queries(run: Run, acme: int, mention: Callable[..., None]) -> None:
    assert run("workspace", "add", "bolt", "-s", "go", "-q", "a=bolt", "-q", "b=bolt").exit_code == 0
    mention("t3_1", age=-1)
    listed = lines(run("query", "health", "--format", "json").output)
    assert listed == [
        {"workspace": "acme", "query": "snake", "state": "ok", "hits_7d": 1, "duplicate_of": None},
        {"workspace": "bolt", "query": "a", "state": "ok", "hits_7d": 0, "duplicate_of": None},
        {"workspace": "bolt", "query": "b", "state": "duplicate", "hits_7d": 0, "duplicate_of": "a"},
    ]
    assert [row["query"] for row in rows(run("query", "health", "-w", "bolt", "--format", "csv").output)] == ["a", "b"]
    assert "means or finds the same as a" in (shown := run("query", "health").output)
    assert shown.count("has found nothing yet") == 1
    assert run("query", "health", "-w", "nobody").exit_code == 1


def test_a_new_query_that_will_flood_is_warned_of(
    run: Run, sampled: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled(20)
    added = run("workspace", "add", "flood", "-s", "python", "-q", "all=python", "-q", "none=zebra")
    assert added.exit_code == 0
    assert "flood: all will find about" in added.stderr
    assert "20 hits among 20 items" in added.stderr
    assert "overheard query test python --sample -w flood" in added.stderr
    assert "none" not in added.stderr

    file = run("export", "flood").output.replace('"flood"', '"again"')
    imported = run("import", "-", input=file)
    assert "again: all will find about" in imported.stderr
    assert run("import", "-", input=file).stderr == "", "nothing of it has changed"

    query = run("query", "add", "acme", "snakes", "snakes")
    assert (query.exit_code, "acme: snakes will find about" in query.stderr) == (0, True)
    quiet = run("query", "edit", "acme", "snakes", "zebradb")
    assert (quiet.exit_code, quiet.stderr) == (0, "")

    monkeypatch.setattr(flood_warnings, "MIN_HITS", 21)
    assert run("query", "edit", "acme", "snakes", "snakes").stderr == "", "so few hits prove nothing"


def test_suggestions_come_with_estimates(run: Run, acme: int, sampled: Callable[[int], None]) -> None:
    sampled(5)
    suggested = run("query", "suggest", "snakes", "-w", "acme", "--format", "json")
    found = {query["name"]: query["hits_per_day"] for query in lines(suggested.stdout)}
    assert found["brand"] > 0
    assert found["complaints"] == 0
    assert run("query", "suggest", "snakes", "-w", "nobody").exit_code == 1
