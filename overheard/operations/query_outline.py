"""A query's tree for people, as indented lines, and for programs, as nested objects. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from overheard.matching.tree import (
    ANYWHERE,
    DEFAULT_FIELDS,
    Affix,
    And,
    Attribute,
    Domain,
    Near,
    Node,
    Not,
    Or,
    Pattern,
    Piece,
    Spelling,
    Stem,
    Term,
    Where,
    Word,
)

FIELD_NAMES = {
    "title": "the title",
    "body": "the body",
    "crosspost": "the crossposted title",
    "caption": "captions",
    "poll": "a poll's options",
    "url": "addresses",
    "thread": "the thread's title",
    "flair": "the flair",
}
FLAGS = {"nsfw": "marked as not safe for work", "self": "a post without an address", "link": "a post with an address"}
SIGN_OF = {None: " ", "\u2010": "-"}  # how people write what a spelling requires between two words


class Line(NamedTuple):
    """A line of the outline, indented by so many steps."""

    depth: int
    text: str


def outline(node: Node, depth: int = 0) -> Iterator[Line]:
    """Yield the tree as lines, a group's parts below it."""
    match node:
        case And(parts=parts):
            wanted = [part for part in parts if not isinstance(part, Not)]
            unwanted = [part.part for part in parts if isinstance(part, Not)]
            if len(wanted) == 1:
                yield from outline(wanted[0], depth)
            elif wanted:
                yield from _group("all of", wanted, depth)
            yield from _group("none of", unwanted, depth)
        case Or(parts=parts):
            yield from _group("any of", parts, depth)
        case Not(part=part):
            yield from _group("none of", [part], depth)
        case Near():
            yield from _near(node, depth)
        case _:
            yield Line(depth, _leaf(node))


def as_object(node: Node) -> dict[str, Any]:
    """Return the tree as nested objects; ``type`` says which, ``text`` how a leaf is written."""
    match node:
        case And(parts=parts) | Or(parts=parts):
            return {"type": "and" if isinstance(node, And) else "or", "parts": [as_object(part) for part in parts]}
        case Not(part=part):
            return {"type": "not", "part": as_object(part)}
        case Term():
            return {"type": "term", "text": node.text, **_term_object(node)}
        case Near():
            sides = {"left": [each.text for each in node.left], "right": [each.text for each in node.right]}
            return {"type": "near", "text": node.text, **sides, "distance": node.distance}
        case Pattern():
            place = _where_object(node.where)
            return {"type": "regex", "text": node.text, "regex": node.regex, "case": node.case, **place}
        case Domain():
            return {"type": "domain", "text": node.text, "host": node.host}
        case Attribute():
            return {"type": node.name, "text": node.text, "value": node.value}


def needs_more_than_a_body(node: Node) -> bool:
    """Return True if some part of the query looks at something else than a body: another field, a place, an author."""
    match node:
        case And(parts=parts) | Or(parts=parts):
            return any(map(needs_more_than_a_body, parts))
        case Not(part=part):
            return needs_more_than_a_body(part)
        case Term(where=where) | Pattern(where=where):
            return "body" not in where.fields
        case Near(left=left, right=right):
            return any(map(needs_more_than_a_body, (*left, *right)))
    return isinstance(node, Attribute)


def also_found_as(term: Term) -> list[str]:
    """Return the further spellings of a word that a query names, as people write them."""
    if len(term.pieces) != 1 or not isinstance(term.pieces[0], Word):
        return []
    first, *others = map(_written, term.pieces[0].spellings)
    return [spelling for spelling in dict.fromkeys(others) if spelling != first]


def _group(name: str, parts: Sequence[Node], depth: int) -> Iterator[Line]:
    for number, part in enumerate(parts):
        if not number:
            yield Line(depth, f"{name}:")
        yield from outline(part, depth + 1)


def _near(near: Near, depth: int) -> Iterator[Line]:
    words = "word" if near.distance == 1 else "words"
    between = f"with at most {near.distance} {words} between" if near.distance else "with no word between"
    yield Line(depth, f"near each other, {between}:")
    for side in (near.left, near.right):
        if len(side) > 1:
            yield Line(depth + 1, "any of:")
        for term in side:
            yield Line(depth + 1 + (len(side) > 1), _leaf(term))


def _leaf(node: Node) -> str:
    match node:
        case Term():
            return f"{_what(node)}{_forms(node)}{_place(node.where)}"
        case Pattern(regex=regex, case=case, where=where):
            return f"regular expression {regex} ({'case counts' if case else 'any case'}){_place(where)}"
        case Domain(host=host):
            return f"an address of {host} or a name below it"
        case Attribute(name="is", value=value):
            return FLAGS.get(value, value)
        case Attribute(name="kind", value=value):
            return f"a {value}"
        case Attribute(name=name, value=value):
            return f"{'language' if name == 'lang' else name} {value}"
    raise AssertionError(f"a group: {node}")


def _what(term: Term) -> str:
    if len(term.pieces) > 1:
        words = " ".join(map(_piece, term.pieces))
        if term.within is not None:
            others = "other" if term.within == 1 else "others"
            among = f"with at most {term.within} {others}" if term.within else "with no other"
            return f'the words "{words}" in any order, {among} among them'
        return f'phrase "{words}"{_exactly(term)}'
    piece = term.pieces[0]
    match piece:
        case Affix(part=part, at_end=at_end):
            return f"a word that {'ends in' if at_end else 'begins with'} {part}"
        case Stem(stem=stem):
            return f"a word with the stem {stem}"
    return f"word {_piece(piece)}{_exactly(term)}"


def _exactly(term: Term) -> str:
    if is_exact(term):
        return " exactly as written"
    return f" (exact: {', '.join(sorted(term.exact))})" if term.exact else ""


def is_exact(term: Term) -> bool:
    """Return True for ``=Word``: case, accents and signs count."""
    return any(
        isinstance(piece, Word)
        and any(spelling.originals and not spelling.any_case for spelling in piece.spellings[:1])
        for piece in term.pieces
    )


def is_plain(term: Term) -> bool:
    """Return True for a word or a phrase in any case and spelling, anywhere."""
    words = all(isinstance(piece, Word) for piece in term.pieces)
    return words and term.within is None and term.where == ANYWHERE and not term.exact and not is_exact(term)


def _piece(piece: Piece) -> str:
    match piece:
        case Affix(part=part, at_end=at_end):
            return f"*{part}" if at_end else f"{part}*"
        case Stem(stem=stem):
            return f"~{stem}"
        case Word(spellings=spellings):
            return _written(spellings[0])


def _written(spelling: Spelling) -> str:
    words = list(spelling.originals) if spelling.originals else list(spelling.words)
    symbols = spelling.symbols or (("", ""),) * len(words)
    between = [SIGN_OF.get(sign, sign) or "" for sign in spelling.between] or [" "] * (len(words) - 1)
    shown = [f"{before}{word}{behind}" for word, (before, behind) in zip(words, symbols, strict=True)]
    return "".join(part for pair in zip(shown, [*between, ""], strict=True) for part in pair)


def _forms(term: Term) -> str:
    forms = also_found_as(term)
    return f" (also {', '.join(forms)})" if forms else ""


def _place(where: Where) -> str:
    names = "" if where.fields == DEFAULT_FIELDS else f", in {' or '.join(FIELD_NAMES[name] for name in where.fields)}"
    links = {None: "", True: ", in addresses only", False: ", outside addresses"}[where.in_links]
    return f"{names}{links}"


def _where_object(where: Where) -> dict[str, Any]:
    return {"fields": list(where.fields), "in_links": where.in_links}


def _term_object(term: Term) -> dict[str, Any]:
    return {
        "kind": _kind(term),
        "also": also_found_as(term),
        "within": term.within,
        **_where_object(term.where),
        "exact": "all" if is_exact(term) else sorted(term.exact),
    }


def _kind(term: Term) -> str:
    if len(term.pieces) > 1:
        return "phrase" if term.within is None else "within"
    match term.pieces[0]:
        case Affix(at_end=at_end):
            return "suffix" if at_end else "prefix"
        case Stem():
            return "stem"
    return "word"
