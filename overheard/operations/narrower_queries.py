"""Small changes that narrow a query down. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from overheard.matching.language import ParsedQuery, QuerySyntaxError, parse
from overheard.matching.tree import And, Near, Node, Not, Or, Term

MAX_EXACT = 5  # words and phrases of which the exact case is tried
PLAIN_WORD = re.compile(r"[^\W_]+")
PLAIN_PHRASE = re.compile(r'"[^"]*"')
PLAIN_NAME = re.compile(r"[\w.-]+")  # of a place or an author that needs no quotes


def narrower(query: ParsedQuery, forms: Mapping[str, str]) -> list[tuple[str, ParsedQuery]]:
    """Return changed queries, each as a text and parsed: exact case, only outside addresses, only in titles.

    ``forms``: how terms that the query writes in lower case are mostly written with capitals.
    """
    texts = [*_in_exact_case(query, forms), f"{_grouped(query)} -in:link", f"title:{_grouped(query)}"]
    parsed = [(text, changed) for text in dict.fromkeys(texts) if (changed := _parsed(text)) not in (None, query)]
    return [(text, changed) for text, changed in parsed if changed is not None]


def within_place(query: ParsedQuery, place: str) -> str | None:
    """Return the query within one place; None if that cannot be written."""
    return _readable(f"{_grouped(query)} place:{_quoted(place)}")


def within_source(query: ParsedQuery, source: str) -> str | None:
    """Return the query within one source; None if that cannot be written."""
    return _readable(f"{_grouped(query)} source:{source}")


def without_author(query: ParsedQuery, author: str) -> str | None:
    """Return the query without what one author writes; None if that cannot be written."""
    return _readable(f"{_grouped(query)} -author:{_quoted(author)}")


def _in_exact_case(query: ParsedQuery, forms: Mapping[str, str]) -> Iterator[str]:
    terms = [leaf for leaf in query.positive_leaves() if isinstance(leaf, Term) and is_plain(leaf.text)]
    for term in terms[:MAX_EXACT]:
        form = forms.get(term.text, "") if term.text == term.text.lower() else term.text.strip('"')
        if form:
            yield str(_with(query, term, f"={form}" if PLAIN_WORD.fullmatch(form) else f'="{form}"'))


def is_plain(text: str) -> bool:
    """Return True if a term is a word or a phrase without fields, options and signs."""
    return PLAIN_WORD.fullmatch(text) is not None or PLAIN_PHRASE.fullmatch(text) is not None


def _with(node: Node, term: Term, text: str) -> Node:
    """Return the tree with a term written in another way: only its text is right, until it is parsed again."""
    match node:
        case And(parts=parts):
            return And(tuple(_with(part, term, text) for part in parts))
        case Or(parts=parts):
            return Or(tuple(_with(part, term, text) for part in parts))
        case Term() if node is term:
            return replace(term, text=text)
    return node


def _grouped(query: ParsedQuery) -> str:
    return f"({query})" if isinstance(query, And | Or | Not | Near) else str(query)


def _quoted(name: str) -> str:
    return name if PLAIN_NAME.fullmatch(name) else f'"{name}"'


def _parsed(text: str) -> ParsedQuery | None:
    try:
        return parse(text)
    except QuerySyntaxError:
        return None  # it has another field inside, or is too long now


def _readable(text: str) -> str | None:
    return text if _parsed(text) is not None else None
