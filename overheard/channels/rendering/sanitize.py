"""Make strangers' text harmless where it is shown: no pings, no links with a hidden target, no split headers."""

from __future__ import annotations

import re

ZERO_WIDTH = "\u200b"
ELLIPSIS = "…"
NAME_MAX_CHARS = 80  # of a place, an author, a query

# Control characters except newline and tab; characters that reverse the direction of text, which spoof it; and tag
# characters, which are invisible and can hide a whole sentence.
CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)

# More than three accents on one are a joke that paints over the lines above and below. Marks that a script needs
# are not among these.
STACKED_MARKS = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{3})"
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)

# Where chat services see commands: "@everyone", "<@123>", "<!channel>", "</run:1>", "[text](target)",
# "<https://…|text>". The rules differ by service and change, so a zero-width space follows every "@" and "<", and
# splits every "](", for all of them.
COMMANDS = re.compile(r"(?<=[@<＠])|(?<=\])(?=[(\[:])")

LEFT_TO_RIGHT = "\u200e"
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")

COMMONMARK = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~])")


def clean(text: str) -> str:
    """Return ``text`` without control characters and stacks of accents, its line ends as newlines."""
    return STACKED_MARKS.sub(r"\1", CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def one_line(text: str, limit: int = NAME_MAX_CHARS) -> str:
    """Return ``text`` as one line of at most ``limit`` characters: a subject with a line break could add a header."""
    return truncate(" ".join(clean(text).split()), limit)


def defuse(text: str) -> str:
    """Return text that looks the same, but in which no chat service finds a mention, a command or a masked link."""
    return COMMANDS.sub(ZERO_WIDTH, clean(text))


def escape_markdown(text: str) -> str:
    """Defuse ``text`` and escape every Markdown character, so that it is shown as it was written."""
    return COMMONMARK.sub(r"\\\1", defuse(text))


def isolated(text: str) -> str:
    """Return ``text`` with a mark at its end that keeps what follows in its place, if some is written right to left.

    Otherwise a number behind an Arabic name is shown before it.
    """
    return text + LEFT_TO_RIGHT if RIGHT_TO_LEFT.search(text) else text


def truncate(text: str, limit: int) -> str:
    """Return at most ``limit`` characters of ``text``, with an ellipsis if something is missing."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)].rstrip() + ELLIPSIS
