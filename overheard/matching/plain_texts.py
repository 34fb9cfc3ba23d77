"""The texts of an item without markup, for regular expressions; each character knows where it comes from."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from overheard.matching.layout import Layout, Section
from overheard.matching.markup import BREAK
from overheard.matching.patterns import compiled
from overheard.matching.scripts import visible, visible_positions
from overheard.matching.tree import FieldName, Pattern


class PlainText(NamedTuple):
    """One section of a field without markup. ``origins``: where in the field each of its characters stands.

    ``links``: the spans of its addresses, in its own characters.
    """

    field: FieldName
    text: str
    origins: Sequence[int]
    links: list[tuple[int, int]]

    def span(self, start: int, end: int) -> tuple[str, int, int]:
        """Return the span in the field of a part that is not empty."""
        return self.field, self.origins[start], self.origins[end - 1] + 1

    def search(self, pattern: Pattern) -> Iterator[tuple[str, int, int]]:
        """Yield the spans of an expression's matches in the field; empty ones are left out."""
        for found in compiled(pattern.regex, pattern.case).finditer(self.text):
            start, end = found.span()
            if start < end and pattern.where.in_links in (None, self._in_link(start)):
                yield self.span(start, end)

    def _in_link(self, at: int) -> bool:
        return any(start <= at < end for start, end in self.links)


def plain_texts(layout: Layout) -> list[PlainText]:
    """Return the sections of an item's fields without markup."""
    return list(map(_plain, layout.sections))


def _plain(section: Section) -> PlainText:
    places = visible_positions(section.masked)
    offset = section.offset
    origins = [at + offset for at in places] if offset else places
    # RE2 reads UTF-8, which has no halves of surrogate pairs.
    text = visible(section.masked).replace(BREAK, "\n").encode("utf-8", "replace").decode()
    links = ((bisect_left(origins, start), bisect_left(origins, end)) for start, end in section.links)
    return PlainText(section.field, text, origins, [(start, end) for start, end in links if start < end])
