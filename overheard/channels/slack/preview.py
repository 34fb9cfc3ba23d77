"""A message of Slack's as text for a terminal."""

from __future__ import annotations

import html
import re

from overheard.channels.rendering.sanitize import ZERO_WIDTH
from overheard.channels.slack.blocks import Block, SlackMessage

LINK = re.compile(r"<([^<>|]*)\|([^<>]*)>")


def preview_text(message: SlackMessage) -> str:
    """Return what the blocks say, one below the other, with the addresses of links behind them."""
    return "\n".join(filter(None, map(_text, message.blocks)))


def _text(block: Block) -> str:
    parts = [block] if "text" in block else block["elements"]
    texts = [part["text"]["text"] if isinstance(part["text"], dict) else part["text"] for part in parts]
    return html.unescape(LINK.sub(r"\2 (\1)", "  ".join(texts))).replace(ZERO_WIDTH, "")
