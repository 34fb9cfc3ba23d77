"""The anchors of a query: the rarest words, or pairs of words, of which it needs one to hold.

The index evaluates a query only for items that contain one of its anchors, so their choice decides the speed: "linux
AND the" is filed under linux. Frequencies are only compared with each other; a wrong guess costs time, never a match.

An anchor is a word, two words side by side, or a text with a sign that no word has:
``optim*`` and ``*sql`` (the beginning, the end of a word), ``~monitor`` (a stem), ``/acme`` (a part of a word),
``place:python`` and ``author:ann`` (for queries that need no word), ``every item``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from overheard.matching.item.addresses import host_forms
from overheard.matching.text.words import read
from overheard.matching.tree import (
    Affix,
    And,
    Attribute,
    Domain,
    Near,
    Node,
    Not,
    Or,
    Pattern,
    Piece,
    Spelling,
    Stem,
    Term,
    Word,
)

Pair = tuple[str, str]
Anchor = str | Pair
Anchors = tuple[Anchor, ...]

EVERY_ITEM = "every item"
# Of a word's beginning, end or part. For each size that queries have, the index looks up one more for a new word, or of
# parts nearly one for each of its characters: so there are few. Chosen, not measured; what is shorter stays as it is.
LETTER_SIZES = (10, 7, 5, 4, 3)
MAX_FURTHER = 3  # checks before a query is evaluated; chosen, not measured

# The most frequent words of English Reddit (counted over 53,000 posts and comments), most frequent first.
_COMMON = """
the i to a and of it in that for is you my this s on with have was but me be so not as are what he m if
just at we from do about or all they like your com http https www up can out an how would she get one
there some name her will dont time no when had has more know ve now been by any his people here them
really am him work want 2 who good r 1 their new think because re other only first make go our much then
could after should see way 3 into also got back going than even d over reddit which were help need very
edit thanks use well still day why did something love years ll right year too off us post being things
didnt made where most never before feel 5 few job down cant best take these gt last great find game does
while amp sure every said anyone two lot using 4 comments thing around doing little someone say through
linux better anything 0 many same thank let doesnt looking those since its look pretty getting 10 part
working thought free start guys old life long google again trying money everyone found home ever always
try actually told business please guy started give another today keep week put next bad school own
everything tell months de la que el en y un una los por con para le les des et der die das und ist nicht
het een van
"""


class Required(NamedTuple):
    """What a text must contain: one of ``anchors``. ``frequency``: the share of texts that do."""

    frequency: float
    anchors: Anchors


class Filing(NamedTuple):
    """Where the index files a query: under each of ``anchors``, of which every item that it matches has at least one.

    ``further``: more such choices, of words and pairs only. An item without any of one of them cannot match.
    """

    anchors: Anchors
    further: tuple[Anchors, ...]


class AnchorChooser:
    """Choose anchors by how frequent words are: by the shares of items that contain them."""

    def __init__(self, learned: Mapping[str, float] | None = None) -> None:
        """``learned``: the share of items that contain a word, of the words that are not rare; None: guess."""
        self._learned = learned
        # A word that is not among the learned ones is rarer than the rarest of them.
        self._unknown = min(learned.values()) if learned else 0.01

    def anchors(self, node: Node) -> Anchors:
        """Return anchors of which every item that the query matches has one; () if there are none."""
        return self.filing(node).anchors

    def filing(self, node: Node) -> Filing:
        """Return where the index is to file a query."""
        required = self.all_required(node)
        if len(required) == 1:  # as nearly always
            return Filing(_distinct(required[0].anchors), ())
        first, *others = sorted(required, key=_frequency_of) or [Required(1.0, ())]
        words = [anchors for one in others if all(map(_is_in_texts, anchors := _distinct(one.anchors)))]
        return Filing(_distinct(first.anchors), tuple(words[:MAX_FURTHER]))

    def required(self, node: Node) -> Required | None:
        """Return the rarest of what an item must have for the node to hold, or None."""
        return _rarest(self.all_required(node))

    def all_required(self, node: Node, wanted: bool = True) -> list[Required]:
        """Return what an item must have, all of it, for the node to hold (not wanted: to fail)."""
        match node:
            case Not(part=part):
                return self.all_required(part, not wanted)
            case And(parts=parts) | Or(parts=parts):
                of_parts = [self.all_required(part, wanted) for part in parts]
                # NOT (a OR b) is (NOT a) AND (NOT b): under a NOT the two swap their roles.
                if isinstance(node, And) is wanted:
                    return [one for of_part in of_parts for one in of_part]
                return _one(_any(map(_rarest, of_parts)))
            case _ if not wanted:
                return []
            case Term(pieces=pieces, within=within):
                return self._term(pieces) if within is None else list(map(self._piece, pieces))
            case Near(left=left, right=right):
                return [*_one(_any(map(self.required, left))), *_one(_any(map(self.required, right)))]
            case Pattern(literals=literals):
                return _one(_any(map(self._literal, literals)) if literals else Required(1.0, (EVERY_ITEM,)))
            case Domain(host=host):
                # Single words: in acme[dot]com, acme and com are not side by side.
                return _one(_any(self._rarest_word(read(name)[0]) for name in host_forms(host)))
            case Attribute():
                return _one(self._attribute(node))

    def frequency(self, word: str) -> float:
        """Return the share of items that contain a word, learned or guessed."""
        if self._learned is not None:
            return self._learned.get(word, self._unknown / len(word))
        rank = _ranks().get(word)
        # Any other word is rarer than the last of the list (0.019), and the longer the rarer. Guessed, not measured.
        return 0.5 / (1 + rank / 10) if rank is not None else 0.01 / len(word)

    def _term(self, pieces: tuple[Piece, ...]) -> list[Required]:
        if len(pieces) == 1:
            return [self._piece(pieces[0])]
        pairs = [
            self._pairs(one, two) for one, two in pairwise(pieces) if isinstance(one, Word) and isinstance(two, Word)
        ]
        piece = min(map(self._piece, pieces), key=_frequency_of)
        # The pairs contain the words: a word is worth looking up only if it is rarer.
        rarest = min(map(_frequency_of, pairs), default=1.0)
        return pairs if pairs and rarest <= piece.frequency else [piece, *pairs]

    def _piece(self, piece: Piece) -> Required:
        match piece:
            case Word(spellings=spellings):
                return _sum(map(self._spelling, spellings))
            case Affix(part=part, at_end=at_end):
                size = _letters_of(part)
                known = part[-size:] if at_end else part[:size]
                return Required(10 * self.frequency(part), (f"*{known}" if at_end else f"{known}*",))
            case Stem(stem=stem):
                return Required(3 * self.frequency(stem), (f"~{stem}",))

    def _spelling(self, spelling: Spelling) -> Required:
        """Return the word of a spelling, or the rarest two of its words that stand side by side."""
        words = spelling.words
        if len(words) == 1:
            return self._rarest_word(words)
        frequency, pair = min((self._together(*pair), pair) for pair in pairwise(words))
        return Required(frequency, (pair,))

    def _rarest_word(self, words: Sequence[str]) -> Required:
        word = words[0] if len(words) == 1 else min(words, key=lambda word: (self.frequency(word), word))
        return Required(self.frequency(word), (word,))

    def _pairs(self, one: Word, two: Word) -> Required:
        """Return the last words of one word's spellings, each with the first words of the next one's."""
        pairs = {(last.words[-1], first.words[0]) for last in one.spellings for first in two.spellings}
        return Required(sum(self._together(*pair) for pair in pairs), tuple(sorted(pairs)))

    def _together(self, one: str, two: str) -> float:
        # A pair is far rarer than a word, above all in scripts where every character is a word. The factors allow for
        # words of a phrase being side by side more often than by chance, and for a pair costing more than a word, in
        # memory and to look up: guessed, not measured.
        first, second = self.frequency(one), self.frequency(two)
        return min(first * second * 5, first / 2, second / 2)

    def _literal(self, literal: str) -> Required:
        size = _letters_of(literal)
        grams = (literal[at : at + size] for at in range(len(literal) - size + 1))
        # Of equal length, the one with the rarest letters would be best; the middle of a literal is least like others.
        middle = list(grams)[(len(literal) - size) // 2]
        return Required(0.01, (f"/{middle}",))

    def _attribute(self, attribute: Attribute) -> Required | None:
        # Last of all: everything of a place is evaluated, so any word is better.
        narrow = attribute.name in ("place", "author") and "*" not in attribute.value
        return Required(2.0, (f"{attribute.name}:{attribute.value}",)) if narrow else None


def _letters_of(text: str) -> int:
    """Return how many letters of a text make its anchor."""
    return next((size for size in LETTER_SIZES if size <= len(text)), len(text))


def _rarest(choices: Iterable[Required | None]) -> Required | None:
    return min((one for one in choices if one), key=_frequency_of, default=None)


def _frequency_of(required: Required) -> float:
    return required.frequency


def _distinct(anchors: Anchors) -> Anchors:
    # The index removes each anchor once, and would not find it a second time.
    return anchors if len(anchors) == 1 else tuple(dict.fromkeys(anchors))


def _is_in_texts(anchor: Anchor) -> bool:
    """Return True for a word or a pair. Of an item's other anchors, the index only has those that queries have."""
    return isinstance(anchor, tuple) or anchor.isalnum()


def _one(choice: Required | None) -> list[Required]:
    return [choice] if choice else []


def _any(choices: Iterable[Required | None]) -> Required | None:
    """Return what a text must contain where each of these would do; None if one of them requires nothing."""
    all_required: list[Required] = []
    for one in choices:
        if one is None:
            return None
        all_required.append(one)
    return _sum(all_required)


def _sum(choices: Iterable[Required]) -> Required:
    required = list(choices)
    if len(required) == 1:
        return required[0]
    return Required(sum(one.frequency for one in required), tuple(anchor for one in required for anchor in one.anchors))


@cache
def _ranks() -> dict[str, int]:
    return {word: rank for rank, word in enumerate(_COMMON.split())}
