"""Read Telegram's HTML as strictly as its servers: https://core.telegram.org/bots/api#html-style"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any

_TAGS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "code": "code", "pre": "pre",
    "blockquote": "blockquote", "tg-spoiler": "spoiler", "a": "text_link",
}  # fmt: skip
_PIECE = re.compile(
    r'<(?P<end>/?)(?P<tag>[a-z0-9-]+)(?: href="(?P<href>[^"]*)")?>|&(?P<entity>[#\w]+);|(?P<text>[^<&]+|.)'
)
_ENTITIES = re.compile(r"lt|gt|amp|quot|#\d+|#x[0-9a-fA-F]+")
# What apps make of plain text, wherever it stands: names that are notified, and commands that a tap sends.
_FOUND = {"mention": re.compile(r"(?<!\w)@\w{3,32}"), "bot_command": re.compile(r"(?<![\w/])/\w{1,64}")}


@dataclass
class TelegramText:
    """What a reader sees. Entities have `offset` and `length` in UTF-16 code units, as in the Bot API."""

    shown: str = ""
    entities: list[dict[str, Any]] = field(default_factory=list)

    @property
    def units(self) -> int:
        return len(self.shown.encode("utf-16-le")) // 2


def read(html: str) -> TelegramText:
    """Return the text without its markup. Raises ValueError, in Telegram's words, where it would refuse it."""
    text, opened = TelegramText(), list[tuple[str, dict[str, Any]]]()
    for piece in _PIECE.finditer(html):
        at = len(html[: piece.start()].encode())
        if piece["tag"] and not piece["end"]:
            if piece["tag"] not in _TAGS or (piece["tag"] == "a") != (piece["href"] is not None):
                raise ValueError(f'can\'t parse entities: Unsupported start tag "{piece["tag"]}" at byte offset {at}')
            entity: dict[str, Any] = {"type": _TAGS[piece["tag"]], "offset": text.units}
            opened.append((piece["tag"], entity | ({"url": unescape(piece["href"])} if piece["href"] else {})))
        elif piece["tag"]:
            if not opened or opened[-1][0] != piece["tag"]:
                raise ValueError(f"can't parse entities: Unexpected end tag at byte offset {at}")
            _, entity = opened.pop()
            text.entities.append(entity | {"length": text.units - entity["offset"]})
        elif piece["entity"]:
            text.shown += unescape(piece.group()) if _ENTITIES.fullmatch(piece["entity"]) else piece.group()
        elif piece["text"] == "<":
            raise ValueError(f'can\'t parse entities: Unsupported start tag "" at byte offset {at}')
        else:
            text.shown += piece["text"]
    if opened:
        raise ValueError("can't parse entities: Can't find end tag corresponding to start tag")
    text.entities += _found(text.shown)
    return text


def _found(shown: str) -> list[dict[str, Any]]:
    return [
        {"type": kind, "offset": len(shown[: found.start()].encode("utf-16-le")) // 2, "length": len(found.group())}
        for kind, pattern in _FOUND.items()
        for found in pattern.finditer(shown)
    ]
