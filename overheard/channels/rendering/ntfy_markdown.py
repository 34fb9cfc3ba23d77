"""Write an outline in the Markdown that ntfy shows (https://docs.ntfy.sh/publish/#markdown-formatting).

Phones may show it as it is written, so only what would be markup is escaped: "3.11 (new!)" stays as it is.
"""

from __future__ import annotations

import re
from itertools import groupby

from overheard.channels.rendering.outline import Line, Outline
from overheard.channels.rendering.sanitize import ZERO_WIDTH, defuse

# An underscore inside a word is not markup; "&" begins an entity, "~" strikes through.
MARKUP = re.compile(r"[\\`*\[\]<&~]|(?<![^\W_])_|_(?![^\W_])")
# At the beginning of a line: headings, lists, quotes, rules, and what makes the line before it a heading.
BLOCK = re.compile(r"(\s*\d*)([#+>=.)-])")
HARD_BREAK = "  \n"


def ntfy_markdown(outline: Outline) -> str:
    """Return the body; the title and its link are fields of their own."""
    paragraphs = [list(lines) for empty, lines in groupby(outline.lines, key=lambda line: not line) if not empty]
    return "\n\n".join(HARD_BREAK.join(_markdown(line) for line in lines) for lines in paragraphs)


def _markdown(line: Line) -> str:
    written = []
    for link, linked in groupby(line, key=lambda run: run.link):
        weights = groupby(linked, key=lambda run: run.bold)
        text = "".join(_weighted("".join(run.text for run in runs), bold=bold) for bold, runs in weights)
        written.append(f"[{text}]({link})" if link else text)
    text = "".join(written)
    block = BLOCK.match(text)
    return f"{block[1]}\\{text[block.start(2) :]}" if block else text


def _weighted(text: str, *, bold: bool) -> str:
    inner = text.strip() if bold else ""
    if not inner:
        return _escaped(text)
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    # Stars beside punctuation are not always markup: beside an invisible character, which is a letter to Markdown, they
    # are.
    left, right = (ZERO_WIDTH if not character.isalnum() else "" for character in (inner[0], inner[-1]))
    return f"{before}**{left}{_escaped(inner)}{right}**{after}"


def _escaped(text: str) -> str:
    return MARKUP.sub(r"\\\g<0>", defuse(text))
