"""The simulated Telegram refuses what Telegram refuses."""

from __future__ import annotations

import json
import urllib.request
from typing import Any
from urllib.error import HTTPError

import pytest

from overheard.simulators.chats.telegram import TelegramSimulator
from overheard.simulators.chats.telegram_html import read


def post(telegram: TelegramSimulator, path: str = "bot1:a/sendMessage", **message: Any) -> tuple[int, dict[str, Any]]:
    body = {"chat_id": 5, "text": "hello", "parse_mode": "HTML"} | message
    try:
        with urllib.request.urlopen(f"{telegram.url}{path}", json.dumps(body).encode(), timeout=60) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ({"text": "<div>x</div>"}, 'Unsupported start tag "div"'),
        ({"text": "a < b"}, "Unsupported start tag"),
        ({"text": "<b>x"}, "Can't find end tag"),
        ({"text": "<b><i>x</b></i>"}, "Unexpected end tag"),
        ({"text": " "}, "message text is empty"),
        ({"text": "<b></b>"}, "message text is empty"),
        ({"text": "🎉" * 2049}, "message is too long"),
        ({"chat_id": ""}, "chat_id is empty"),
        ({"disable_web_page_preview": True}, "unknown disable_web_page_preview"),
        ({"reply_markup": {"inline_keyboard": [[{"text": "x", "url": "javascript:1"}]]}}, "Wrong HTTP URL"),
        ({"reply_markup": {"inline_keyboard": [[{"text": "x", "url": "http://localhost/"}]]}}, "Wrong HTTP URL"),
    ],
)
def test_it_refuses(message: dict[str, Any], why: str) -> None:
    with TelegramSimulator() as telegram:
        status, answer = post(telegram, **message)
        assert (status, answer["ok"], answer["error_code"]) == (400, False, 400)
        assert why in answer["description"]
        assert (telegram.messages, len(telegram.refusals)) == ([], 1)


def test_it_takes_what_fits_and_says_what_a_reader_sees() -> None:
    with TelegramSimulator() as telegram:
        assert post(telegram, text="🎉" * 2047 + "&lt;<b>x</b>")[0] == 200
        assert telegram.messages[0].content["shown"].endswith("🎉<x")
        assert telegram.messages[0].content["entities"] == [{"type": "bold", "offset": 4095, "length": 1}]
        assert post(telegram, path="bot1:a/getMe")[0] == 404


def test_it_finds_names_and_commands_in_plain_text_as_apps_do() -> None:
    text = read('<a href="https://x.example/?a=1&amp;b">ask</a> @everyone, or /stop; r/python a@b https://x.example/y')
    assert [(entity["type"], entity["offset"], entity["length"]) for entity in text.entities] == [
        ("text_link", 0, 3), ("mention", 4, 9), ("bot_command", 18, 5),
    ]  # fmt: skip
    assert text.entities[0]["url"] == "https://x.example/?a=1&b"


def test_a_group_gets_twenty_messages_a_minute() -> None:
    now = 1000.0
    with TelegramSimulator(clock=lambda: now) as telegram:
        for _ in range(20):
            assert post(telegram, chat_id=-5)[0] == 200
        status, answer = post(telegram, chat_id=-5)
        assert (status, answer["parameters"]) == (429, {"retry_after": 60})
        telegram.advance(60)
        assert post(telegram, chat_id=-5)[0] == 200
