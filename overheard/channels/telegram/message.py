"""Write a notice in Telegram's HTML, within its limits: https://core.telegram.org/bots/api#html-style"""

from __future__ import annotations

import re
from html import escape as escape_html
from html import unescape

from overheard.channels.rendering.chat_text import ChatText, chat_text
from overheard.channels.rendering.fragments import utf16_length
from overheard.channels.rendering.paragraphs import Markup
from overheard.channels.rendering.sanitize import ZERO_WIDTH, defuse
from overheard.notices import Notice

TEXT_MAX_UNITS = 4096  # UTF-16 code units, after the markup was read
MAX_ENTITIES = 100  # bold, italic and linked stretches; Telegram shows further ones as plain text
# A command of a bot, such as "/stop", which a tap sends. A path ("r/python", "https://…") is not one.
BOT_COMMAND = re.compile(r"(?<![\w/])/(?=\w)")
TAG = re.compile(r"<[^>]*>")
LINK = re.compile(r'<a href="([^"]*)">(.*?)</a>', re.DOTALL)


def telegram_text(notice: Notice, now: float) -> str:
    """Return the text to send with ``parse_mode`` HTML. ``now``: seconds since the epoch."""
    return _text(chat_text(notice, now, HTML, _small, lambda text: _fits(_text(text))))


def plain_text(html: str) -> str:
    """Return the text without markup, with the addresses of links behind them, for a terminal."""
    return unescape(TAG.sub("", LINK.sub(r"\2 (\1)", html))).replace(ZERO_WIDTH, "")


def _text(text: ChatText) -> str:
    title = _escape(text.title)
    heading = _bold(_link(text.link, title) if text.link is not None else title)
    return f"{heading}\n{text.body}" if text.body else heading


def _fits(html: str) -> bool:
    tags = TAG.findall(html)
    entities = sum(not tag.startswith("</") for tag in tags)
    return utf16_length(unescape(TAG.sub("", html))) <= TEXT_MAX_UNITS and entities <= MAX_ENTITIES


def _escape(text: str) -> str:
    return escape_html(BOT_COMMAND.sub(f"/{ZERO_WIDTH}", defuse(text)), quote=False)


def _bold(text: str) -> str:
    return f"<b>{text}</b>"


def _small(text: str) -> str:
    return f"<i>{text}</i>"


def _link(address: str, text: str) -> str:
    return f'<a href="{escape_html(address)}">{text}</a>'


def _code_block(text: str) -> str:
    return f"<pre>{text}</pre>"


HTML = Markup(_escape, _bold, _link, _code_block, TEXT_MAX_UNITS)
