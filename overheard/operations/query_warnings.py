"""What may not be meant by a valid query, and what to write instead. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from overheard.matching.index.anchors import EVERY_ITEM, AnchorChooser
from overheard.matching.language.limits import MAX_PHRASE_WORDS
from overheard.matching.tree import (
    DEFAULT_FIELDS,
    And,
    Attribute,
    Near,
    Node,
    Not,
    Or,
    ParsedQuery,
    Term,
    Word,
)
from overheard.operations.common_words import common_words
from overheard.operations.query_contradictions import contradictions
from overheard.operations.query_outline import is_exact, is_plain
from overheard.sources.registry import watchable

FREQUENT_SHARE = 0.03  # of items; a word in more of them finds hundreds a day on a busy source
CONNECTING_SHARE = 0.1  # of items; words in more of them, such as "to" and "of", say nothing alone
VERSION = re.compile(r"[0-9]{1,2}|v?[0-9]+(\.[0-9]+)+")
LIST_SIGN = re.compile("[,;]+")
LISTED = re.compile(r"([a-z]+:)?([^():\"]+)")
OPERATORS = ("and", "or", "not", "near")


def warnings(query: ParsedQuery, rarity: AnchorChooser) -> Iterator[str]:
    """Yield a sentence for each thing that may be wrong."""
    alternatives = query.parts if isinstance(query, Or) else (query,)
    for alternative in alternatives:
        yield from _too_much(alternative, rarity)
    for node in _nodes(query):
        if isinstance(node, And):
            yield from _unquoted(node.parts, rarity)
            yield from contradictions(node.parts)
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
    wanted = [part for part in parts if not isinstance(part, Attribute | Not)]
    if required.frequency >= FREQUENT_SHARE and all(map(_has_plain_words, wanted)):
        yield f"{alternative} {_how_often(wanted, required.frequency)}. Add a rarer word, or a place"
        return
    if len(wanted) == 1 and isinstance(term := wanted[0], Term) and (word := _plain_word(term)) in common_words():
        name = f"={term.text[:1].upper()}{term.text[1:]}"
        yield f"{word} is a common word: {name} finds only the name"


def _how_often(wanted: Sequence[Node], frequency: float) -> str:
    # Only of single words it is known how many items contain them.
    if all(isinstance(part, Term) and _plain_word(part) for part in wanted):
        about = "about" if len(wanted) == 1 else "up to"
        return f"is likely to be found in {about} {min(round(100 * frequency), 99)} of 100 items"
    return "has nothing but frequent words: it is likely to be found very often"


def _has_plain_words(node: Node) -> bool:
    """Return True for words in any case and without signs, or phrases of them: these are as frequent as they seem."""
    match node:
        case Near(left=left, right=right):
            return all(map(_has_plain_words, (*left, *right)))
        case Or(parts=parts):
            return all(map(_has_plain_words, parts))
        case Term(pieces=pieces):
            return not is_exact(node) and all(isinstance(piece, Word) and _is_signless(piece) for piece in pieces)
    return False


def _is_signless(word: Word) -> bool:
    first = word.spellings[0]
    return len(first.words) == 1 and not first.symbols


def _plain_word(term: Term) -> str:
    """Return the word of a term that is a single one in any case and without signs, folded; empty for others."""
    if len(term.pieces) != 1 or not isinstance(piece := term.pieces[0], Word) or is_exact(term):
        return ""
    return piece.spellings[0].words[0] if _is_signless(piece) and term.where.fields == DEFAULT_FIELDS else ""


def _unquoted(parts: Sequence[Node], rarity: AnchorChooser) -> Iterator[str]:
    """Yield words that are required anywhere, but seem to be meant side by side."""
    for one_word, run in groupby(parts, _is_one_word):
        words = [part for part in run if isinstance(part, Term)] if one_word else []
        if any(word.text in OPERATORS for word in words):
            continue  # that is said for itself
        if any(rarity.frequency(_plain_word(word)) >= CONNECTING_SHARE for word in words if _plain_word(word)):
            yield from _side_by_side(words, "them side by side")  # alternative to photoshop
            continue
        for capitalised, names in groupby(words, _is_capitalised):
            yield from _side_by_side(list(names) if capitalised else [], "the name")
        for name, number in pairwise(words):
            if VERSION.fullmatch(number.text) and not VERSION.fullmatch(name.text):
                yield from _side_by_side([name, number], "them side by side")


def _side_by_side(words: Sequence[Term], found: str) -> Iterator[str]:
    if 1 < len(words) <= MAX_PHRASE_WORDS:
        phrase = " ".join(word.text for word in words)
        yield f'{phrase} finds texts with these words anywhere: "{phrase}" finds {found}'


def _is_one_word(node: Node) -> bool:
    """Return True for what is written as one word, with or without signs, and could stand in a phrase."""
    return isinstance(node, Term) and len(node.pieces) == 1 and is_plain(node) and '"' not in node.text


def _is_capitalised(node: Node) -> bool:
    return isinstance(node, Term) and bool(_plain_word(node)) and node.text[:1].isupper() and not node.text.isupper()


def _of_term(term: Term) -> Iterator[str]:
    if isinstance(word := term.pieces[0], Word) and _is_list(word) and (match := LISTED.fullmatch(term.text)):
        either = " OR ".join(LIST_SIGN.split(match[2]))
        remedy = f"{match[1]}({either})" if match[1] else either
        yield f"{term.text} is found with its signs only: {remedy} finds any of these words"
    if term.text in OPERATORS:
        yield f'{term.text} is searched for as a word: write {term.text.upper()} for the operator, or "{term.text}"'
    if is_exact(term) and term.text.islower() and len(term.pieces) == 1:
        yield f"{term.text} does not find the word with a capital, as at the beginning of a sentence"


def _is_list(word: Word) -> bool:
    first = word.spellings[0]
    is_number = all(part.isdigit() for part in first.words)  # 1,000
    return not is_number and any(sign and LIST_SIGN.fullmatch(sign) for sign in first.between)


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


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    match node:
        case And(parts=parts) | Or(parts=parts):
            for part in parts:
                yield from _nodes(part)
        case Not(part=part):
            yield from _nodes(part)
