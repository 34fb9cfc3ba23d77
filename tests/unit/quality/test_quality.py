"""The labels and goals are sound, the figures right, and without the corpus nothing is measured."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from overheard.items import Item
from tests.quality.__main__ import main
from tests.quality.goals import Goal, Label, goals, labels
from tests.quality.hits import QueryHits, find_hits
from tests.quality.scores import change, score
from tests.quality.tables import verdict

OPERATORS = re.compile(r'[=~*:/()"]|\bNEAR\b|\bNOT\b|(?<!\S)-')

GOAL = Goal(id="acme", intent="Acme, the database.", naive="acme", tuned="=Acme", pool="acme")
BOUGHT = Item(source="reddit", id="t3_1", kind="post", place="db", title="We bought Acme", created_at=0.0)
PEAK = Item(source="reddit", id="t3_2", kind="post", place="hills", title="At the acme of the hill", created_at=0.0)
LABELS = [
    Label(goal="acme", item="t3_1", label="relevant", half="B", naive=True),
    Label(goal="acme", item="t3_2", label="noise", half="B", naive=True),
    Label(goal="acme", item="t3_3", label="relevant", half="B", naive=False),
]


def test_each_item_is_labelled_once_for_a_goal() -> None:
    judged = Counter((label.goal, label.item) for label in labels())
    assert max(judged.values()) == 1
    assert {goal for goal, _ in judged} == {goal.id for goal in goals()}
    assert len(judged) >= 400


def test_the_halves_of_each_goal_are_of_equal_size() -> None:
    sizes = Counter((label.goal, label.half) for label in labels())
    assert all(0 <= sizes[goal.id, "A"] - sizes[goal.id, "B"] <= 1 for goal in goals())


def test_only_ids_of_items_are_kept() -> None:
    assert all(re.fullmatch(r"t3_[a-z0-9]{5,7}|[a-z0-9]{7}", label.item) for label in labels())


def test_a_naive_query_has_words_only() -> None:
    """And a phrase, which a new user writes as well."""
    unquoted = [re.sub(r'^"([\w ]+)"$', r"\1", goal.naive) for goal in goals()]
    assert [query for query in unquoted if OPERATORS.search(query)] == []


def test_all_queries_are_accepted() -> None:
    assert find_hits(goals(), []) == QueryHits()


def test_the_hits_of_both_queries_are_found() -> None:
    assert find_hits([GOAL], [BOUGHT, PEAK]) == QueryHits(
        naive={("acme", "t3_1"), ("acme", "t3_2")}, tuned={("acme", "t3_1")}
    )


def test_precision_and_recall() -> None:
    hits = find_hits([GOAL], [BOUGHT, PEAK])
    naive, tuned = score(LABELS, hits.naive), score(LABELS, hits.tuned)
    assert (naive.hits, naive.precision, naive.recall) == (2, 0.5, 0.5)
    assert (tuned.hits, tuned.precision, tuned.recall) == (1, 1.0, 0.5)
    assert (score([], hits.tuned).precision, score([], hits.tuned).recall) == (None, None)


def test_only_hits_of_the_first_query_are_kept_or_removed() -> None:
    changed = change(LABELS, {("acme", "t3_1"), ("acme", "t3_2")}, {("acme", "t3_1"), ("acme", "t3_3")})
    assert (changed.noise_removed, changed.noise) == (1, 1)
    assert (changed.relevant_kept, changed.relevant) == (1, 1)


@pytest.mark.parametrize(
    ("tuned", "word"),
    [({("acme", "t3_1")}, "reached"), (set(), "missed"), ({("acme", "t3_1"), ("acme", "t3_2")}, "missed")],
)
def test_the_verdict_wants_noise_gone_and_relevant_hits_kept(tuned: set[tuple[str, str]], word: str) -> None:
    hits = QueryHits(naive={("acme", "t3_1"), ("acme", "t3_2")}, tuned=tuned)
    assert verdict("B", LABELS, hits).endswith(f": {word}")


def test_without_a_corpus_nothing_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OVERHEARD_CORPUS", raising=False)
    assert main([]) == 2
    assert "OVERHEARD_CORPUS is not set" in capsys.readouterr().err
    monkeypatch.setenv("OVERHEARD_CORPUS", str(tmp_path))
    assert main([]) == 2
    assert "There is no" in capsys.readouterr().err


def test_another_corpus_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, row in {"posts": None, "comments": {"id": "abcdefg", "body": "Hello"}}.items():
        with gzip.open(tmp_path / f"{name}.jsonl.gz", "wt", encoding="utf-8") as lines:
            lines.write(json.dumps(row) if row else "")
    monkeypatch.setenv("OVERHEARD_CORPUS", str(tmp_path))
    assert main([]) == 2
    assert "labelled items are not in" in capsys.readouterr().err
