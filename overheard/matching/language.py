"""The query language: from what users write to trees.

    acme                 a word, whole and in any case or width (text.py defines a word)
    "acme db"            words side by side in one field; “smart quotes” work as well
    acme python          both; the same as acme AND python
    acme OR acmedb       one of them or both
    acme -jobs           without: the same as acme NOT jobs, or acme AND NOT jobs
    acme (db OR sql)     brackets; otherwise NOT binds before AND, AND before OR

Every way to match must require some word: NOT x and a OR NOT x would match nearly everything, and are refused. Syntax
of other languages (and, or, not in lower case, wildcards, field names: unsupported_syntax.py) is refused too, because
it would mean something else here.
Limits: 2,000 characters, 200 terms, 200 words, 20 words in a phrase, brackets 50 deep. In scripts without spaces two
characters count as one word. The limits of words bound the cost of matching, which tests/benchmarks/bench_expensive.py
measures.

A stored query may be older than a rule. `parse_stored` accepts what was accepted before the limits of words, and before
unsupported syntax was refused, with the meaning that it had then: so an upgrade does not stop any query from matching.
`problem_with` returns what `parse` would raise for it today.
"""

from collections.abc import Sequence
from typing import NamedTuple

from lark import Token

from overheard.matching.grammar import MAX_DEPTH, MAX_TERMS, TERM_TOKENS, build_tree, tokenize
from overheard.matching.query_errors import QuerySyntaxError, error_at, start_of
from overheard.matching.rarity import anchors
from overheard.matching.text import read, word_count
from overheard.matching.tree import And, Node, Not, Or, ParsedQuery, Term
from overheard.matching.unsupported_syntax import unsupported

__all__ = [
    "MAX_CHARACTERS",
    "MAX_DEPTH",
    "MAX_TERMS",
    "ParsedQuery",
    "QuerySyntaxError",
    "StoredQueryProblem",
    "parse",
    "parse_stored",
    "problem_with",
]

MAX_CHARACTERS = 2_000
MAX_WORDS = 200
MAX_PHRASE_WORDS = 20


class StoredQueryProblem(NamedTuple):
    """Why a stored query would be refused today. `matched`: it is still matched, with its earlier meaning."""

    error: QuerySyntaxError
    matched: bool


def parse(text: str) -> ParsedQuery:
    """Parse a query. Raise QuerySyntaxError, which says where and why, and nothing else."""
    query, error = parse_stored(text)
    if error is not None:
        raise error
    return query


def parse_stored(text: str) -> tuple[ParsedQuery, QuerySyntaxError | None]:
    """Parse a stored query; return it with the error that `parse` would raise for it today, or None.

    Raise QuerySyntaxError for a text that no version has accepted.
    """
    tokens = _tokens(text)
    error = unsupported(text, tokens)
    try:
        # Built even if there is an error already: a query stored before that rule goes on matching.
        query = _parsed(text, tokens)
    except QuerySyntaxError as unreadable:
        raise (error or unreadable) from None  # "there are no wildcards" explains more than a misplaced token
    return query, error or _too_long(text, tokens)


def problem_with(text: str) -> StoredQueryProblem | None:
    """Return what today's rules have against a stored query, or None."""
    try:
        _, error = parse_stored(text)
    except QuerySyntaxError as unreadable:
        return StoredQueryProblem(unreadable, matched=False)
    return StoredQueryProblem(error, matched=True) if error is not None else None


def _tokens(text: str) -> list[Token]:
    if not text.strip():
        raise error_at(text, 0, "the query is empty", 'Write what to listen for, such as: acme OR "acme db"')
    # Before the text is tokenized: the limit bounds that cost as well.
    if len(text) > MAX_CHARACTERS:
        message = f"the query has {len(text):,} characters, {MAX_CHARACTERS:,} are allowed"
        raise error_at(text, MAX_CHARACTERS, message, "Make several queries of it.")
    return tokenize(text)


def _parsed(text: str, tokens: Sequence[Token]) -> ParsedQuery:
    root = build_tree(text, tokens)
    if not anchors(root):
        hint = "Join it to a word that must be there: acme -jobs. In a OR b, each side needs such a word."
        raise error_at(text, _position_of_open_not(root), "this alone would match nearly every text", hint)
    return root


def _too_long(text: str, tokens: Sequence[Token]) -> QuerySyntaxError | None:
    """Return the error for too many words, at the term that exceeds the limit, or None."""
    # Every word has a character at least, so a short text cannot exceed a limit. Most queries stop here.
    if len(text) <= MAX_PHRASE_WORDS:
        return None
    total = 0
    for token in tokens:
        if token.type not in TERM_TOKENS:
            continue
        count = word_count(read(token)[0])
        total += count
        if count > MAX_PHRASE_WORDS:
            message = f"a phrase of {count} words, {MAX_PHRASE_WORDS} are allowed"
            hint = "Shorten it: its rarest words, side by side, find the same."
            return error_at(text, start_of(token), message, hint)
        if total > MAX_WORDS:
            return error_at(text, start_of(token), f"more than {MAX_WORDS} words", "Make several queries of it.")
    return None


def _position_of_open_not(node: Node) -> int:
    """Return the position of the NOT that leaves a way to match without any word."""
    match node:
        case Not(position=position):
            return position
        case And(parts=parts) | Or(parts=parts):
            return next(_position_of_open_not(part) for part in parts if not anchors(part))
        case Term():
            # Never reached, as every term has an anchor; but mypy wants the match to be exhaustive.
            return 0
