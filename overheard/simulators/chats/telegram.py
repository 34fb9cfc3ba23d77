"""A simulated Telegram: `sendMessage` of its Bot API, https://core.telegram.org/bots/api#sendmessage

Limits: https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from overheard.simulators.http.exchange import SimulatedRequest, SimulatedResponse

from .simulator import ChatSimulator, Refused, json_object
from .sliding_limit import SlidingLimit
from .telegram_html import TelegramText, read

TEXT_MAX_UNITS = 4096
MAX_ENTITIES = 100
_PATH = re.compile(r"/bot(\d+:[A-Za-z0-9_-]+)/sendMessage")
_FIELDS = {"chat_id", "message_thread_id", "text", "parse_mode", "link_preview_options", "disable_notification"}
_FIELDS |= {"reply_markup"}


class TelegramSimulator(ChatSimulator):
    """Telegram with any bot and any chat, except those that a test names.

    `limit` is that of a bot. `missing`, `blocked`: chats, as they are addressed; `moved`: groups that have become
    supergroups, with their new numbers; `unknown_bots`: tokens. A message's `content` is what was posted, and `shown`
    and `entities`, which its readers see.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__(SlidingLimit(30, 1.0), clock=clock, error_body=_error)
        self.group_limit = SlidingLimit(20, 60.0)
        self.missing: set[int | str] = set()
        self.blocked: set[int | str] = set()
        self.moved: dict[int | str, int] = {}
        self.unknown_bots: set[str] = set()

    def endpoint(self, request: SimulatedRequest) -> str:
        return request.path.rpartition("/")[2]

    def post(self, request: SimulatedRequest) -> SimulatedResponse:
        path = _PATH.fullmatch(request.path)
        if path is None or request.method != "POST":
            raise _refused(404, "Not Found")
        if path[1] in self.unknown_bots:
            raise _refused(401, "Unauthorized")
        try:
            message = json_object(request)
        except ValueError:
            raise _refused(400, "Bad Request: strings must be encoded in UTF-8") from None
        self._check_chat(message)
        text = _check_message(message)
        self._take_place(path[1], message["chat_id"])
        content = message | {"shown": text.shown, "entities": text.entities[:MAX_ENTITIES]}
        accepted = self.accept(str(message["chat_id"]), content, request)
        result = {"message_id": accepted.number, "date": int(accepted.at), "text": text.shown}
        return SimulatedResponse(200, json.dumps({"ok": True, "result": result}))

    def _check_chat(self, message: dict[str, Any]) -> None:
        chat = message.get("chat_id")
        if not isinstance(chat, int | str) or not re.fullmatch(r"-?\d+|@[A-Za-z0-9_]{3,32}", str(chat)):
            raise _refused(400, "Bad Request: chat_id is empty")
        if chat in self.moved:
            raise _refused(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=self.moved[chat],
            )
        if chat in self.missing:
            raise _refused(400, "Bad Request: chat not found")
        if chat in self.blocked:
            raise _refused(403, "Forbidden: bot was blocked by the user")

    def _take_place(self, bot: str, chat: int | str) -> None:
        wait = self.limit.take(bot, self.now())
        if not wait and str(chat)[0] in "-@":
            wait = self.group_limit.take(f"{bot} {chat}", self.now())
        if wait:
            seconds = math.ceil(wait)
            refused = _refused(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
            refused.response.headers["retry-after"] = str(seconds)
            raise refused


def _check_message(message: dict[str, Any]) -> TelegramText:
    if unknown := message.keys() - _FIELDS:
        raise _refused(400, f"Bad Request: unknown {', '.join(sorted(unknown))}")  # Telegram itself ignores them
    if message.get("parse_mode") != "HTML" or not isinstance(message.get("text"), str):
        raise _refused(400, "Bad Request: message text is empty")
    try:
        text = read(message["text"])
    except ValueError as error:
        raise _refused(400, f"Bad Request: {error}") from None
    if not text.shown.strip():
        raise _refused(400, "Bad Request: message text is empty")
    if text.units > TEXT_MAX_UNITS:
        raise _refused(400, "Bad Request: message is too long")
    for row in message.get("reply_markup", {}).get("inline_keyboard", ()):
        for button in row:
            _check_button(button)
    return text


def _check_button(button: dict[str, Any]) -> None:
    address = urlsplit(button["url"])
    if button.keys() != {"text", "url"} or address.scheme not in ("http", "https") or "." not in address.netloc:
        raise _refused(400, f"Bad Request: inline keyboard button URL '{button['url']}' is invalid: Wrong HTTP URL")


def _refused(status: int, description: str, **parameters: int) -> Refused:
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    return Refused(description, status, body | ({"parameters": parameters} if parameters else {}))


def _error(status: int, message: str) -> str:
    return json.dumps({"ok": False, "error_code": status, "description": message})
