"""Compare what the code under test finds with what the evaluator finds."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import NamedTuple

from overheard.items import Item
from overheard.matching.document import Highlight
from overheard.matching.index import Hit, matches
from overheard.matching.language import ParsedQuery, QuerySyntaxError, parse
from tests.evaluator import queries, texts
from tests.evaluator.facts import Covered
from tests.evaluator.folding import is_invisible
from tests.evaluator.holds import evaluate, places, positive_leaves
from tests.evaluator.paragraphs import texts_of


class Case(NamedTuple):
    """Queries and items about the same few words."""

    queries: list[ParsedQuery]
    items: list[Item]


def case(chance: Random, most_queries: int = 6, most_items: int = 4) -> Case:
    """Return a random case, without the queries that are refused, such as those that would match nearly everything."""
    words = texts.vocabulary(chance)
    written = [queries.query(chance, words) for _ in range(chance.randint(1, most_queries))]
    items = [texts.item(chance, words) for _ in range(chance.randint(1, most_items))]
    return Case([query for text in written if (query := parsed(text)) is not None], items)


def parsed(text: str) -> ParsedQuery | None:
    """Return the query; None if it is refused."""
    try:
        return parse(text)
    except QuerySyntaxError:
        return None


def difference(query: ParsedQuery, item: Item, hit: Hit | None) -> str:
    """Return what a hit says otherwise than the evaluator; "" if nothing."""
    expected = evaluate(query, item)
    if expected.holds is not (hit is not None):
        return f"should hold: {expected.holds}"
    if hit is None:
        return ""
    if found := unlike(visible(points(hit.highlights), item), visible(expected.covered, item)):
        return f"highlights: {found}"
    if list(hit.highlights) != sorted(hit.highlights):
        return "highlights are not in order"
    return difference_of_reasons(query, item, hit)


def difference_of_reasons(query: ParsedQuery, item: Item, hit: Hit) -> str:
    """Return what is wrong about why a hit is one: it names each leaf that occurs, and a place of it."""
    occurring = {str(leaf): found for leaf in positive_leaves(query) if (found := places(leaf, item)) is not None}
    if {reason[0] for reason in hit.why} != set(occurring):
        return f"reasons: {hit.why}, instead of {list(occurring)}"
    for text, field, start, _ in hit.why:
        if occurring[text] and (field, start) not in occurring[text]:
            return f"reasons: {text} is not at {field} {start}"
    return ""


def unlike(covered: Covered, expected: Covered) -> str:
    """Return how what is covered differs; "" if it does not."""
    if covered == expected:
        return ""
    return f"{sorted(expected - covered)} are missing, {sorted(covered - expected)} are wrong"


def points(highlights: Iterable[Highlight]) -> Covered:
    return {(field, at) for field, start, end in highlights for at in range(start, end)}


def visible(covered: Covered, item: Item) -> Covered:
    """Leave out characters that do not show: whether a highlight ends before or behind them does not matter."""
    fields = texts_of(item)
    return {(field, at) for field, at in covered if not is_invisible(fields[field][at])}


def alone(query: ParsedQuery, item: Item) -> str:
    """Return the difference for one query without an index."""
    return difference(query, item, matches(query, item))
