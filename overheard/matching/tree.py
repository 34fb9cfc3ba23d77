"""The meaning of a query as a tree of frozen nodes.

Each node evaluates itself against a document, prints itself so that it parses back to an equal tree, and lists its
positive leaves: what can be highlighted. A leaf's ``text`` is how to write it, with field and options: ``title:acme``,
``(acme -in:link)``. Equality ignores it: the index keeps equal queries once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from overheard.items import SEARCHED_TEXTS

FieldName = Literal["title", "body", "crosspost", "caption", "poll", "url", "thread", "flair"]
Variation = Literal["accents", "hyphens", "dots", "apostrophes", "numbers", "possessives"]
AttributeName = Literal["source", "place", "kind", "author", "lang", "is"]

DEFAULT_FIELDS: tuple[FieldName, ...] = ("title", "body", *SEARCHED_TEXTS, "url")
VARIATIONS: tuple[Variation, ...] = ("accents", "hyphens", "dots", "apostrophes", "numbers", "possessives")


class DocumentView(Protocol):
    """What a tree is evaluated against: one item's document."""

    def has_term(self, term: Term) -> bool: ...
    def has_near(self, near: Near) -> bool: ...
    def has_pattern(self, pattern: Pattern) -> bool: ...
    def has_domain(self, domain: Domain) -> bool: ...
    def has_attribute(self, attribute: Attribute) -> bool: ...


class Where(NamedTuple):
    """Where a leaf may stand: the fields, and whether in addresses (True), outside them (False), or either (None)."""

    fields: tuple[FieldName, ...] = DEFAULT_FIELDS
    in_links: bool | None = None


ANYWHERE = Where()


@dataclass(frozen=True, slots=True)
class Spelling:
    """One way to write a word of a query: folded words of the text, side by side.

    ``between``: what must separate them: None for anything, "-" for one hyphen or white space, "‐" for one hyphen,
    otherwise these very signs (an apostrophe of any form as ', runs of white space as one space); one fewer than words,
    or () if nothing is required. ``joinable``: the text may write a single word in another form, too (variants in
    words.py); of several words, each in a form of the same length (2.0 as v2.0).
    ``originals``: for each word, what the text must say: literally, or with ``any_case`` casefolded, so that accents
    count and case does not; () if nothing is required.
    """

    words: tuple[str, ...]
    between: tuple[str | None, ...] = ()
    # The symbols required (before, after) each word; empty when none of the words requires any.
    symbols: tuple[tuple[str, str], ...] = ()
    joinable: bool = True
    originals: tuple[str, ...] = ()
    any_case: bool = False


@dataclass(frozen=True, slots=True, init=False)
class Word:
    """What a query writes without white space: any of its spellings.

    ``plain``: the word of the text, if it is the only spelling and nothing else is required; otherwise "", and the
    spellings are ``particular``. Nearly all are plain, and an index has tens of thousands: what follows is not kept.
    """

    plain: str
    particular: tuple[Spelling, ...]

    def __init__(self, spellings: tuple[Spelling, ...]) -> None:
        one = spellings[0]
        is_plain = len(spellings) == len(one.words) == 1 and one.joinable and not (one.symbols or one.originals)
        object.__setattr__(self, "plain", one.words[0] if is_plain else "")
        object.__setattr__(self, "particular", () if is_plain else spellings)

    @property
    def spellings(self) -> tuple[Spelling, ...]:
        return self.particular or (Spelling((self.plain,)),)


@dataclass(frozen=True, slots=True)
class Affix:
    """The beginning (``optim*``) or the end (``*sql``) of a word, folded."""

    part: str
    at_end: bool = False


@dataclass(frozen=True, slots=True)
class Stem:
    """A word with this English stem."""

    stem: str


Piece = Word | Affix | Stem


@dataclass(frozen=True, slots=True)
class Term:
    """Pieces side by side in one paragraph; with ``within``, in any order among at most so many words more.

    ``exact``: the variations that are switched off. ``plain``: the words, if it is nothing but words side by side.
    """

    pieces: tuple[Piece, ...]
    within: int | None = None
    where: Where = ANYWHERE
    exact: frozenset[Variation] = frozenset()
    text: str = field(default="", compare=False)
    plain: tuple[str, ...] = field(default=(), init=False, compare=False)

    def __post_init__(self) -> None:
        # Nearly every term is plain, and found in a quicker way.
        if self.within is None and not self.exact and (self.where is ANYWHERE or self.where == ANYWHERE):
            words = tuple([piece.plain for piece in self.pieces if isinstance(piece, Word)])
            if len(words) == len(self.pieces) and "" not in words:
                object.__setattr__(self, "plain", words)

    def holds(self, document: DocumentView) -> bool:
        return document.has_term(self)

    def positive_leaves(self, wanted: bool = True) -> Sequence[Leaf]:
        """Return the leaves that cause a match, not those that exclude one: what to highlight.

        ``wanted`` is False inside a NOT.
        """
        return (self,) if wanted else ()

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Near:
    """Two terms, or choices of terms, in either order with at most ``distance`` words between them, in a paragraph."""

    left: tuple[Term, ...]
    right: tuple[Term, ...]
    distance: int
    text: str = field(default="", compare=False)

    def holds(self, document: DocumentView) -> bool:
        return document.has_near(self)

    def positive_leaves(self, wanted: bool = True) -> Sequence[Leaf]:
        return (self,) if wanted else ()

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression (RE2). ``literals``: of these folded texts, each match contains at least one.

    They are runs of letters and digits that the expression requires, and so parts of words in the text; () if none are
    known.
    """

    regex: str
    case: bool = False  # True: case counts
    literals: tuple[str, ...] = field(default=(), compare=False)
    where: Where = ANYWHERE
    text: str = field(default="", compare=False)

    def holds(self, document: DocumentView) -> bool:
        return document.has_pattern(self)

    def positive_leaves(self, wanted: bool = True) -> Sequence[Leaf]:
        return (self,) if wanted else ()

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Domain:
    """An address, or a bare name, of this host or one below it (lower case, IDNA decoded)."""

    host: str
    text: str = field(default="", compare=False)

    def holds(self, document: DocumentView) -> bool:
        return document.has_domain(self)

    def positive_leaves(self, wanted: bool = True) -> Sequence[Leaf]:
        return (self,) if wanted else ()

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Attribute:
    """A fact of the item that is not a text: its source, place, kind, author, language, or a flag.

    ``value`` is folded by ``str.casefold``. ``*`` at an end of an author or a place stands for anything. Values of
    ``kind``: post, comment; of ``is``: nsfw, self, link.
    """

    name: AttributeName
    value: str
    text: str = field(default="", compare=False)

    def holds(self, document: DocumentView) -> bool:
        return document.has_attribute(self)

    def positive_leaves(self, wanted: bool = True) -> Sequence[Leaf]:
        return ()

    def __str__(self) -> str:
        return self.text


Leaf = Term | Near | Pattern | Domain


@dataclass(frozen=True, slots=True)
class Not:
    part: Node
    position: int = field(default=0, compare=False)  # in the query's text, for error messages

    def holds(self, document: DocumentView) -> bool:
        return not self.part.holds(document)

    def positive_leaves(self, wanted: bool = True) -> Sequence[Leaf]:
        return self.part.positive_leaves(not wanted)

    def __str__(self) -> str:
        return f"NOT {_parenthesized(self.part, And, Or, Near)}"


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Node, ...]

    def holds(self, document: DocumentView) -> bool:
        # A plain loop: all() over a generator costs three times as much, and this is the hot path.
        for part in self.parts:  # noqa: SIM110
            if not part.holds(document):
                return False
        return True

    def positive_leaves(self, wanted: bool = True) -> Sequence[Leaf]:
        return [leaf for part in self.parts for leaf in part.positive_leaves(wanted)]

    def __str__(self) -> str:
        return " AND ".join(_parenthesized(part, Or) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Node, ...]

    def holds(self, document: DocumentView) -> bool:
        for part in self.parts:  # noqa: SIM110
            if part.holds(document):
                return True
        return False

    def positive_leaves(self, wanted: bool = True) -> Sequence[Leaf]:
        return [leaf for part in self.parts for leaf in part.positive_leaves(wanted)]

    def __str__(self) -> str:
        return " OR ".join(map(str, self.parts))


Node = Term | Near | Pattern | Domain | Attribute | Not | And | Or
ParsedQuery = Node  # a whole query


def negated(node: Node, position: int) -> Node:
    """Return NOT node; a double NOT cancels out."""
    # It also keeps the tree flat: the limit of depth counts brackets, and NOT NOT NOT … has none.
    return node.part if isinstance(node, Not) else Not(node, position)


def combined(kind: type[And] | type[Or], parts: list[Node]) -> Node:
    """Return AND or OR of the parts, with nested nodes of the same kind flattened."""
    # Flat, so that (a b) c and a b c are equal trees: the index keeps equal queries once.
    flat: list[Node] = []
    for part in parts:
        if isinstance(part, kind):
            flat.extend(part.parts)
        else:
            flat.append(part)
    return flat[0] if len(flat) == 1 else kind(tuple(flat))


def _parenthesized(node: Node, *looser: type) -> str:
    return f"({node})" if isinstance(node, looser) else str(node)
