"""Slack's markup (mrkdwn): `*bold*`, `<address|text>`, three characters to escape, and no other escapes.

The rest is made inert by a zero-width space: where a stranger's `*`, `_`, `~` or backquote could be formatting, in
`:names:` of emoji, and behind `@` and `<` (``sanitize.defuse``).
"""

from __future__ import annotations

import re

from overheard.channels.rendering.paragraphs import Markup
from overheard.channels.rendering.sanitize import ZERO_WIDTH, clean, defuse

SECTION_MAX_CHARS = 3000
# Formatting begins or ends at the edge of a word; `snake_case` and `2 * 3` are none. `>` begins a quote.
FORMATTING = re.compile(r"(?<!\w)[*_~`](?!\s)|(?<!\s)[*_~`](?!\w)|^>")
EMOJI = re.compile(r":(?=[a-z0-9_+'-]*[a-z][a-z0-9_+'-]*:)", re.IGNORECASE)
# Around bold words: they become a zero-width space where a word goes on, as Slack would show the asterisks there. No
# text of a stranger has control characters (``clean``).
BOLD_START, BOLD_END = "\x02", "\x03"
BOLD_IN_WORD = re.compile(rf"(?<=[\w*_~`;]){BOLD_START}|{BOLD_END}(?=[\w*_~`&])")
ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def escape(text: str) -> str:
    """Return text that Slack shows as it is."""
    text = EMOJI.sub(f":{ZERO_WIDTH}", defuse(text))
    return FORMATTING.sub(rf"{ZERO_WIDTH}\g<0>{ZERO_WIDTH}", text).translate(ENTITIES)


def bold(text: str) -> str:
    """Return escaped text in bold, to be finished by ``finished``."""
    return f"{BOLD_START}*{text}*{BOLD_END}"


def link(address: str, text: str) -> str:
    """Return a link. ``address`` is one of ``web_links``; ``text`` is escaped."""
    return f"<{address.translate(ENTITIES)}|{text}>"


def code_block(text: str) -> str:
    """Return lines of ours in a fixed width."""
    return f"```{text}```"


def finished(text: str) -> str:
    """Return a text whose bold words are marked as Slack wants them."""
    return clean(BOLD_IN_WORD.sub(ZERO_WIDTH, text))


MRKDWN = Markup(escape, bold, link, code_block, SECTION_MAX_CHARS)
