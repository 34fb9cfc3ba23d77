"""Write fragments in a medium's markup, with the hits in bold, and fit them into its limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from overheard.channels.rendering.excerpt import Fragment
from overheard.channels.rendering.sanitize import ELLIPSIS

Escape = Callable[[str], str]
EDGES = re.compile(r"(\s*)(.*?)(\s*)", re.DOTALL)


def utf16_length(text: str) -> int:
    """Return how long a text is for services that count UTF-16 code units: never less than its code points."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def written(fragments: Sequence[Fragment], escape: Escape, bold: Callable[[str], str]) -> str:
    """Return the fragments as one text, in which ``bold`` marks the hits, without the white space around them."""
    parts = []
    for fragment in _joined(fragments):
        if not fragment.hit:
            parts.append(escape(fragment.text))
            continue
        match = EDGES.fullmatch(fragment.text)
        before, word, after = match.groups() if match else ("", fragment.text, "")
        parts.append(before + (bold(escape(word)) if word else "") + after)
    return "".join(parts)


def plain(fragments: Sequence[Fragment]) -> str:
    """Return the fragments' text, without marks."""
    return "".join(fragment.text for fragment in fragments)


def fitted(fragments: Sequence[Fragment], write: Callable[[Sequence[Fragment]], str], limit: int) -> str:
    """Return what ``write`` makes of the fragments, cut with an ellipsis so that it has at most ``limit`` units."""
    text = write(fragments)
    if utf16_length(text) <= limit:
        return text
    least, most = 0, len(plain(fragments))
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if utf16_length(write(cut(fragments, middle))) <= limit else (least, middle - 1)
    return write(cut(fragments, least))


def cut(fragments: Sequence[Fragment], chars: int) -> list[Fragment]:
    """Return the first ``chars`` characters, with an ellipsis if something is missing."""
    kept: list[Fragment] = []
    for fragment in fragments:
        if len(fragment.text) > chars:
            return [*kept, Fragment(fragment.text[:chars].rstrip(), fragment.hit), Fragment(ELLIPSIS, False)]
        kept.append(fragment)
        chars -= len(fragment.text)
    return kept


def _joined(fragments: Sequence[Fragment]) -> list[Fragment]:
    """Return the fragments with neighbours of the same kind as one: two bold words side by side confuse markup."""
    joined: list[Fragment] = []
    for fragment in fragments:
        if joined and joined[-1].hit == fragment.hit:
            joined[-1] = Fragment(joined[-1].text + fragment.text, fragment.hit)
        else:
            joined.append(fragment)
    return joined
