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

from __future__ import annotations

from typing import NamedTuple

from overheard.matching.grammar import read
from overheard.matching.limits import MAX_CHARACTERS, MAX_DEPTH, MAX_TERMS, refuse_too_much, too_long
from overheard.matching.meaning import tree_of
from overheard.matching.narrowness import is_narrow, widest
from overheard.matching.query_errors import QuerySyntaxError, error_at
from overheard.matching.shortcut import plain_term
from overheard.matching.tokens import Token, tokenize
from overheard.matching.tree import And, Node, ParsedQuery, combined
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


class StoredQueryProblem(NamedTuple):
    """Why a stored query would be refused today. `matched`: it is still matched, with its earlier meaning."""

    error: QuerySyntaxError
    matched: bool


def parse(text: str, *, scope: Node | None = None) -> ParsedQuery:
    """Parse a query, and AND it with a scope. Raise QuerySyntaxError, which says where and why, and nothing else."""
    query, error = parse_stored(text, scope=scope)
    if error is not None:
        raise error
    return query


def parse_stored(text: str, *, scope: Node | None = None) -> tuple[ParsedQuery, QuerySyntaxError | None]:
    """Parse a stored query; return it with the error that `parse` would raise for it today, or None.

    Raise QuerySyntaxError for a text that no version has accepted.
    """
    if term := plain_term(text):
        return _scoped(term, scope), None
    tokens = _tokens(text)
    error = unsupported(text, tokens)
    try:
        # Built even if there is an error already: a query stored before that rule goes on matching.
        query = _scoped(tree_of(text, read(text, tokens)), scope)
        if not is_narrow(query):
            raise _too_wide(text, tokens, query)
    except QuerySyntaxError as unreadable:
        raise (error or unreadable) from None  # "there are no wildcards" explains more than a misplaced token
    return query, error or too_long(text, tokens)


def problem_with(text: str, *, scope: Node | None = None) -> StoredQueryProblem | None:
    """Return what today's rules have against a stored query, or None."""
    try:
        _, error = parse_stored(text, scope=scope)
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
    tokens = tokenize(text)
    refuse_too_much(text, tokens)
    return tokens


def _scoped(node: Node, scope: Node | None) -> ParsedQuery:
    return node if scope is None else combined(And, [node, scope])


def _too_wide(text: str, tokens: list[Token], query: ParsedQuery) -> QuerySyntaxError:
    hint = "Join it to a word that must be there: acme -jobs, or to a place: or author:. In a OR b, each needs one."
    return error_at(text, widest(query, tokens), "this alone would match nearly every text", hint)
