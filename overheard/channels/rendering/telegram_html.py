"""Write an outline in Telegram's HTML: https://core.telegram.org/bots/api#html-style"""

from __future__ import annotations

import re
from html import escape
from itertools import groupby

from overheard.channels.rendering.outline import Line, Outline, Run
from overheard.channels.rendering.sanitize import ZERO_WIDTH, defuse

TEXT_MAX_UNITS = 4096  # UTF-16 code units, after the markup was read
MAX_ENTITIES = 100  # bold and linked stretches; Telegram shows further ones as plain text

# A command of a bot, such as "/stop", which a tap sends. A path ("r/python", "https://…") is not one.
BOT_COMMAND = re.compile(r"(?<![\w/])/(?=\w)")


def telegram_html(outline: Outline) -> str:
    """Return the text to send with ``parse_mode`` HTML."""
    return "\n".join(_html(line) for line in _lines(outline))


def fits_telegram(outline: Outline) -> bool:
    """Return True if Telegram takes the outline whole."""
    lines = _lines(outline)
    text = "\n".join("".join(_harmless(run.text) for run in line) for line in lines)
    entities = sum((run.bold + (run.link is not None)) for line in lines for run in line)
    return len(text.encode("utf-16-le")) // 2 <= TEXT_MAX_UNITS and entities <= MAX_ENTITIES


def _lines(outline: Outline) -> list[Line]:
    title = tuple(run._replace(link=outline.link) for run in outline.title)
    return [title, *([()] if outline.lines else []), *outline.lines]


def _html(line: Line) -> str:
    written = []
    for link, runs in groupby(line, key=lambda run: run.link):
        text = "".join(_bold(run) for run in runs)
        written.append(f'<a href="{escape(link)}">{text}</a>' if link else text)
    return "".join(written)


def _bold(run: Run) -> str:
    text = escape(_harmless(run.text), quote=False)
    return f"<b>{text}</b>" if run.bold else text


def _harmless(text: str) -> str:
    return BOT_COMMAND.sub(f"/{ZERO_WIDTH}", defuse(text))
