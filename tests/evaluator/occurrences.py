"""Where the terms of a query occur: phrases, windows and neighbours."""

from __future__ import annotations

from collections.abc import Collection
from itertools import product
from typing import NamedTuple

from Stemmer import Stemmer

from overheard.matching.tree import Affix, Near, Piece, Stem, Term, Where, Word
from tests.evaluator.spellings import Place, places_of
from tests.evaluator.words import Paragraph


class Occurrence(NamedTuple):
    """A place of a term in one of the paragraphs."""

    paragraph: Paragraph
    place: Place


def term_occurrences(term: Term, paragraphs: list[Paragraph]) -> list[Occurrence]:
    """Return each place of a term; of a window, each place of its pieces."""
    find = phrase_places if term.within is None else window_places
    return [
        Occurrence(paragraph, place)
        for paragraph in paragraphs
        if paragraph.field in term.where.fields
        for place in find(term, paragraph)
    ]


def stands(where: Where, paragraph: Paragraph, place: Place) -> bool:
    """Return True if the place's first word is where it may be: in an address, or outside."""
    return where.in_links is None or paragraph.words[place.first].in_link is where.in_links


def piece_places(piece: Piece, paragraph: Paragraph, exact: Collection[str]) -> list[Place]:
    """Return the places of one piece of a term."""
    if isinstance(piece, Word):
        return [place for spelling in piece.spellings for place in places_of(spelling, paragraph, exact)]
    return [
        Place(at, at + 1, word.start, word.end)
        for at, word in enumerate(paragraph.words)
        if has_part(piece, word.folded)
    ]


def has_part(piece: Affix | Stem, word: str) -> bool:
    if isinstance(piece, Stem):
        return bool(Stemmer("english").stemWord(word) == piece.stem)
    return word.endswith(piece.part) if piece.at_end else word.startswith(piece.part)


def phrase_places(term: Term, paragraph: Paragraph) -> list[Place]:
    """Return where the pieces stand side by side."""
    found = piece_places(term.pieces[0], paragraph, term.exact)
    for piece in term.pieces[1:]:
        further = piece_places(piece, paragraph, term.exact)
        found = [
            Place(one.first, two.last, one.start, two.end)
            for one, two in product(found, further)
            if two.first == one.last
        ]
    return [place for place in found if stands(term.where, paragraph, place)]


def window_places(term: Term, paragraph: Paragraph) -> list[Place]:
    """Return the places of the pieces in each stretch of words that contains them all."""
    pieces = list(dict.fromkeys(term.pieces))
    places = [
        [place for place in piece_places(piece, paragraph, term.exact) if stands(term.where, paragraph, place)]
        for piece in pieces
    ]
    length = len(pieces) + (term.within or 0)
    found = []
    for start in range(len(paragraph.words)):
        inside = [[place for place in some if start <= place.first < start + length] for some in places]
        if all(inside):
            found += [place for some in inside for place in some]
    return found


def near_occurrences(near: Near, paragraphs: list[Paragraph]) -> list[Occurrence]:
    """Return the places on both sides that are near enough to one on the other."""
    left = [one for term in near.left for one in term_occurrences(term, paragraphs)]
    right = [one for term in near.right for one in term_occurrences(term, paragraphs)]
    return [
        occurrence
        for one, two in product(left, right)
        if one.paragraph is two.paragraph and 0 <= words_between(one.place, two.place) <= near.distance
        for occurrence in (one, two)
    ]


def words_between(one: Place, two: Place) -> int:
    """Return how many words stand between two places; less than 0 if they overlap."""
    return max(two.first - one.last, one.first - two.last)
