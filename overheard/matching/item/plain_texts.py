"""The texts of an item without markup, for regular expressions; each character knows where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from overheard.matching.item.layout import Layout
from overheard.matching.item.section import Section
from overheard.matching.language.regex import compiled
from overheard.matching.markup import BREAK
from overheard.matching.text.visible_text import VisibleText, visible_text
from overheard.matching.text.words import Span
from overheard.matching.tree import FieldName, Pattern

# RE2's \s is that of ASCII; a space in an expression is nearly always meant to be any.
_SPACES = str.maketrans(
    dict.fromkeys(
        "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "
    )
)
Highlight = tuple[FieldName, int, int]

MAX_TRIED = 100  # matches of an expression in a text, each of which may cost a pass over all of it
# Further matches are only highlighted: so many at most, in so many characters after the first. To find out where a
# match ends, RE2 may read on to the end of what it is given: all this together is one more pass over a long text.
MAX_FURTHER = 20
MAX_FURTHER_CHARACTERS = 2_000


class PlainText(NamedTuple):
    """One section of a field without markup, and the spans of its addresses, in its own characters."""

    section: Section
    seen: VisibleText
    text: str
    links: list[tuple[int, int]]

    @property
    def field(self) -> FieldName:
        return self.section.field

    def span(self, start: int, end: int) -> Highlight:
        """Return the span in the field of a part that is not empty."""
        offset = self.section.offset
        return self.field, self.seen.origin(start) + offset, self.seen.origin(end - 1) + 1 + offset

    def first(self, pattern: Pattern) -> Span | None:
        """Return the first match of an expression, in characters of this text; empty ones do not count.

        Where it has to be inside or outside of addresses, at most MAX_TRIED matches are tried.
        """
        for found in islice(compiled(pattern.regex, pattern.case).finditer(self.text), MAX_TRIED):
            span: Span = found.span()
            if self._counts(pattern, span):
                return span
        return None

    def search(self, pattern: Pattern, first: Span) -> Iterator[Highlight]:
        """Yield the spans of an expression's matches in the field: the first, and those not far after it."""
        yield self.span(*first)
        end = min(len(self.text), first[1] + MAX_FURTHER_CHARACTERS)
        further = compiled(pattern.regex, pattern.case).finditer(self.text, first[1], end)
        for found in islice(further, MAX_FURTHER):
            if self._counts(pattern, found.span()):
                yield self.span(*found.span())

    def _counts(self, pattern: Pattern, span: Span) -> bool:
        return span[0] < span[1] and pattern.where.in_links in (None, self._in_link(span[0]))

    def _in_link(self, at: int) -> bool:
        return any(start <= at < end for start, end in self.links)


def plain_texts(layout: Layout) -> list[PlainText]:
    """Return the sections of an item's fields without markup."""
    return list(map(_plain, layout.sections))


def _plain(section: Section) -> PlainText:
    seen, offset = visible_text(section.masked), section.offset
    # RE2 reads UTF-8, which has no halves of surrogate pairs.
    text = seen.text.replace(BREAK, "\n").encode("utf-8", "replace").decode()
    if not text.isascii():
        text = text.translate(_SPACES)
    links = ((seen.first_from(start - offset), seen.first_from(end - offset)) for start, end in section.links)
    return PlainText(section, seen, text, [(start, end) for start, end in links if start < end])
