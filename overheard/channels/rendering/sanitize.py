"""Making strangers' text harmless where it is shown: nobody is pinged, no link hides its target, no header is split."""

from __future__ import annotations

import re

ZERO_WIDTH = "\u200b"
ELLIPSIS = "…"

# Control characters, except for newline and tab; those that turn the direction of what follows (spoofed text); and
# those in which a whole sentence can hide (tags).
CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)

# Where chat services see commands: "@everyone", "<@123>", "<!channel>", "</run:1>", "[text](target)",
# "<https://…|text>". Each service has rules of its own, so every "@", every "<" and every "](" is broken up for all of
# them.
COMMANDS = re.compile(r"(?<=[@<＠])|(?<=\])(?=[(\[:])")

COMMONMARK = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~])")


def clean(text: str) -> str:
    """``text`` without control characters."""
    return CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str, limit: int) -> str:
    """``text`` as one line of at most ``limit`` characters: for subjects, so that no header can be smuggled in."""
    return truncate(" ".join(clean(text).split()), limit)


def defuse(text: str) -> str:
    """``text`` looks the same, but no chat service finds a mention, a command or a masked link in it."""
    return COMMANDS.sub(ZERO_WIDTH, clean(text))


def escape_markdown(text: str) -> str:
    """Inert, and with every character of Markdown's escaped: it is shown as it was written."""
    return COMMONMARK.sub(r"\\\1", defuse(text))


def truncate(text: str, limit: int) -> str:
    """At most ``limit`` characters, with an ellipsis when something is missing."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)].rstrip() + ELLIPSIS
