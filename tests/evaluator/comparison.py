"""Compare what the code under test finds with what the evaluator finds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from random import Random
from typing import NamedTuple

from overheard.matching.index.query_index import Hit
from overheard.matching.language import ParsedQuery, QuerySyntaxError, parse
from overheard.matching.language.spelling import spell, spell_exactly
from overheard.matching.tree import DEFAULT_FIELDS, Term, Variation
from tests.evaluator import queries, texts
from tests.evaluator.chunks import exactly_finds, phrase_finds
from tests.evaluator.facts import Covered
from tests.evaluator.folding import fold, is_invisible
from tests.evaluator.holds import evaluate_read, places, positive_leaves
from tests.evaluator.paragraphs import ReadItem, read_item, texts_of
from tests.evaluator.spellings import Place
from tests.evaluator.words import Paragraph


class Case(NamedTuple):
    """Queries and items about the same few words."""

    queries: list[ParsedQuery]
    items: list[ReadItem]
    learned: dict[str, float]  # the shares of items that contain a word, by which the index chooses anchors


def case(chance: Random, most_queries: int = 6, most_items: int = 4) -> Case:
    """Return a random case, without the queries that are refused, such as those that would match nearly everything."""
    words = texts.vocabulary(chance)
    written = [queries.query(chance, words) for _ in range(chance.randint(1, most_queries))]
    items = [read_item(texts.item(chance, words)) for _ in range(chance.randint(1, most_items))]
    learned = {fold(word): chance.random() for word in words}
    return Case([query for text in written if (query := parsed(text)) is not None], items, learned)


def parsed(text: str) -> ParsedQuery | None:
    """Return the query; None if it is refused."""
    try:
        return parse(text)
    except QuerySyntaxError:
        return None


def difference(query: ParsedQuery, item: ReadItem, hit: Hit | None) -> str:
    """Return what a hit says otherwise than the evaluator; "" if nothing."""
    expected = evaluate_read(query, item)
    if expected.holds is not (hit is not None):
        return f"should hold: {expected.holds}"
    if hit is None:
        return ""
    if found := unlike(visible(points(hit.highlights), item), visible(expected.covered, item)):
        return f"highlights: {found}"
    if list(hit.highlights) != sorted(hit.highlights):
        return "highlights are not in order"
    return difference_of_reasons(query, item, hit)


def difference_of_reasons(query: ParsedQuery, item: ReadItem, hit: Hit) -> str:
    """Return what is wrong about why a hit is one: it names each leaf that occurs, and a place of it."""
    occurring = {str(leaf): found for leaf in positive_leaves(query) if (found := places(leaf, item)) is not None}
    if {reason.term for reason in hit.why} != set(occurring):
        return f"reasons: {hit.why}, instead of {list(occurring)}"
    for reason in hit.why:
        if (reason.field, reason.start) not in occurring[reason.term]:
            return f"reasons: {reason} is not such a place"
    return ""


def unlike(covered: Covered, expected: Covered) -> str:
    """Return how what is covered differs; "" if it does not."""
    if covered == expected:
        return ""
    return f"{sorted(expected - covered)} are missing, {sorted(covered - expected)} are wrong"


def points(highlights: Iterable[tuple[str, int, int]]) -> Covered:
    return {(field, at) for field, start, end in highlights for at in range(start, end)}


def visible(covered: Covered, item: ReadItem) -> Covered:
    """Leave out characters that do not show: whether a highlight ends before or behind them does not matter."""
    fields = texts_of(item.item)
    return {(field, at) for field, at in covered if not is_invisible(fields[field][at])}


def difference_of_spelling(text: str, exact: Collection[Variation], item: ReadItem) -> str:
    """Return where the spellings of a phrase are found otherwise than the rules say; "" if nowhere."""
    term = Term(tuple(spell(chunk, exact) for chunk in text.split()), exact=frozenset(exact))
    expected = covered_by(lambda paragraph: phrase_finds(text, paragraph, exact), item)
    return unlike(visible(places(term, item) or set(), item), expected)


def difference_of_exact_spelling(text: str, item: ReadItem) -> str:
    """Return where ="text" is found otherwise than the rules say; "" if nowhere."""
    expected = covered_by(lambda paragraph: exactly_finds(text, paragraph), item)
    return unlike(visible(places(Term((spell_exactly(text),)), item) or set(), item), expected)


def covered_by(find: Callable[[Paragraph], list[Place]], item: ReadItem) -> Covered:
    found: Covered = {
        (paragraph.field, at)
        for paragraph in item.paragraphs
        if paragraph.field in DEFAULT_FIELDS
        for place in find(paragraph)
        for at in range(place.start, place.end)
    }
    return visible(found, item)
