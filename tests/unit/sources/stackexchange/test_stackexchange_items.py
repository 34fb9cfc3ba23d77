from __future__ import annotations

from typing import Any

import pytest

from overheard.sources.stackexchange.items import ParsedEntry, parse_answer, parse_question

QUESTION: dict[str, Any] = {
    "question_id": 5,
    "creation_date": 1_795_780_800,
    "last_edit_date": 1_795_780_900,
    "owner": {"display_name": "Ann O&#39;Nym", "user_id": 3},
    "title": "Is &quot;x &lt; y&quot; slow?",
    "body": "<p>I tried:</p><pre><code>a  &lt; b\n</code></pre>",
    "link": "https://stackoverflow.com/questions/5/is-x-y-slow",
    "tags": ["sql", "c#"],
}
ANSWER: dict[str, Any] = {
    "answer_id": 6,
    "question_id": 5,
    "creation_date": 1_795_780_850,
    "owner": {"display_name": "bob"},
    "body": "<p>No</p>",
}


def question(**changes: Any) -> ParsedEntry:
    return parse_question(QUESTION | changes, "stackoverflow/sql", "stackoverflow")


def answer(titles: dict[int, str] | None = None, **changes: Any) -> ParsedEntry:
    return parse_answer(ANSWER | changes, "stackoverflow/sql", "stackoverflow", titles or {})


def test_a_question_is_a_post() -> None:
    item = question().item
    assert item is not None
    assert (item.source, item.id, item.kind, item.thread) == (
        "stackexchange", "stackoverflow/q/5", "post", "stackoverflow/q/5",
    )  # fmt: skip
    assert (item.place, item.author, item.title) == ("stackoverflow/sql", "Ann O'Nym", 'Is "x < y" slow?')
    assert item.body == "I tried:\n\na  < b"
    assert item.permalink == QUESTION["link"]
    assert item.texts == {"tags": "sql c#"}
    assert (item.created_at, item.edited_at) == (1_795_780_800.0, 1_795_780_900.0)


def test_an_answer_is_a_comment_of_its_question() -> None:
    item = answer({5: "Is &quot;x&quot; slow?"}).item
    assert item is not None
    assert (item.id, item.kind, item.title, item.thread) == (
        "stackoverflow/a/6", "comment", "", "stackoverflow/q/5",
    )  # fmt: skip
    assert (item.thread_title, item.body, item.author) == ('Is "x" slow?', "No", "bob")
    assert item.permalink == "https://stackoverflow.com/a/6"


def test_a_deleted_user_has_no_name() -> None:
    for owner in (None, {}, {"display_name": ""}):
        item = question(owner=owner).item
        assert item is not None
        assert item.author is None


@pytest.mark.parametrize(
    "changes",
    [
        {"question_id": 0}, {"question_id": "5"}, {"question_id": 10**30}, {"creation_date": -1},
        {"creation_date": None},
        {"creation_date": 10**18}, {"title": 5}, {"owner": "secret"}, {"last_edit_date": 0},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_a_question_is_wrong(changes: dict[str, Any]) -> None:
    found = question(**changes)
    assert found.item is None
    assert found.wrong
    assert "secret" not in found.wrong


@pytest.mark.parametrize("entry", [None, 5, "x", [], {}])
def test_other_json_is_wrong(entry: object) -> None:
    assert parse_question(entry, "unix", "unix").wrong
    assert parse_answer(entry, "unix", "unix", {}).wrong


def test_texts_are_safe_to_store() -> None:
    item = question(title="a\0b\ud800", body="x\0", link="javascript:alert(1)", owner={"display_name": "\ud800"}).item
    assert item is not None
    assert (item.title, item.author) == ("ab\ufffd", "\ufffd")
    assert item.permalink == "https://stackoverflow.com/q/5"
