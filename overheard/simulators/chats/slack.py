"""`SlackSimulator`: incoming webhooks and chat.postMessage, with Slack's rules for blocks and its answers.

Lengths are counted in UTF-16 units, the stricter way to read Slack's "characters".
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from overheard.simulators.http.exchange import SimulatedRequest, SimulatedResponse

from .simulator import ChatSimulator, Refused, json_object
from .sliding_limit import SlidingLimit

_WEBHOOK = re.compile(r"/services/T[A-Z0-9]+/[AB][A-Z0-9]+/[A-Za-z0-9]+")
_API = "/api/chat.postMessage"
_TYPES = {"section", "context", "header", "divider", "actions"}
_MAX_BLOCKS, _MAX_ELEMENTS = 50, {"context": 10, "actions": 25}
_TEXT_MAX, _SECTION_MAX, _HEADER_MAX, _BUTTON_MAX, _URL_MAX, _TOTAL_MAX = 40_000, 3000, 150, 75, 3000, 12_000
# What Slack would turn into a mention or a command. `<address|text>` is a link.
_COMMAND = re.compile(r"<[!@#][^>]*>")
_BARE = re.compile(r"(?<![\w.])@(everyone|channel|here)\b")


class SlackSimulator(ChatSimulator):
    """A simulated Slack: any webhook below `/services/`, and the Web API for `tokens`, which are in `channels`."""

    def __init__(
        self,
        *,
        tokens: tuple[str, ...] = ("xoxb-1-2-abc",),
        channels: tuple[str, ...] = ("#general", "#mentions"),
        clock: Callable[[], float] = time.time,
        limit: SlidingLimit | None = None,
    ) -> None:
        super().__init__(limit or SlidingLimit(1, 1.0), clock=clock)
        self.tokens = set(tokens)
        self.channels = set(channels)
        self.removed: set[str] = set()  # paths of webhooks
        self.archived: set[str] = set()  # paths of webhooks, and channels

    def post(self, request: SimulatedRequest) -> SimulatedResponse:
        """Answer as hooks.slack.com and slack.com do."""
        if request.method != "POST":
            raise Refused("only POST", 405, "method_not_allowed")
        return self._api(request) if request.path == _API else self._webhook(request)

    def _webhook(self, request: SimulatedRequest) -> SimulatedResponse:
        path = request.path
        if not _WEBHOOK.fullmatch(path) or path in self.removed:
            raise Refused("no such webhook", 404, "no_service")
        if path in self.archived:
            raise Refused("the channel is archived", 410, "channel_is_archived")
        if wait := self.limit.take(path, self.now()):
            raise Refused("rate limit", 429, "rate_limited", {"retry-after": str(math.ceil(wait))})
        content = self._content(request, lambda word: Refused(word, 400, word.partition(":")[0]))
        self.accept(path, content, request)
        return SimulatedResponse(200, "ok", content_type="text/html")

    def _api(self, request: SimulatedRequest) -> SimulatedResponse:
        def refused(word: str) -> Refused:
            return Refused(word, 200, {"ok": False, "error": word.partition(":")[0]})

        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            raise refused("invalid_auth" if token else "not_authed")
        content = self._content(request, refused)
        channel = content.get("channel")
        if channel not in self.channels:
            raise refused("channel_not_found")
        if channel in self.archived:
            raise refused("is_archived")
        if wait := self.limit.take(f"{token} {channel}", self.now()):
            limited = {"ok": False, "error": "ratelimited"}
            raise Refused("rate limit", 429, limited, {"retry-after": str(math.ceil(wait))})
        message = self.accept(channel, content, request)
        answer = f'{{"ok": true, "channel": "C0001", "ts": "{message.at:.6f}"}}'
        return SimulatedResponse(200, answer)

    def _content(self, request: SimulatedRequest, refused: Callable[[str], Refused]) -> dict[str, Any]:
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise refused("invalid_payload: not application/json")
        try:
            content = json_object(request)
        except ValueError as error:
            raise refused(f"invalid_payload: {error}") from error
        problem = next(problems(content), None)
        if problem is not None:
            raise refused(problem)
        return content


def pings(content: dict[str, Any]) -> list[str]:
    """Return what Slack would read as a mention or a command in a message's markup."""
    texts = [content.get("text", ""), *(text["text"] for text in _texts(content) if text["type"] == "mrkdwn")]
    found = [match.group() for text in texts for match in _COMMAND.finditer(text)]
    loose = content.get("link_names") or content.get("parse") == "full"
    return found + [match.group() for text in texts if loose for match in _BARE.finditer(text)]


def _texts(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for block in content.get("blocks", ()):
        if "text" in block:
            yield block["text"]
        for element in block.get("elements", ()):
            yield element["text"] if element["type"] == "button" else element


def problems(content: dict[str, Any]) -> Iterator[str]:
    """Yield what Slack refuses: its word, then which rule."""
    text, blocks = content.get("text", ""), content.get("blocks", [])
    if not isinstance(text, str) or not isinstance(blocks, list):
        yield "invalid_payload: types"
    if not text and not blocks:
        yield "no_text"
    if _length(text) > _TEXT_MAX:
        yield "msg_too_long: text"
    if len(blocks) > _MAX_BLOCKS:
        yield f"invalid_blocks: {len(blocks)} blocks"
    for block in blocks:
        yield from (f"invalid_blocks: {problem}" for problem in _block_problems(block))
    if (total := _length(text) + sum(_length(text["text"]) for text in _texts(content))) > _TOTAL_MAX:
        yield f"msg_blocks_too_long: {total} characters"


def _block_problems(block: Any) -> Iterator[str]:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind not in _TYPES:
        yield f"a block of type {kind!r}"
    elif kind == "section":
        yield from _text_problems(block.get("text"), ("mrkdwn", "plain_text"), _SECTION_MAX)
    elif kind == "header":
        yield from _text_problems(block.get("text"), ("plain_text",), _HEADER_MAX)
    elif kind in _MAX_ELEMENTS:
        elements = block.get("elements")
        if not isinstance(elements, list) or not 1 <= len(elements) <= _MAX_ELEMENTS[kind]:
            yield f"elements of {kind}"
            return
        for element in elements:
            if kind == "context":
                yield from _text_problems(element, ("mrkdwn", "plain_text"), _SECTION_MAX)
            elif element.get("type") != "button" or not 1 <= len(element.get("url", "-")) <= _URL_MAX:
                yield "an action that is not a button with an address"
            else:
                yield from _text_problems(element.get("text"), ("plain_text",), _BUTTON_MAX)


def _text_problems(text: Any, types: tuple[str, ...], most: int) -> Iterator[str]:
    if not isinstance(text, dict) or text.get("type") not in types or not isinstance(text.get("text"), str):
        yield f"not a text object: {text!r}"
    elif not 1 <= _length(text["text"]) <= most:
        yield f"a text of {_length(text['text'])} characters"
    elif "\x00" in text["text"]:
        yield "a NUL"
    elif text.keys() - {"type", "text", "verbatim", "emoji"} or ("verbatim" in text) > (text["type"] == "mrkdwn"):
        yield f"keys {sorted(text)}"


def _length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
