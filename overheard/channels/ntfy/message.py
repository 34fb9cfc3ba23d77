"""Write a notice as an ntfy message, in its Markdown: https://docs.ntfy.sh/publish/#markdown-formatting

Phones may show it as it is written, so only what would be markup is escaped: "3.11 (new!)" stays as it is.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from overheard.channels.rendering.chat_text import ChatText, chat_text
from overheard.channels.rendering.markdown import bold, hard_breaks
from overheard.channels.rendering.paragraphs import Markup
from overheard.channels.rendering.sanitize import clean, defuse
from overheard.notices import Notice, NoticeLinks

MESSAGE_MAX_BYTES = 4096  # longer ones become a file that has to be opened
JSON_MAX_BYTES = 2 * MESSAGE_MAX_BYTES - 400  # of the request, without the URL's topic, priority and tags
PARAGRAPH_MAX_UNITS = 1300  # of UTF-16, so 3,900 bytes at most

# Shown as emoji before the title.
TAGS = {
    "mention.created": "speech_balloon",
    "mentions.summary": "card_index_dividers",
    "digest": "newspaper",
    "workspace.report": "information_source",
    "alert": "warning",
}
BUTTONS = {"useful": "Useful", "noise": "Noise", "mute": "Mute"}  # ntfy shows three; a click opens the item

# An underscore inside a word is not markup; "&" begins an entity, "~" strikes through.
MARKUP = re.compile(r"[\\`*\[\]<&~]|(?<![^\W_])_|_(?![^\W_])")
# What is markup at the beginning of a line: quotes, headings, lists, and what makes the line before it a heading.
BLOCK = re.compile(r"\s*(?=>|#{1,6}(?:\s|$)|[-+](?:\s|$)|[-=]+\s*$)|\s*\d{1,9}(?=[.)](?:\s|$))")


def ntfy_message(notice: Notice, now: float) -> dict[str, Any]:
    """Return the message as JSON, without its topic. ``now``: seconds since the epoch."""
    return _json(notice, chat_text(notice, now, MARKDOWN, _small, lambda text: _fits(_json(notice, text))))


def _json(notice: Notice, text: ChatText) -> dict[str, Any]:
    message = {
        "title": clean(text.title),
        "message": _lines(text.body or _escape(text.title)),  # an empty one would be shown as "triggered"
        "markdown": True,
        "tags": [TAGS[notice.type]],
        "sequence_id": notice.id,
        "click": text.link,
        "actions": _actions(notice.links),
    }
    return {name: value for name, value in message.items() if value}


def _fits(message: dict[str, Any]) -> bool:
    return len(message["message"].encode()) <= MESSAGE_MAX_BYTES and len(msgspec.json.encode(message)) <= JSON_MAX_BYTES


def _actions(links: NoticeLinks) -> list[dict[str, str]]:
    return [
        {"action": "view", "label": label, "url": link}
        for name, label in BUTTONS.items()
        if (link := getattr(links, name)) is not None
    ]


def _lines(text: str) -> str:
    """Return the text with its line ends as line breaks, and nothing that Markdown reads at the start of a line."""
    lines = [BLOCK.sub(r"\g<0>\\", line, count=1) if BLOCK.match(line) else line for line in text.split("\n")]
    return hard_breaks("\n".join(lines))


def _escape(text: str) -> str:
    return MARKUP.sub(r"\\\g<0>", defuse(text))


def _link(address: str, text: str) -> str:
    return f"[{text}]({address})"


def _small(text: str) -> str:
    return text


def _code_block(text: str) -> str:
    return text


MARKDOWN = Markup(_escape, bold, _link, _code_block, PARAGRAPH_MAX_UNITS)
