"""What may not be meant by a valid query, and what to write instead. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from overheard.matching.index.anchors import EVERY_ITEM, AnchorChooser
from overheard.matching.tree import (
    DEFAULT_FIELDS,
    And,
    Attribute,
    Node,
    Not,
    Or,
    ParsedQuery,
    Pattern,
    Term,
    Word,
)
from overheard.operations.common_words import common_words
from overheard.operations.query_outline import is_exact
from overheard.sources.registry import watchable

FREQUENT_SHARE = 0.03  # of items; a word in more of them finds hundreds a day on a busy source
OPERATORS = ("and", "or", "not", "near")
SINGLE = ("source", "place", "kind", "author")  # an item has one of each


def warnings(query: ParsedQuery, rarity: AnchorChooser) -> Iterator[str]:
    """Yield a sentence for each thing that may be wrong."""
    alternatives = query.parts if isinstance(query, Or) else (query,)
    for alternative in alternatives:
        yield from _too_much(alternative, rarity)
    for node in _nodes(query):
        if isinstance(node, And):
            yield from _unquoted_names(node.parts)
            yield from _contradictions(node.parts)
        elif isinstance(node, Term):
            yield from _of_term(node)
    for fact in dict.fromkeys(_wanted_facts(query)):
        yield from _of_fact(fact)


def _too_much(alternative: Node, rarity: AnchorChooser) -> Iterator[str]:
    """Yield why one way to match would match too often."""
    parts = alternative.parts if isinstance(alternative, And) else (alternative,)
    required = rarity.required(alternative)
    if required is None or EVERY_ITEM in required.anchors:
        reason = "it contains no text of three letters or digits that must occur"
        yield f"{alternative} is evaluated for every item: {reason}. Add a word, or a place"
        return
    if all(isinstance(part, Attribute | Not) for part in parts):
        yield f"{alternative} needs no word: it is evaluated for every item of its places or authors"
        return
    if any(isinstance(part, Attribute) and part.name in ("place", "author") for part in parts):
        return
    if required.frequency >= FREQUENT_SHARE:
        share = min(round(100 * required.frequency), 99)
        yield f"{alternative} is likely to be found in about {share} of 100 items. Add a rarer word, or a place"
        return
    wanted = [part for part in parts if not isinstance(part, Attribute | Not)]
    if len(wanted) == 1 and isinstance(term := wanted[0], Term) and (word := _plain_word(term)) in common_words():
        name = f"={term.text[:1].upper()}{term.text[1:]}"
        yield f"{word} is a common word: {name} finds only the name"


def _plain_word(term: Term) -> str:
    """Return the word of a term that is a single one in any case, folded; empty for others."""
    if len(term.pieces) != 1 or not isinstance(piece := term.pieces[0], Word) or is_exact(term):
        return ""
    words = piece.spellings[0].words
    return words[0] if len(words) == 1 and term.where.fields == DEFAULT_FIELDS else ""


def _unquoted_names(parts: Sequence[Node]) -> Iterator[str]:
    """Yield names whose words are required somewhere, but not side by side."""
    for capitalised, run in groupby(parts, _is_capitalised):
        words = [str(part) for part in run]
        if capitalised and len(words) > 1:
            name = " ".join(words)
            yield f'{name} finds texts with these words anywhere: "{name}" finds the name'


def _is_capitalised(node: Node) -> bool:
    return isinstance(node, Term) and bool(_plain_word(node)) and node.text[:1].isupper() and not node.text.isupper()


def _of_term(term: Term) -> Iterator[str]:
    if term.text in OPERATORS:
        yield f'{term.text} is searched for as a word: write {term.text.upper()} for the operator, or "{term.text}"'
    if is_exact(term) and term.text.islower() and len(term.pieces) == 1:
        yield f"{term.text} does not find the word with a capital, as at the beginning of a sentence"


def _wanted_facts(node: Node, wanted: bool = True) -> Iterator[Attribute]:
    match node:
        case And(parts=parts) | Or(parts=parts):
            for part in parts:
                yield from _wanted_facts(part, wanted)
        case Not(part=part):
            yield from _wanted_facts(part, not wanted)
        case Attribute() if wanted:
            yield node


def _of_fact(fact: Attribute) -> Iterator[str]:
    if fact.name == "source" and fact.value not in watchable():
        yield f"{fact}: this is not a source. There are {', '.join(watchable())}"
    if fact.name == "place" and fact.value in watchable():
        yield f"{fact} is a place of this name: source:{fact.value} finds everything from that source"
    if fact.name == "lang":
        yield f"{fact} finds only items whose source tells the language: feeds, Bluesky and Mastodon do"


def _contradictions(parts: Sequence[Node]) -> Iterator[str]:
    """Yield what lets a group of required parts never hold, or is without effect in it."""
    wanted = [part for part in parts if not isinstance(part, Not)]
    unwanted = [part.part for part in parts if isinstance(part, Not)]
    facts = [part for part in wanted if isinstance(part, Attribute)]
    for fact, other in ((fact, other) for at, fact in enumerate(facts) for other in facts[:at]):
        if _never_both(fact, other):
            yield f"{other} and {fact} never hold together; for one of them: {other.name}:({other.value}, {fact.value})"
    for excluded in _choices(unwanted):
        if any(_implies(part, excluded) for part in wanted):
            yield f"-{excluded} excludes all that is required beside it: this never matches"
        elif isinstance(excluded, Attribute) and any(_never_both(fact, excluded) for fact in facts):
            yield f"-{excluded} has no effect beside what is required there"
    if _says(facts, "kind", "comment") and any(_in_titles_only(part) for part in wanted):
        yield "a comment has no title of its own: thread: is the title of its thread"


def _never_both(one: Attribute, other: Attribute) -> bool:
    if one.name == other.name == "is":
        return {one.value, other.value} == {"self", "link"}
    starred = "*" in one.value + other.value
    return one.name == other.name and one.name in SINGLE and one.value != other.value and not starred


def _says(facts: Sequence[Attribute], name: str, value: str) -> bool:
    return any((fact.name, fact.value) == (name, value) for fact in facts)


def _in_titles_only(node: Node) -> bool:
    return isinstance(node, Term | Pattern) and node.where.fields == ("title",)


def _choices(nodes: Sequence[Node]) -> Iterator[Node]:
    """Yield nodes, of which each is enough to exclude an item."""
    for node in nodes:
        yield from node.parts if isinstance(node, Or) else (node,)


def _implies(required: Node, excluded: Node) -> bool:
    """Return True if whatever holds the one holds the other: a phrase contains its words."""
    if isinstance(required, Or):
        return all(_implies(part, excluded) for part in required.parts)
    if isinstance(required, And):
        return any(_implies(part, excluded) for part in required.parts)
    if required == excluded:
        return True
    if not isinstance(required, Term) or not isinstance(excluded, Term) or required.within is not None:
        return False
    looser = set(required.where.fields) <= set(excluded.where.fields) and not excluded.exact
    anywhere = excluded.where.in_links in (None, required.where.in_links)
    return looser and anywhere and _is_part(excluded.pieces, required.pieces)


def _is_part(few: Sequence[object], many: Sequence[object]) -> bool:
    return any(tuple(many[at : at + len(few)]) == tuple(few) for at in range(len(many) - len(few) + 1))


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    match node:
        case And(parts=parts) | Or(parts=parts):
            for part in parts:
                yield from _nodes(part)
        case Not(part=part):
            yield from _nodes(part)
