"""The query language: from what users write to trees.

    acme                 a word, whole and in any case or width (text.py says what a word is)
    "acme db"            words side by side in one field; “smart quotes” do as well
    acme python          both; the same as acme AND python
    acme OR acmedb       one of them or both
    acme -jobs           without: the same as acme NOT jobs, or acme AND NOT jobs
    acme (db OR sql)     brackets; otherwise NOT binds before AND, AND before OR

Every way to match must ask for some word: NOT x, or a OR NOT x, would match nearly everything and are refused. So is
what other languages offer and this one does not (and, or, not in lower case, wildcards, field names:
unsupported_syntax.py), rather than parse_stored as something else.
Limits: 2,000 characters, 200 terms, 200 words and 20 in a phrase, brackets 50 deep. Where no spaces stand between
words, two characters count as one.

What is stored may be older than a rule: `parse_stored` takes what was accepted before the limits of words and before
foreign syntax was refused, and reads it as it was read then, so that nothing stops to match with an upgrade.
`problem_with` says what `parse` would say to it today.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from overheard.matching.query_errors import QuerySyntaxError, error_at, no_word_error, start_of, unexpected_token_error
from overheard.matching.rarity import anchors
from overheard.matching.text import affixes, intern_all, spans, word_count, words
from overheard.matching.tree import And, Node, Not, Or, ParsedQuery, Term, combined, negated
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
MAX_TERMS = 200
MAX_WORDS = 200
MAX_PHRASE_WORDS = 20
MAX_DEPTH = 50

_QUOTES = '"“”„‟＂'
_GRAMMAR = rf"""
    start: either
    either: both (_OR both)*
    both: single (_AND? single)*
    ?single: term | without | _OPEN either _CLOSE
    without: (NOT | MINUS) single
    term: WORD | PHRASE

    _OPEN: /[(（]/
    _CLOSE: /[)）]/
    _AND.2: /AND(?=[\s()（）{_QUOTES}]|$)/
    _OR.2: /OR(?=[\s()（）{_QUOTES}]|$)/
    NOT.2: /NOT(?=[\s()（）{_QUOTES}]|$)/
    MINUS.2: /[-−–—](?=[^\s)）−–—-])/
    PHRASE: /[{_QUOTES}][^{_QUOTES}]*[{_QUOTES}]/
    WORD: /[^\s()（）{_QUOTES}]+/
    %ignore /\s+/
"""


_TERMS = ("WORD", "PHRASE")
# A word, or a phrase of plain words, is all that most queries are: these are read without the grammar, which takes ten
# times as long.
_PLAIN = re.compile(r'(?!(?:AND|OR|NOT)$)[^\W_]+|"[^\W_]+(?: [^\W_]+)*"')


class StoredQueryProblem(NamedTuple):
    """Why a stored query would be refused today. `matched`: it is still parse_stored, as it was before."""

    error: QuerySyntaxError
    matched: bool


def parse(text: str) -> ParsedQuery:
    """The query that a text stands for. Raises QuerySyntaxError, which says where and why, and no other."""
    query, error = parse_stored(text)
    if error is not None:
        raise error
    return query


def parse_stored(text: str) -> tuple[ParsedQuery, QuerySyntaxError | None]:
    """The query that a stored text stands for, and what `parse` would say against it today.

    Raises QuerySyntaxError for what has never been a query.
    """
    tokens = _tokens(text)
    error = unsupported(text, tokens)
    try:
        query = _grown(text, tokens)
    except QuerySyntaxError as unreadable:
        raise (error or unreadable) from None  # what it is in another language explains more
    return query, error or _too_long(text, tokens)


def problem_with(text: str) -> StoredQueryProblem | None:
    """What is wrong with a stored query by the rules of today; None: nothing."""
    try:
        _, error = parse_stored(text)
    except QuerySyntaxError as unreadable:
        return StoredQueryProblem(unreadable, matched=False)
    return StoredQueryProblem(error, matched=True) if error is not None else None


def _tokens(text: str) -> list[Token]:
    if not text.strip():
        raise error_at(text, 0, "the query is empty", 'Write what to listen for, such as: acme OR "acme db"')
    if len(text) > MAX_CHARACTERS:
        message = f"the query has {len(text):,} characters, {MAX_CHARACTERS:,} are allowed"
        raise error_at(text, MAX_CHARACTERS, message, "Make several queries of it.")
    if _PLAIN.fullmatch(text):
        return [Token("PHRASE" if text.startswith('"') else "WORD", text, 0)]
    return _lexed(text)


def _lexed(text: str) -> list[Token]:
    reader = _parser().parse_interactive(text)
    try:
        return list(reader.lexer_thread.lex(reader.parser_state))  # type: ignore[no-untyped-call]
    except UnexpectedCharacters as error:
        # Every other character can be part of a word.
        hint = 'Close it with ". A quotation mark cannot itself be searched for: leave it out.'
        raise error_at(text, error.pos_in_stream or 0, "this quotation mark is never closed", hint) from None


def _grown(text: str, tokens: Sequence[Token]) -> ParsedQuery:
    try:
        alone = len(tokens) == 1 and tokens[0].type in _TERMS
        root = _term(tokens[0]) if alone else _grow(text, tokens)
    except _WordMistake as error:
        raise no_word_error(text, start_of(error.token), str(error.token)) from None
    if not anchors(root):
        hint = "Join it to a word that must be there: acme -jobs. In a OR b, each side needs such a word."
        raise error_at(text, _open_at(root), "this alone would match nearly every text", hint)
    return root


def _too_long(text: str, tokens: Sequence[Token]) -> QuerySyntaxError | None:
    """The error for more words than matching is to be asked for, at the term that exceeds the limit."""
    if len(text) <= MAX_PHRASE_WORDS:
        return None
    total = 0
    for token in tokens:
        if token.type not in _TERMS:
            continue
        count = word_count(words(token))
        total += count
        if count > MAX_PHRASE_WORDS:
            message = f"a phrase of {count} words, {MAX_PHRASE_WORDS} are allowed"
            return error_at(
                text, start_of(token), message, "Shorten it: its rarest words, side by side, find the same."
            )
        if total > MAX_WORDS:
            return error_at(text, start_of(token), f"more than {MAX_WORDS} words", "Make several queries of it.")
    return None


def _grow(text: str, tokens: Sequence[Token]) -> Node:
    """Feed the parser token by token, so that limits and mistakes can point at the token."""
    parser = _parser().parse_interactive()
    depth = terms = fed = 0
    try:
        for token in tokens:
            depth += (token.type == "_OPEN") - (token.type == "_CLOSE")
            terms += token.type in _TERMS
            if depth > MAX_DEPTH:
                raise error_at(text, start_of(token), f"brackets more than {MAX_DEPTH} deep", "Drop some of them.")
            if terms > MAX_TERMS:
                raise error_at(text, start_of(token), f"more than {MAX_TERMS} terms", "Make several queries of it.")
            parser.feed_token(token)
            fed += 1
        tree: Node = parser.feed_eof(tokens[-1])  # type: ignore[no-untyped-call]
    except UnexpectedToken as error:
        raise unexpected_token_error(text, error.token, tokens[:fed]) from None
    return tree


class _WordMistake(Exception):
    """A term that says nothing, found while the tree grows, where the whole text is not at hand."""

    def __init__(self, token: Token) -> None:
        super().__init__(str(token))
        self.token = token


@v_args(inline=True)
class _Grower(Transformer[Token, Node]):
    """Called by the parser as it recognises each rule: no recursion, however deep the query."""

    def start(self, node: Node) -> Node:
        return node

    def either(self, *parts: Node) -> Node:
        return combined(Or, list(parts))

    def both(self, *parts: Node) -> Node:
        return combined(And, list(parts))

    def without(self, sign: Token, node: Node) -> Node:
        return negated(node, start_of(sign))

    def term(self, token: Token) -> Node:
        return _term(token)


def _term(token: Token) -> Term:
    text = str(token) if token.type == "WORD" else token[1:-1]
    said = intern_all(words(text))
    if not said:
        raise _WordMistake(token)
    plain = text.replace(" ", "").isalnum()
    worn = () if plain else tuple(affixes(text, span) for span in spans(text))
    # One string where one will do: most of a million queries are plain lower-case words.
    return Term(said, worn if any(map(any, worn)) else (), said[0] if text == said[0] else text)


def _open_at(node: Node) -> int:
    """Where the NOT stands that leaves a way to match without any word."""
    match node:
        case Not(at=at):
            return at
        case And(parts=parts) | Or(parts=parts):
            return next(_open_at(part) for part in parts if not anchors(part))
        case Term():
            return 0


@cache
def _parser() -> Lark:
    # Safe to share between threads: what a parse changes lives in its InteractiveParser.
    return Lark(_GRAMMAR, parser="lalr", lexer="basic", transformer=_Grower())
