"""``overheard query explain`` and ``suggest``; ``query help`` is tested with the manual (test_query_docs.py)."""

from __future__ import annotations

import pytest

from overheard.process import RunningProcess
from overheard.workspaces import read
from tests.fixtures import World

from .conftest import Run, lines


def test_explain_for_people(run: Run) -> None:
    result = run("query", "explain", "linear -hiring")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "word linear",
        "none of:",
        "  word hiring",
        "",
        "Filed under: linear",
        "Cost: low: few items need a closer look",
        "! linear is a common word: =Linear finds only the name",
    ]


def test_explain_for_programs(run: Run) -> None:
    (found,) = lines(run("query", "explain", "acmedb OR wi-fi", "--format", "json").stdout)
    assert list(found) == ["text", "tree", "anchors", "always_evaluated", "cost", "warnings"]
    assert (found["text"], found["always_evaluated"], found["cost"]) == ("acmedb OR wi-fi", False, "low")
    assert [part["text"] for part in found["tree"]["parts"]] == ["acmedb", "wi-fi"]


def test_explain_refuses_what_is_not_a_query(run: Run) -> None:
    result = run("query", "explain", "acme OR (db")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "^" in result.stderr


@pytest.mark.parametrize("name", ["Acme DB", "O'Reilly", "東京", "Linear"])
def test_suggested_toml_can_be_pasted_into_a_workspace_file(run: Run, name: str) -> None:
    result = run("query", "suggest", name, "--domain", "acme.com", "--competitor", "Bolt", "--format", "toml")
    assert result.exit_code == 0
    (spec,) = read(f'[[workspace]]\nslug = "acme"\nsubreddits = ["python"]\n\n{result.stdout}', "pasted")
    suggested = lines(
        run("query", "suggest", name, "--domain", "acme.com", "--competitor", "Bolt", "--format", "json").stdout
    )
    assert [(query.name, query.text) for query in spec.query] == [(each["name"], each["text"]) for each in suggested]


def test_suggest_for_people(run: Run) -> None:
    result = run("query", "suggest", "Acme DB", "--domain", "acme.com")
    assert '"acme db" OR acmedb' in result.stdout
    assert "domain:acme.com" in result.stdout


@pytest.mark.parametrize("arguments", [("!?",), ("Acme", "--domain", "not a host"), ("Acme", "--competitor", "")])
def test_suggest_refuses_what_no_query_can_be_made_of(run: Run, arguments: tuple[str, ...]) -> None:
    result = run("query", "suggest", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")


def test_suggest_without_a_database_says_why_there_are_no_estimates(run: Run) -> None:
    result = run("query", "suggest", "Acme DB", "-w", "acme", "--format", "json")
    assert result.exit_code == 0
    assert {each["hits_per_day"] for each in lines(result.stdout)} == {None}
    assert result.stderr.startswith("No estimates: ")


def test_suggest_estimates_the_hits_of_a_day(run: Run, running: RunningProcess, acme: int) -> None:
    world = World(running.db, running.clock)  # type: ignore[arg-type]
    world.sample(*[world.item(number, place="python", body="we use AcmeDB") for number in range(1, 6)])
    suggested = lines(
        run("query", "suggest", "AcmeDB", "--domain", "acme.com", "-w", "acme", "--format", "json").stdout
    )
    hits = {each["name"]: each["hits_per_day"] for each in suggested}
    assert hits["brand"] > 0 == hits["domain"]
    shown = run("query", "suggest", "AcmeDB", "--domain", "acme.com", "-w", "acme").stdout
    assert " a day)" in shown
    assert "(no hits in the sample)" in shown


def test_suggest_without_a_sample_says_so(run: Run, acme: int) -> None:
    assert "no recent items are stored yet" in run("query", "suggest", "AcmeDB", "-w", "acme").stderr
    assert run("query", "suggest", "AcmeDB", "-w", "bolt").exit_code == 1
    assert "-w WORKSPACE" in run("query", "suggest", "AcmeDB").stderr
