"""Cut out the part of a text that shows why it matched."""

from __future__ import annotations

import re
from typing import NamedTuple

from overheard.channels.rendering.sanitize import ELLIPSIS, clean

Span = tuple[int, int]


class Fragment(NamedTuple):
    """A stretch of text; ``hit``: a query matched exactly this."""

    text: str
    hit: bool


def excerpt(text: str, spans: list[Span], width: int) -> list[Fragment]:
    """Return about ``width`` characters around the first span, cut at words, white space folded, spans marked.

    ``spans`` are (start, end) in code points of ``text``; those outside the text are ignored.
    """
    spans = _valid_spans(text, spans)
    if width <= 0:
        return []
    start, end = _window(text, spans, width)
    fragments = []
    at = start
    for left, right in spans:
        left, right = max(left, at), min(right, end)
        if left < right:
            fragments += [Fragment(text[at:left], False), Fragment(text[left:right], True)]
            at = right
    fragments.append(Fragment(text[at:end], False))
    folded = [Fragment(_fold(fragment.text), fragment.hit) for fragment in fragments]
    folded[0] = Fragment((ELLIPSIS if start else "") + folded[0].text.lstrip(" "), folded[0].hit)
    folded[-1] = Fragment(folded[-1].text.rstrip(" ") + (ELLIPSIS if end < len(text) else ""), folded[-1].hit)
    return [fragment for fragment in folded if fragment.text]


def _valid_spans(text: str, spans: list[Span]) -> list[Span]:
    return sorted((start, end) for start, end in spans if 0 <= start < end <= len(text))


def _window(text: str, spans: list[Span], width: int) -> Span:
    if len(text) <= width:
        return 0, len(text)
    first, last = spans[0] if spans else (0, 0)
    # A third of the width before the hit, two thirds after it: what follows usually says more. Chosen, not measured.
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
