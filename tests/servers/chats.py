"""Simulated chat services, as strict about messages as the real ones: for ``HttpSink.always``.

Limits: https://discord.com/developers/docs/resources/webhook (content: 2,000 characters),
https://core.telegram.org/bots/api#sendmessage (text: 4,096 after entities are parsed; unknown tags are refused),
https://docs.slack.dev/changelog/2018-truncating-really-long-messages (40,000),
https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages (4,096).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser

from tests.servers.sink import Answer, Request

OK = Answer(200, {"Content-Type": "application/json"}, b'{"ok": true}')
TELEGRAM_TAGS = {"b", "strong", "i", "em", "u", "s", "code", "pre", "a", "blockquote", "span", "tg-spoiler"}


def units(text: str) -> int:
    """Return the length in UTF-16 code units, as these services count."""
    return len(text.encode("utf-16-le")) // 2


def discord(request: Request) -> Answer:
    content = request.json.get("content", "")
    return OK if 0 < units(content) <= 2000 else _refused("Must be 2000 or fewer in length.")


def telegram(request: Request) -> Answer:
    text = shown_by_telegram(request.json["text"])
    return OK if text is not None and 0 < units(text) <= 4096 else _refused("Bad Request: can't parse entities")


def slack(request: Request) -> Answer:
    (attachment,) = request.json["attachments"]
    fits = units(attachment["text"]) <= 40_000 and "<" not in attachment["text"]
    return Answer(200, {}, b"ok") if fits else _refused("invalid_attachments")


def google_chat(request: Request) -> Answer:
    return OK if 0 < units(request.json["text"]) <= 4096 else _refused("INVALID_ARGUMENT")


CHATS: dict[str, Callable[[Request], Answer]] = {
    "discord": discord,
    "telegram": telegram,
    "slack": slack,
    "google chat": google_chat,
}


def text_of(request: Request) -> str:
    """Return the text that a reader sees, links included."""
    said = request.json
    if "attachments" in said:
        said = said["attachments"][0]
    text: str = said.get("content") or said["text"]
    return shown_by_telegram(text) or text if "parse_mode" in said else text


def shown_by_telegram(html: str) -> str | None:
    """Return the text without tags; None if Telegram would refuse it."""
    page = _TelegramPage()
    page.feed(html)
    page.close()
    return None if page.refused or page.open else "".join(page.text)


class _TelegramPage(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.open: list[str] = []
        self.refused = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.refused |= tag not in TELEGRAM_TAGS
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.refused |= not self.open or self.open.pop() != tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _refused(why: str) -> Answer:
    return Answer(400, {"Content-Type": "application/json"}, json.dumps({"message": why}).encode())
