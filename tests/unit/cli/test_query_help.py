"""``overheard query help`` on a terminal; what it prints elsewhere is tested with the manual (test_query_docs.py)."""

from __future__ import annotations

import pytest

from overheard.cli import query_help
from overheard.cli.query_help import TABLE_MIN_COLUMNS
from overheard.operations.query_topics import CHEAT_SHEET, RECIPES_TOPIC, TOPICS

from .conftest import Run


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overheard.cli.output.PIPE_WIDTH_COLUMNS", TABLE_MIN_COLUMNS - 1)


def test_a_narrow_terminal_breaks_no_query(run: Run, narrow: None) -> None:
    shown = run("query", "help").stdout.splitlines()
    assert [written for form in CHEAT_SHEET for written in form.written if written not in shown] == []
    for topic in (*TOPICS, RECIPES_TOPIC):
        lines = run("query", "help", topic).stdout.splitlines()
        examples = [example for part in query_help.parts(topic) for example in part.examples]
        assert examples
        assert [example.query for example in examples if example.query not in lines] == []
        assert sum(line.startswith("    ✓ ") for line in lines) == len(examples)
        assert sum(line.startswith("    ✗ ") for line in lines) == len(examples)
