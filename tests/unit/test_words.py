"""The words of the field, in plain English: a few that a native reader stumbles on are not written."""

from __future__ import annotations

import pytest

from tests import naming
from tests.naming import forbidden_words, words_in


def test_none_of_them_is_written() -> None:
    assert forbidden_words() == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Mend that and run it again.", "mend"),
        ("1 of 3 ill", "ill"),
        ("A scrape is no event.", "is no"),
        ("Whoever falls due finds it taken.", "whoever"),
        ("A letter of each would be many.", "letter"),
    ],
)
def test_each_is_seen(text: str, word: str) -> None:
    assert words_in(f"A first line.\n{text}\n", "README.md") == [(2, word)]


def test_a_word_is_reported_with_its_file_and_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "files", lambda: ["README.md"])
    monkeypatch.setattr(naming, "text_of", lambda name: "One line.\nMend it.\n")
    assert forbidden_words() == ["README.md:2: 'mend'; write: fix, repair"]


@pytest.mark.parametrize(
    "text",
    [
        "It is no longer read, and there is no other way; recommend it, and the bill, still.",
        "Replay dead letters, and the dead-letter queue with its dead letter.",
        "a slug has lower-case letters, digits, - and _ only",
    ],
)
def test_plain_english_is_left_alone(text: str) -> None:
    assert not words_in(text, "README.md")
