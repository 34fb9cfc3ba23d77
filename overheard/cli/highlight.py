"""Excerpts with highlighted matches."""

from __future__ import annotations

from collections.abc import Iterable

from rich.style import Style
from rich.text import Text

from overheard.channels.rendering.excerpt import excerpt
from overheard.channels.rendering.view import readable_excerpt

MATCH_STYLE = Style(color="yellow", bold=True)


def highlighted_excerpt(text: str, highlights: Iterable[tuple[str, int, int]], field: str, width: int) -> Text:
    """Return about ``width`` characters around the first match in ``field``, without markup and control characters."""
    spans = [(start, end) for name, start, end in highlights if name == field]
    pieces = excerpt(text, spans, width) if field == "url" else readable_excerpt(text, spans, width)
    return Text.assemble(*((piece.text, MATCH_STYLE if piece.hit else "") for piece in pieces))
