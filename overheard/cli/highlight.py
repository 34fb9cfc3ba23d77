"""The words that were found, marked in what is around them."""

from __future__ import annotations

from collections.abc import Iterable

from rich.style import Style
from rich.text import Text

from overheard.channels.rendering.excerpt import excerpt

FOUND = Style(color="yellow", bold=True)


def marked(text: str, highlights: Iterable[tuple[str, int, int]], field: str, width: int) -> Text:
    """About ``width`` characters around the first match in ``field``; matches in colour, control characters gone."""
    spans = [(start, end) for name, start, end in highlights if name == field]
    return Text.assemble(*((piece.text, FOUND if piece.hit else "") for piece in excerpt(text, spans, width)))
