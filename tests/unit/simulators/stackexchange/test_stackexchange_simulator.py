"""The simulated API answers as Stack Exchange's does, by requests that no client of ours makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from overheard.simulators.stackexchange import StackExchangeSimulator

START = 1_795_780_800.0


@pytest.fixture
def api() -> Iterator[StackExchangeSimulator]:
    with StackExchangeSimulator(clock=lambda: START) as simulator:
        yield simulator


def get(api: StackExchangeSimulator, method: str, **params: Any) -> dict[str, Any]:
    given = {"site": "stackoverflow"} | params
    answer = requests.get(f"{api.url}2.3/{method}", params=given, headers={"accept-encoding": "identity"}, timeout=60)
    assert answer.headers["content-encoding"] == "gzip"
    found: dict[str, Any] = answer.json()
    assert (answer.status_code == 400) == ("error_id" in found)
    return found


def numbers(found: dict[str, Any]) -> list[int]:
    return [item.get("answer_id", item["question_id"]) for item in found["items"]]


def test_lists_are_sorted_bounded_and_paged(api: StackExchangeSimulator) -> None:
    for number in range(10):
        api.ask("stackoverflow", "a title", tags=["a", "b"] if number % 2 else ["a"])
        api.advance(1)
    start = int(START)
    page = get(api, "questions", sort="creation", order="asc", pagesize=4, page=2)
    assert (numbers(page), page["has_more"]) == ([5, 6, 7, 8], True)
    assert numbers(get(api, "questions", sort="creation", fromdate=start + 7, todate=start + 8)) == [9, 8]
    assert numbers(get(api, "questions", sort="activity", order="asc", min=start + 8)) == [9, 10]
    assert numbers(get(api, "questions", tagged="a;b", order="asc", sort="creation")) == [2, 4, 6, 8, 10]
    assert "body" not in get(api, "questions")["items"][0]
    assert get(api, "questions", filter="withbody")["items"][0]["body"] == "<p>text</p>"


def test_an_answer_makes_its_question_active(api: StackExchangeSimulator) -> None:
    one, two = api.ask("stackoverflow", "one"), api.ask("stackoverflow", "two")
    api.advance(5)
    answer = api.reply(one)
    assert numbers(get(api, "questions")) == [one.number, two.number]
    assert [question["answer_count"] for question in get(api, "questions")["items"]] == [1, 0]
    assert numbers(get(api, f"questions/{one.number};{two.number}/answers")) == [answer.number]
    assert numbers(get(api, f"answers/{answer.number};99")) == [answer.number]
    assert numbers(get(api, "answers", tagged="nothing")) == [answer.number], "answers have no tags"
    api.delete("stackoverflow", one.number)
    assert numbers(get(api, f"answers/{answer.number}")) == []


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"site": "nosuch"}, (400, "No site found")), ({"site": ""}, (400, "site is required")),
        ({"pagesize": 101}, (400, "pagesize")), ({"page": 0}, (400, "")), ({"sort": "hot!"}, (400, "sort")),
        ({"order": "up"}, (400, "order")), ({"filter": "body"}, (400, "Invalid filter")),
        ({"page": 26}, (403, "page above")),
        ({"fromdate": "today"}, (400, "fromdate")), ({"key": "unknown"}, (400, "`key`")),
    ],
    ids=str,
)  # fmt: skip
def test_wrong_parameters_are_errors(
    api: StackExchangeSimulator, params: dict[str, Any], error: tuple[int, str]
) -> None:
    found = get(api, "questions", **params)
    assert found["error_id"] == error[0]
    assert error[1] in found["error_message"]


def test_the_quota_is_counted_for_a_day_and_by_key(api: StackExchangeSimulator) -> None:
    with StackExchangeSimulator(clock=lambda: START, quota=2) as poor:
        assert [get(poor, "questions")["quota_remaining"] for _ in range(2)] == [1, 0]
        found = get(poor, "questions")
        assert (found["error_id"], found["error_name"]) == (502, "throttle_violation")
        assert "available in 43200 seconds" in found["error_message"]
        assert get(poor, "questions", key="simulated-key")["quota_remaining"] == 9_999
        poor.advance(43_200)
        assert get(poor, "questions")["quota_remaining"] == 1
        assert poor.violations == 1


def test_a_backoff_is_enforced_for_its_method(api: StackExchangeSimulator) -> None:
    api.back_off(10, "/questions")
    assert "backoff" not in get(api, "answers")
    assert get(api, "questions")["backoff"] == 10
    assert get(api, "questions")["error_id"] == 502
    assert "items" in get(api, "answers")
    api.advance(10)
    assert "items" in get(api, "questions")


def test_the_control_path_publishes(api: StackExchangeSimulator) -> None:
    asked = requests.post(f"{api.url}_simulator/questions", json={"title": "a & b", "tag": "x"}, timeout=60).json()
    answer = {"number": asked["number"], "body": "c"}
    requests.post(f"{api.url}_simulator/answers", json=answer, timeout=60).raise_for_status()
    [shown] = get(api, "questions", tagged="x")["items"]
    assert (shown["title"], shown["answer_count"]) == ("a &amp; b", 1)
    api.add_sample()
    assert len(numbers(get(api, "questions"))) == 2
