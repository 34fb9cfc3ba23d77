"""Discord's Markdown: a backslash escapes any punctuation, and titles and descriptions of embeds know links."""

from __future__ import annotations

import re

from overheard.channels.rendering.paragraphs import Markup
from overheard.channels.rendering.sanitize import defuse

DESCRIPTION_MAX_CHARS = 4096
# Formatting, links, mentions, timestamps and emoji; what begins a heading, quote or list; the colon of an address,
# which would become a link, and of `:names:` of emoji.
SPECIAL = re.compile(r"[\\*_~`|\[\]<>]|^\s*[#>+-]|^\s*\d+\.|:(?=//|\w+:)")


def escape(text: str) -> str:
    """Return text that Discord shows as it is."""
    return SPECIAL.sub(lambda match: match.group()[:-1] + "\\" + match.group()[-1], defuse(text))


def bold(text: str) -> str:
    """Return escaped text in bold."""
    return f"**{text}**"


def link(address: str, text: str) -> str:
    """Return a link. ``address`` is one of ``web_links``, which have no brackets; ``text`` is escaped."""
    return f"[{text}]({address})"


def code_block(text: str) -> str:
    """Return lines of ours in a fixed width."""
    return f"```\n{text}\n```"


MARKDOWN = Markup(escape, bold, link, code_block, DESCRIPTION_MAX_CHARS)
