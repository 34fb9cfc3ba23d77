"""Excerpts with highlighted matches."""

from __future__ import annotations

from collections.abc import Iterable

from rich.style import Style
from rich.text import Text

from overheard.channels.rendering.excerpt import excerpt

MATCH_STYLE = Style(color="yellow", bold=True)


def highlighted_excerpt(text: str, highlights: Iterable[tuple[str, int, int]], field: str, width: int) -> Text:
    """Return about ``width`` characters around the first match in ``field``, without control characters."""
    spans = [(start, end) for name, start, end in highlights if name == field]
    return Text.assemble(*((piece.text, MATCH_STYLE if piece.hit else "") for piece in excerpt(text, spans, width)))
