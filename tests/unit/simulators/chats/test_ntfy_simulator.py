"""The simulated ntfy refuses what ntfy refuses."""

from __future__ import annotations

import json
import urllib.request
from typing import Any
from urllib.error import HTTPError

import pytest

from overheard.simulators.chats.ntfy import NtfySimulator


def post(ntfy: NtfySimulator, authorization: str = "", **message: Any) -> tuple[int, int]:
    body = json.dumps({"topic": "acme", "message": "hello"} | message, ensure_ascii=False).encode()
    request = urllib.request.Request(ntfy.url, body, {"Authorization": authorization} if authorization else {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, 0
    except HTTPError as error:
        with error:
            return error.code, json.load(error)["code"]


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ({"topic": "a b"}, (400, 40009)),
        ({"topic": ""}, (400, 40009)),
        ({"message": "ä" * 2049}, (413, 41301)),
        ({"message": "x", "title": "y" * 9000}, (413, 41301)),
        ({"priority": 6}, (400, 40007)),
        ({"priority": "high"}, (400, 40024)),
        ({"titel": "x"}, (400, 40024)),
        ({"sequence_id": "a/b"}, (400, 40049)),
        ({"actions": [{"action": "view", "label": "x"}]}, (400, 40018)),
        ({"actions": [{"action": "view", "label": "x", "url": "https://x.example"}] * 4}, (400, 40018)),
    ],
)
def test_it_refuses(message: dict[str, Any], answer: tuple[int, int]) -> None:
    with NtfySimulator() as ntfy:
        assert post(ntfy, **message) == answer
        assert (ntfy.messages, len(ntfy.refusals)) == ([], 1)


def test_it_takes_what_fits_from_the_right_user() -> None:
    with NtfySimulator() as ntfy:
        ntfy.protect("acme", token="tk_1")
        assert post(ntfy, message="ä" * 2048) == (403, 40301)
        assert post(ntfy, "Bearer tk_1", message="ä" * 2048) == (200, 0)
        assert [message.to for message in ntfy.messages] == ["acme"]


def test_it_limits_each_user_by_itself() -> None:
    now = 1000.0
    with NtfySimulator(clock=lambda: now) as ntfy:
        assert [post(ntfy) for _ in range(61)].count((429, 42901)) == 1
        assert post(ntfy, "Bearer tk_1") == (200, 0)
