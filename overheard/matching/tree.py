"""The meaning of a query as a tree of frozen nodes.

Each node can say whether it holds in a document, print itself so that it parses back to an equal tree,
and name its positive terms. Equality is of meaning: how a term was spelt (case, quotes) doesn't count.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

_BARE = re.compile(r"(?!(?:AND|OR|NOT)$)[^\W_]+")


class TermLookup(Protocol):
    """What a tree is held against."""

    def contains(self, term: "Term") -> bool: ...


@dataclass(frozen=True, slots=True)
class Term:
    """One word, or several side by side in one field."""

    words: tuple[str, ...]
    # The symbols each word must wear (before, behind); empty when none of them demands any.
    affixes: tuple[tuple[str, str], ...] = ()
    text: str = field(default="", compare=False)

    def holds(self, text: TermLookup) -> bool:
        return text.contains(self)

    def positive(self, wanted: bool = True) -> Sequence["Term"]:
        """The terms that speak for a match, not against it: what to highlight."""
        return (self,) if wanted else ()

    def __str__(self) -> str:
        return self.text if _BARE.fullmatch(self.text) else f'"{self.text}"'


@dataclass(frozen=True, slots=True)
class Not:
    part: "Node"
    at: int = field(default=0, compare=False)  # where the query says so, for messages

    def holds(self, text: TermLookup) -> bool:
        return not self.part.holds(text)

    def positive(self, wanted: bool = True) -> Sequence[Term]:
        return self.part.positive(not wanted)

    def __str__(self) -> str:
        return f"NOT {_bracketed(self.part, And, Or)}"


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple["Node", ...]

    def holds(self, text: TermLookup) -> bool:
        # A plain loop: all() over a generator costs three times as much, and this is the hot path.
        for part in self.parts:  # noqa: SIM110
            if not part.holds(text):
                return False
        return True

    def positive(self, wanted: bool = True) -> Sequence[Term]:
        return [term for part in self.parts for term in part.positive(wanted)]

    def __str__(self) -> str:
        return " AND ".join(_bracketed(part, Or) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple["Node", ...]

    def holds(self, text: TermLookup) -> bool:
        for part in self.parts:  # noqa: SIM110
            if part.holds(text):
                return True
        return False

    def positive(self, wanted: bool = True) -> Sequence[Term]:
        return [term for part in self.parts for term in part.positive(wanted)]

    def __str__(self) -> str:
        return " OR ".join(map(str, self.parts))


Node = Term | Not | And | Or
ParsedQuery = Node  # a whole one; two that mean the same by shape compare equal, and the index keeps them once


def negated(node: Node, at: int) -> Node:
    """NOT node, without stacking one NOT on another."""
    return node.part if isinstance(node, Not) else Not(node, at)


def combined(kind: type[And] | type[Or], parts: list[Node]) -> Node:
    """AND or OR of the parts, with parts of the same kind flattened into it."""
    flat: list[Node] = []
    for part in parts:
        if isinstance(part, kind):
            flat.extend(part.parts)
        else:
            flat.append(part)
    return flat[0] if len(flat) == 1 else kind(tuple(flat))


def _bracketed(node: Node, *looser: type) -> str:
    return f"({node})" if isinstance(node, looser) else str(node)
