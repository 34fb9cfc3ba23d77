"""The meaning of a query as a tree of frozen nodes.

Each node evaluates itself against a document, prints itself so that it parses back to an equal tree, and lists its
positive terms. Equality ignores how a term was spelt (case, quotes): the index keeps equal queries once.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

# Only such a term may be printed without quotes: every other would be read back as something else.
_BARE = re.compile(r"(?!(?:AND|OR|NOT)$)[^\W_]+")


class TermLookup(Protocol):
    """What a tree is evaluated against: an item's document."""

    def contains(self, term: "Term") -> bool: ...


@dataclass(frozen=True, slots=True)
class Term:
    """One word, or several side by side in one field."""

    words: tuple[str, ...]
    # The symbols required (before, behind) each word; empty when none of the words requires any.
    affixes: tuple[tuple[str, str], ...] = ()
    text: str = field(default="", compare=False)

    def holds(self, document: TermLookup) -> bool:
        return document.contains(self)

    def positive_terms(self, wanted: bool = True) -> Sequence["Term"]:
        """Return the terms that cause a match, not those that exclude one: what to highlight.

        ``wanted`` is False inside a NOT.
        """
        return (self,) if wanted else ()

    def __str__(self) -> str:
        return self.text if _BARE.fullmatch(self.text) else f'"{self.text}"'


@dataclass(frozen=True, slots=True)
class Not:
    part: "Node"
    position: int = field(default=0, compare=False)  # in the query's text, for error messages

    def holds(self, document: TermLookup) -> bool:
        return not self.part.holds(document)

    def positive_terms(self, wanted: bool = True) -> Sequence[Term]:
        return self.part.positive_terms(not wanted)

    def __str__(self) -> str:
        return f"NOT {_parenthesized(self.part, And, Or)}"


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple["Node", ...]

    def holds(self, document: TermLookup) -> bool:
        # A plain loop: all() over a generator costs three times as much, and this is the hot path.
        for part in self.parts:  # noqa: SIM110
            if not part.holds(document):
                return False
        return True

    def positive_terms(self, wanted: bool = True) -> Sequence[Term]:
        return [term for part in self.parts for term in part.positive_terms(wanted)]

    def __str__(self) -> str:
        return " AND ".join(_parenthesized(part, Or) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple["Node", ...]

    def holds(self, document: TermLookup) -> bool:
        for part in self.parts:  # noqa: SIM110
            if part.holds(document):
                return True
        return False

    def positive_terms(self, wanted: bool = True) -> Sequence[Term]:
        return [term for part in self.parts for term in part.positive_terms(wanted)]

    def __str__(self) -> str:
        return " OR ".join(map(str, self.parts))


Node = Term | Not | And | Or
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
