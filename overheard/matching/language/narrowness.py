"""Whether a query is narrow enough to be accepted: each way to match must require a term, an author or a place."""

from __future__ import annotations

from collections.abc import Sequence

from overheard.matching.language.syntax_tree import name_of
from overheard.matching.language.tokens import Token
from overheard.matching.tree import And, Attribute, Node, Not, Or, Term


def is_narrow(node: Node, wanted: bool = True) -> bool:
    """Return True if every match of the node (not wanted: every failure) has a term, an author or a place."""
    if isinstance(node, Term):  # first, because it is faster, what most nodes are
        return wanted
    match node:
        case Not(part=part):
            return is_narrow(part, not wanted)
        case And(parts=parts) | Or(parts=parts):
            # NOT (a OR b) is (NOT a) AND (NOT b): under a NOT the two swap their roles.
            decide = any if isinstance(node, And) is wanted else all
            return decide([is_narrow(part, wanted) for part in parts])
        case Attribute(name=name, value=value):
            # One author or place: author:*bot is thousands, and the index could not look them up.
            return wanted and name in ("author", "place") and "*" not in value
        case _:
            return wanted


def widest(node: Node, tokens: Sequence[Token]) -> int:
    """Return the offset of what leaves a way to match nearly everything, in a query that is not narrow."""
    match node:
        case Not(position=position):
            return position
        case And(parts=parts) | Or(parts=parts):
            return widest(next(part for part in parts if not is_narrow(part)), tokens)
        case Attribute(text=text):
            name = text.partition(":")[0]
            return next((token.start for token in tokens if token.type == "FIELD" and name_of(token) == name), 0)
        case _:
            return 0
