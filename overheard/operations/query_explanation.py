"""What a query means, what it costs and what may be wrong with it. Pure: it needs no database."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from overheard.matching.index.anchors import EVERY_ITEM, Anchor, AnchorChooser
from overheard.matching.tree import And, Node, Not, Or, ParsedQuery, Pattern
from overheard.operations.query_outline import as_object
from overheard.operations.query_warnings import warnings

MEDIUM_SHARE = 0.015  # of items that contain an anchor; the most frequent words that are known begin here
HIGH_SHARE = 0.15
ALWAYS = (EVERY_ITEM, "place:", "author:")  # anchors for which no word is looked up

Cost = Literal["low", "medium", "high"]


class QueryExplanation(msgspec.Struct, frozen=True):
    """A query explained. ``anchors``: an item is only evaluated if it has one of them."""

    text: str
    tree: dict[str, Any]
    anchors: tuple[str, ...]
    always_evaluated: bool
    cost: Cost
    warnings: tuple[str, ...]


def explain(text: str, query: ParsedQuery) -> QueryExplanation:
    """Explain a parsed query."""
    rarity = AnchorChooser()
    required = rarity.required(query)
    anchors = tuple(dict.fromkeys(map(_name, required.anchors))) if required else ()
    always = required is None or any(anchor.startswith(ALWAYS) for anchor in anchors)
    return QueryExplanation(
        text=text,
        tree=as_object(query),
        anchors=anchors,
        always_evaluated=always,
        cost=_cost(query, always, required.frequency if required else 1.0),
        warnings=tuple(warnings(query, rarity)),
    )


def _cost(query: ParsedQuery, always: bool, frequency: float) -> Cost:
    if always or frequency >= HIGH_SHARE:
        return "high"
    # A regular expression reads the whole text, where a word is looked up.
    return "medium" if frequency >= MEDIUM_SHARE or _has_pattern(query) else "low"


def _has_pattern(node: Node) -> bool:
    match node:
        case And(parts=parts) | Or(parts=parts):
            return any(map(_has_pattern, parts))
        case Not(part=part):
            return _has_pattern(part)
    return isinstance(node, Pattern)


def _name(anchor: Anchor) -> str:
    return anchor if isinstance(anchor, str) else " ".join(anchor)
