"""Cut out the part of a text that shows why it matched."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from overheard.channels.rendering.sanitize import ELLIPSIS, clean

Span = tuple[int, int]
WORD_MAX_CHARS = 30  # longer ones are cut

# A full stop after one character or an abbreviation does not end a sentence; a line does.
SENTENCE_END = re.compile(
    r"(?:(?<!\b\w)(?<!\bvs)(?<!\bcf)(?<!\b[MD]r)(?<!\bMrs)[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？]+[」』”’）]*|(?=\n))(?P<gap>\s*)"
)


class Fragment(NamedTuple):
    """A stretch of text; ``hit``: a query matched exactly this."""

    text: str
    hit: bool


def excerpt(text: str, spans: list[Span], width: int) -> list[Fragment]:
    """Return the sentences around the first span: at most ``width`` characters, white space folded, spans marked.

    A sentence that is too long is cut at words. An ellipsis says where text is missing.

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
    last = folded[-1].text.rstrip(" ")
    # After a full stop it would look like a fourth one.
    apart = last.endswith((".", "!", "?")) and len(last) + sum(len(each.text) for each in folded[:-1]) <= width
    closing = "" if end == len(text) else f" {ELLIPSIS}" if apart else ELLIPSIS
    folded[-1] = Fragment(last + closing, folded[-1].hit)
    return [fragment for fragment in folded if fragment.text]


def _valid_spans(text: str, spans: list[Span]) -> list[Span]:
    return sorted((start, end) for start, end in spans if 0 <= start < end <= len(text))


def _window(text: str, spans: list[Span], width: int) -> Span:
    """Return where to cut: whole sentences around the first hit, or, if its sentence is too long, words of it."""
    if len(text) <= width:
        return 0, len(text)
    hit = spans[0] if spans else (0, 0)
    if hit[1] - hit[0] >= width:
        return _at_words(text, hit, (hit[0], hit[0] + width))
    lowest, highest = max(0, hit[1] - width), min(len(text), hit[0] + width)
    starts, ends = _sentence_bounds(text, lowest, highest)
    before = [start for start in starts if start <= hit[0]][::-1]  # the nearest first, as in ``after``
    after = [end for end in ends if end >= hit[1] and end > hit[0]]
    if before and after and after[0] - before[0] <= width:
        return _grown(before, after, width)
    # What follows a hit usually says more than what is before it, so it gets two thirds, unless its sentence
    # ends before or begins within that much. Chosen, not measured.
    if after and after[0] - hit[0] <= width * 2 // 3:
        return _at_words(text, hit, (max(0, after[0] - width), after[0]))
    room = width - (hit[1] - hit[0])
    start = before[0] if before and hit[0] - before[0] <= room * 2 // 3 else hit[0] - room // 3
    start = max(0, min(start, len(text) - width))
    return _at_words(text, hit, (start, start + width))


def _sentence_bounds(text: str, lowest: int, highest: int) -> tuple[list[int], list[int]]:
    """Return where sentences begin and end between the two positions."""
    starts, ends = [0] if lowest == 0 else [], []
    for end in SENTENCE_END.finditer(text, lowest, highest):
        if _goes_on(text, end):
            continue
        ends.append(end.start("gap"))
        starts.append(end.end())
    return starts, [*ends, len(text)] if highest == len(text) else ends


def _goes_on(text: str, end: re.Match[str]) -> bool:
    """Return True for dots or a bracket within a sentence: ``(MySQL...) and``."""
    mark, following = text[end.start() : end.start("gap")], text[end.end() : end.end() + 1]
    return following.islower() and (".." in mark or mark.endswith(("…", ")", "]")))


def _grown(before: list[int], after: list[int], width: int) -> Span:
    """Return the hit's sentence and, in turn, the next and the one before it, as long as they fit."""
    start, end = before.pop(0), after.pop(0)
    while True:
        grows = False
        if after and after[0] - start <= width:
            end, grows = after.pop(0), True
        if before and end - before[0] <= width:
            start, grows = before.pop(0), True
        if not grows:
            return start, end


def _at_words(text: str, hit: Span, window: Span) -> Span:
    """Return the window without the parts of words at its borders, but with the hit.

    What is longer than a word is cut where the window ends: a script without spaces, a row of emoji.
    """
    start, end = window
    if start and not text[start - 1].isspace():
        gap = re.compile(r"\s").search(text, start, max(start, min(hit[0], start + WORD_MAX_CHARS)))
        start = gap.end() if gap else start
    if end < len(text) and not text[end].isspace():
        lowest = max(min(hit[1], end), end - WORD_MAX_CHARS)
        cut = max(text.rfind(blank, lowest, end) for blank in (" ", "\n", "\t"))
        end = cut if cut > 0 else end
        while end > hit[1] and end < len(text) and unicodedata.combining(text[end]):
            end -= 1  # never between a character and its accents
    return start, end


def _fold(text: str) -> str:
    return re.sub(r"\s+", " ", clean(text))
