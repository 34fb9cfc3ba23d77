"""What /api/info says of subreddits, as places that can be read or not."""

from __future__ import annotations

from typing import Any

import pytest

from overheard.sources import GroupLimit, PlaceAnswer
from overheard.sources.reddit.place_check import answers_by_name, answers_by_ref


def child(name: str, ref: str = "t5_1", **fields: Any) -> dict[str, Any]:
    return {"kind": "t5", "data": {"name": ref, "display_name": name, "subreddit_type": "public"} | fields}


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "ok"),
        ({"subreddit_type": "restricted"}, "ok"),
        ({"subreddit_type": "user"}, "ok"),
        ({"subreddit_type": None}, "ok"),
        ({"subreddit_type": "private", "quarantine": None}, "private"),
        ({"subreddit_type": "employees_only"}, "private"),
        ({"subreddit_type": "private", "user_is_contributor": True}, "ok"),
        ({"subreddit_type": "private", "user_is_moderator": True}, "ok"),
        ({"quarantine": True}, "quarantined"),
    ],
)
def test_each_state(fields: dict[str, Any], state: str) -> None:
    (answer,) = answers_by_name(["python"], [child("Python", **fields)])
    assert answer == PlaceAnswer("python", state, "Python", "t5_1")  # type: ignore[arg-type]


def test_what_was_not_asked_for_is_left_out() -> None:
    children = [child("rust", "t5_2"), child("PYTHON"), child("python")]
    answers = answers_by_name(["python", "go"], children)
    assert [(answer.place, answer.state) for answer in answers] == [("python", "ok"), ("go", "missing")]
    assert [answer.name for answer in answers_by_ref(["t5_2", "t5_9"], children)] == ["rust", ""]


@pytest.mark.parametrize(
    "strange",
    [
        None, {"kind": "t5"}, child("../me"), child("python", "t3_1"), child("a" * 50),
        {**child("go"), "kind": "t3"}, {"kind": "t5", "data": {"name": "t5_3"}},
    ],
)  # fmt: skip
def test_where_a_child_cannot_be_read_none_is_missing(strange: Any) -> None:
    answers = answers_by_name(["python", "go"], [child("python"), strange])
    assert [answer.place for answer in answers] == ["python"]


def test_as_many_names_are_asked_for_as_fit() -> None:
    names = ["x" * 21] * 100
    assert len(GroupLimit(100, 1500).first(names)) == 68
    assert len(GroupLimit(100).first(names)) == 100
    assert GroupLimit(2, 1500).first(["a", "b", "c"]) == ["a", "b"]
    assert GroupLimit(2, 1500).first([]) == []
