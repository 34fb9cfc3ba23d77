"""`DiscordSimulator`: webhooks, with Discord's rules for embeds, its rate limit and its answers.

Lengths are counted in UTF-16 units, the stricter way to read Discord's "characters".
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from overheard.simulators.http.exchange import SimulatedRequest, SimulatedResponse

from .simulator import ChatSimulator, Refused, json_object
from .sliding_limit import SlidingLimit

_WEBHOOK = re.compile(r"/api/(?:v\d+/)?webhooks/(?P<id>\d+)/(?P<token>[\w-]+)", re.ASCII)
_CONTENT_MAX, _MAX_EMBEDS, _EMBEDS_MAX, _MAX_FIELDS, _URL_MAX, _NAME_MAX = 2000, 10, 6000, 25, 2048, 80
_EMBED_MAX = {"title": 256, "description": 4096}
_NESTED_MAX = {"footer": ("text", 2048), "author": ("name", 256)}
_EMBED_KEYS = {*_EMBED_MAX, *_NESTED_MAX, "url", "timestamp", "color", "fields", "image", "thumbnail", "type"}
_KEYS = {"content", "username", "avatar_url", "tts", "embeds", "allowed_mentions", "components", "flags", "thread_name"}
_MENTION = re.compile(r"<@[!&]?\d+>|@everyone|@here")


class DiscordSimulator(ChatSimulator):
    """A simulated Discord: any webhook below `/api/webhooks/`. `deleted`: ids of webhooks that were removed."""

    def __init__(self, *, clock: Callable[[], float] = time.time, limit: SlidingLimit | None = None) -> None:
        super().__init__(limit or SlidingLimit(5, 2.0), clock=clock)
        self.minute_limit = SlidingLimit(30, 60.0)
        self.deleted: set[str] = set()

    def post(self, request: SimulatedRequest) -> SimulatedResponse:
        """Answer as discord.com does."""
        webhook = _WEBHOOK.fullmatch(request.path)
        if webhook is None:
            raise _refused("no such path", 404, 0, "404: Not Found")
        if request.method != "POST":
            raise _refused("only POST", 405, 0, "405: Method Not Allowed")
        if webhook["id"] in self.deleted:
            raise _refused("no such webhook", 404, 10015, "Unknown Webhook")
        headers = self._take(webhook["id"])
        content = self._content(request)
        message = self.accept(webhook["id"], content, request)
        if request.query.get("wait") != "true":
            return SimulatedResponse(204, "", headers)
        answer = {
            "id": str(message.number),
            "type": 0,
            "webhook_id": webhook["id"],
            "embeds": content.get("embeds", []),
        }
        return SimulatedResponse(200, json.dumps(answer), headers)

    def _take(self, webhook: str) -> dict[str, str]:
        """Return the headers of the rate limit. Raises Refused if it is used up."""
        now = self.now()
        wait = self.limit.take(webhook, now) or self.minute_limit.take(webhook, now)
        headers = {
            "x-ratelimit-limit": str(self.limit.count),
            "x-ratelimit-remaining": str(self.limit.remaining(webhook)),
            "x-ratelimit-reset-after": f"{wait or self.limit.seconds:.3f}",
            "x-ratelimit-bucket": "simulated",
        }
        if wait:
            body = {"message": "You are being rate limited.", "retry_after": round(wait, 3), "global": False}
            scope = {"retry-after": f"{wait:.0f}", "x-ratelimit-scope": "user"}
            raise Refused("rate limit", 429, body, headers | scope)
        return headers

    def _content(self, request: SimulatedRequest) -> dict[str, Any]:
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise _refused("not application/json", 400, 50109, "The request body contains invalid JSON.")
        try:
            content = json_object(request)
        except ValueError as error:
            raise _refused(str(error), 400, 50109, "The request body contains invalid JSON.") from error
        if not request.query.get("thread_id", "0").isdecimal():
            raise _refused("thread_id", 400, 50035, "Invalid Form Body")
        if not content.get("content") and not content.get("embeds"):
            raise _refused("empty", 400, 50006, "Cannot send an empty message")
        problem = next(problems(content), None)
        if problem is not None:
            raise _refused(problem, 400, 50035, "Invalid Form Body")
        return content


def pings(content: dict[str, Any]) -> list[str]:
    """Return what Discord would make a ping of: mentions in `content` (embeds never ping) that are allowed."""
    parse = content.get("allowed_mentions", {}).get("parse", ["everyone", "users", "roles"])
    return _MENTION.findall(content.get("content") or "") if parse else []


def _refused(rule: str, status: int, code: int, message: str) -> Refused:
    return Refused(rule, status, {"message": message, "code": code})


def problems(content: dict[str, Any]) -> Iterator[str]:
    if unknown := content.keys() - _KEYS:
        yield f"keys {sorted(unknown)}"
    if _length(content.get("content") or "") > _CONTENT_MAX:
        yield "content"
    if not 0 < _length(content.get("username", "x")) <= _NAME_MAX:
        yield "username"
    embeds = content.get("embeds", [])
    if len(embeds) > _MAX_EMBEDS:
        yield f"{len(embeds)} embeds"
    for embed in embeds:
        yield from _embed_problems(embed)
    if (total := sum(_length(text) for embed in embeds for text in _texts(embed))) > _EMBEDS_MAX:
        yield f"{total} characters in all embeds"


def _embed_problems(embed: dict[str, Any]) -> Iterator[str]:
    if unknown := embed.keys() - _EMBED_KEYS:
        yield f"keys {sorted(unknown)} of an embed"
    for name, most in _EMBED_MAX.items():
        if _length(embed.get(name, "")) > most:
            yield f"{name} of {_length(embed[name])} characters"
    for name, (part, most) in _NESTED_MAX.items():
        if name in embed and not 0 < _length(embed[name].get(part, "")) <= most:
            yield f"{name}.{part}"
    if "url" in embed and (not re.fullmatch(r"https?://[^\s]+", embed["url"]) or len(embed["url"]) > _URL_MAX):
        yield "url"
    if len(embed.get("fields", ())) > _MAX_FIELDS:
        yield "fields"
    if not isinstance(embed.get("color", 0), int):
        yield "color"
    try:
        datetime.fromisoformat(embed.get("timestamp", "2026-01-01T00:00:00Z"))
    except ValueError:
        yield "timestamp"
    if any("\x00" in text for text in _texts(embed)):
        yield "a NUL"
    if not any(text.strip() for text in _texts(embed)):
        yield "an embed without text"


def _texts(embed: dict[str, Any]) -> list[str]:
    nested = [embed[name].get(part, "") for name, (part, _) in _NESTED_MAX.items() if name in embed]
    fields = [field[part] for field in embed.get("fields", ()) for part in ("name", "value")]
    return [embed.get("title", ""), embed.get("description", ""), *nested, *fields]


def _length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
