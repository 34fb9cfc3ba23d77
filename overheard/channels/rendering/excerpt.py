"""The part of a text that shows why it was found."""

from __future__ import annotations

import re
from typing import NamedTuple

from overheard.channels.rendering.sanitize import ELLIPSIS, clean

Span = tuple[int, int]


class Fragment(NamedTuple):
    """A stretch of text; ``hit`` when a query matched exactly this."""

    text: str
    hit: bool


def excerpt(text: str, spans: list[Span], width: int) -> list[Fragment]:
    """About ``width`` characters around the first span, cut at words, white space folded, spans marked.

    ``spans`` are (start, end) in code points of ``text``; those that do not fit the text are ignored.
    """
    spans = _sane(text, spans)
    if width <= 0:
        return []
    start, end = _window(text, spans, width)
    pieces = []
    at = start
    for left, right in spans:
        left, right = max(left, at), min(right, end)
        if left < right:
            pieces += [Fragment(text[at:left], False), Fragment(text[left:right], True)]
            at = right
    pieces.append(Fragment(text[at:end], False))
    folded = [Fragment(_fold(piece.text), piece.hit) for piece in pieces]
    folded[0] = Fragment((ELLIPSIS if start else "") + folded[0].text.lstrip(" "), folded[0].hit)
    folded[-1] = Fragment(folded[-1].text.rstrip(" ") + (ELLIPSIS if end < len(text) else ""), folded[-1].hit)
    return [piece for piece in folded if piece.text]


def _sane(text: str, spans: list[Span]) -> list[Span]:
    return sorted((start, end) for start, end in spans if 0 <= start < end <= len(text))


def _window(text: str, spans: list[Span], width: int) -> Span:
    if len(text) <= width:
        return 0, len(text)
    first, last = spans[0] if spans else (0, 0)
    # A third of the room goes before the hit: what follows says more about it.
    start = max(0, min(first - (width - min(last - first, width)) // 3, len(text) - width))
    end = min(len(text), start + width)
    if start:
        gap = re.compile(r"\s").search(text, start, max(first, start))
        start = gap.end() if gap else start
    if end < len(text):
        cut = max(text.rfind(blank, min(last, end), end) for blank in (" ", "\n", "\t"))
        end = cut if cut > 0 else end
    return start, end


def _fold(text: str) -> str:
    return re.sub(r"\s+", " ", clean(text))
