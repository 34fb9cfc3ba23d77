"""The query language: from what users write to trees.

    acme                 a word, whole and in any case; acme.io, AT&T, wi-fi without a space inside
    "acme db"            words side by side in one paragraph; “smart quotes” work as well
    =Rust  ="Rust Lang"  exactly so: case, accents and signs count
    "rate limit"~5       its words in any order, with at most five more between and around them
    a NEAR/15 b          one after the other, in either order, with at most 15 words between; (a OR b) NEAR/15 c
    optimi*  *sql        words that begin, or end, so: three letters or digits at least
    ~monitor             words with the same English stem
    /acme(db)?/          a regular expression of RE2, in any case; =/Acme/ in this case; \\/ for a / in it
    acme python          both; the same as acme AND python
    acme OR acmedb       one of them or both
    acme -jobs           without: the same as acme NOT jobs, or acme AND NOT jobs
    acme (db OR sql)     brackets; otherwise NOT binds before NEAR, NEAR before AND, AND before OR
    title:acme           only there, with any term, or title:(a OR b -c); so body: crosspost: caption: poll: thread:
                         flair: and url: (any address)
    domain:acme.com      an address, or a bare name, of that host or one below it
    place: subreddit: source: author: lang: is:post is:comment is:nsfw is:self is:link   facts of the item
    place:(a, b)         one of several; a comma, OR or a space between them
    acme -in:link        outside addresses; in:link inside them; in:title as title:acme
    wi-fi exact:hyphens  without this variation: accents hyphens dots apostrophes numbers possessives all

Options (in: and exact:) are about the terms that AND joins to them, also those in brackets; in a OR b in:link, about b.
Of nested ones the inner one counts, and a field counts as one. Words without a field are searched in title, body,
crosspost, caption, poll and url. In a field's brackets a comma is an OR. Invisible characters, such as marks of
direction, are left out everywhere.

Every way to match must require a term, or a place: or an author:: NOT x and a OR NOT x would match nearly everything,
and are refused. Syntax of other languages (and, or, not in lower case, other fields: foreign_syntax.py) is refused
too, because it would mean something else here; in double quotes all but a * is words.
Limits: limits.py. In scripts without spaces two characters count as one word. The limits of words bound the cost of
matching, which tests/benchmarks/bench_expensive.py measures.

A stored query may be older than a rule. `parse_stored` accepts what was accepted before the limits of words, and before
unsupported syntax was refused, with the meaning that it had then; what has no meaning today (title: x), as words and
phrases. So an upgrade does not stop any query from matching. `problem_with` returns what `parse` would raise today.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from overheard.matching.language.errors import QuerySyntaxError, error_at
from overheard.matching.language.foreign_syntax import unsupported
from overheard.matching.language.grammar import read
from overheard.matching.language.limits import MAX_CHARACTERS, MAX_DEPTH, MAX_TERMS, refuse_too_much, too_long
from overheard.matching.language.narrowness import is_narrow, widest
from overheard.matching.language.plain_query import plain_term
from overheard.matching.language.tokens import Token, tokenize, tokenize_words
from overheard.matching.language.tree_builder import tree_of
from overheard.matching.tree import And, Node, ParsedQuery, combined

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


# Invisible characters that come with copied text: one would hide the field, operator or quotation mark after it. The
# joiners U+200C and U+200D stay, which names of places may have, and so do the variation selectors of emoji.
_UNSEEN = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


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
    text = _UNSEEN.sub("", text)
    if term := plain_term(text):
        return _scoped(term, scope), None
    try:
        return _read(text, scope)
    except QuerySyntaxError as error:
        try:
            return _as_words(text, scope), error
        except QuerySyntaxError:
            raise error from None


def problem_with(text: str, *, scope: Node | None = None) -> StoredQueryProblem | None:
    """Return what today's rules have against a stored query, or None."""
    try:
        _, error = parse_stored(text, scope=scope)
    except QuerySyntaxError as unreadable:
        return StoredQueryProblem(unreadable, matched=False)
    return StoredQueryProblem(error, matched=True) if error is not None else None


def _read(text: str, scope: Node | None) -> tuple[ParsedQuery, QuerySyntaxError | None]:
    tokens = _tokens(text, tokenize)
    error = unsupported(text, tokens)
    try:
        # Built even if there is an error already: a query stored before that rule goes on matching.
        query = _narrow(text, tokens, scope)
    except QuerySyntaxError as unreadable:
        raise (error or unreadable) from None  # "there are no wildcards" explains more than a misplaced token
    return query, error or too_long(text, tokens)


def _as_words(text: str, scope: Node | None) -> ParsedQuery:
    """Return what a query meant before there were fields, NEAR and regular expressions: title: x was two words."""
    return _narrow(text, _tokens(text, tokenize_words), scope)


def _narrow(text: str, tokens: list[Token], scope: Node | None) -> ParsedQuery:
    query = _scoped(tree_of(text, read(text, tokens)), scope)
    if not is_narrow(query):
        raise _too_wide(text, tokens, query)
    return query


def _tokens(text: str, split: Callable[[str], list[Token]]) -> list[Token]:
    if not text.strip():
        raise error_at(text, 0, "the query is empty", 'Write what to listen for, such as: acme OR "acme db"')
    # Before the text is tokenized: the limit bounds that cost as well.
    if len(text) > MAX_CHARACTERS:
        message = f"the query has {len(text):,} characters, {MAX_CHARACTERS:,} are allowed"
        raise error_at(text, MAX_CHARACTERS, message, "Make several queries of it.")
    tokens = split(text)
    refuse_too_much(text, tokens)
    return tokens


def _scoped(node: Node, scope: Node | None) -> ParsedQuery:
    # The scope first: it is decided without reading the item's texts.
    return node if scope is None else combined(And, [scope, node])


def _too_wide(text: str, tokens: list[Token], query: ParsedQuery) -> QuerySyntaxError:
    hint = (
        "Join it to a word that must be there: acme -jobs; or to a place: or author: without a *. "
        "In a OR b, each needs one."
    )
    return error_at(text, widest(query, tokens), "this alone would match nearly every text", hint)
