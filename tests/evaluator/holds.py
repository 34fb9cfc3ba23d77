"""Whether a query holds for an item, and what of the item's texts its positive leaves cover."""

from __future__ import annotations

from typing import NamedTuple

from overheard.items import Item
from overheard.matching.tree import And, Attribute, Domain, Leaf, Near, Node, Not, Or, Pattern, Term
from tests.evaluator.facts import Covered, domain_places, has_attribute, pattern_places
from tests.evaluator.occurrences import near_occurrences, term_occurrences
from tests.evaluator.paragraphs import ReadItem, read_item


class Verdict(NamedTuple):
    holds: bool
    covered: Covered


def evaluate(query: Node, item: Item) -> Verdict:
    """Return whether the query holds for the item, and all code points of its positive leaves."""
    return evaluate_read(query, read_item(item))


def evaluate_read(query: Node, item: ReadItem) -> Verdict:
    """Do the same for an item that is read."""
    covered: Covered = set()
    for leaf in positive_leaves(query):
        covered |= places(leaf, item) or set()
    return Verdict(holds(query, item), covered)


def holds(node: Node, item: ReadItem) -> bool:
    match node:
        case Not(part=part):
            return not holds(part, item)
        case And(parts=parts):
            return all(holds(part, item) for part in parts)
        case Or(parts=parts):
            return any(holds(part, item) for part in parts)
        case Attribute():
            return has_attribute(node, item.item)
        case _:
            return places(node, item) is not None


def places(leaf: Leaf, item: ReadItem) -> Covered | None:
    """Return the code points that a leaf covers; None if it does not occur."""
    match leaf:
        case Pattern():
            return pattern_places(leaf, item.plain)
        case Domain():
            return domain_places(leaf, item.plain)
        case Term():
            found = term_occurrences(leaf, item.paragraphs)
        case Near():
            found = near_occurrences(leaf, item.paragraphs)
    covered = {(paragraph.field, at) for paragraph, place in found for at in range(place.start, place.end)}
    return covered if found else None


def positive_leaves(node: Node, negated: bool = False) -> list[Leaf]:
    """Return the leaves that stand under an even number of NOTs."""
    match node:
        case Not(part=part):
            return positive_leaves(part, not negated)
        case And(parts=parts) | Or(parts=parts):
            return [leaf for part in parts for leaf in positive_leaves(part, negated)]
        case Attribute():
            return []
        case _:
            return [] if negated else [node]
