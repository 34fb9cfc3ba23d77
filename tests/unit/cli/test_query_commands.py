"""``overheard query explain`` and ``suggest``; ``query help`` is tested with the manual (test_query_docs.py)."""

from __future__ import annotations

import pytest

from overheard.workspaces import read

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
