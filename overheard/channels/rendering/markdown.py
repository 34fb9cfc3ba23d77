"""Write in CommonMark so that it means the same to every reader."""

from __future__ import annotations

import re

from overheard.channels.rendering.sanitize import ZERO_WIDTH

HARD_BREAK = "  \n"


def bold(text: str) -> str:
    """Return escaped text in bold, whatever stands beside it."""
    if not text:
        return ""
    # Stars beside punctuation are not always markup. To Markdown, an invisible character is part of a word.
    left, right = ("" if character.isalnum() else ZERO_WIDTH for character in (text[0], text[-1]))
    return f"**{left}{text}{right}**"


def hard_breaks(text: str) -> str:
    """Return the text with its line ends as line breaks; an empty line separates paragraphs, as it did."""
    return re.sub(r"(?<=\S)\n(?=\S)", HARD_BREAK, text)
