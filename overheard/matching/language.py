"""The query language: from what users write to trees.

    acme                 a word, whole and in any case or width (text.py says what a word is)
    "acme db"            words side by side in one field; “smart quotes” do as well
    acme python          both; the same as acme AND python
    acme OR acmedb       one of them or both
    acme -jobs           without: the same as acme NOT jobs, or acme AND NOT jobs
    acme (db OR sql)     brackets; otherwise NOT binds before AND, AND before OR

Operators are upper case only: and, or, not are words. Every way to match must ask for some word: NOT x, or
a OR NOT x, would match nearly everything and are refused. So is what other languages offer and this one
doesn't (wildcards, field names, !, ~), rather than read as something else.
Limits: 2,000 characters, 200 terms, brackets 50 deep.
"""

from functools import cache

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from overheard.matching.mistakes import QuerySyntaxError, foreign, misplaced, mistake, wordless
from overheard.matching.rarity import anchors
from overheard.matching.text import affixes, intern_all, spans, words
from overheard.matching.tree import And, Node, Not, Or, Query, Term, joined, negated

__all__ = ["MAX_CHARACTERS", "MAX_DEPTH", "MAX_TERMS", "Query", "QuerySyntaxError", "parse"]

MAX_CHARACTERS = 2_000
MAX_TERMS = 200
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


def parse(text: str) -> Query:
    """The query that a text stands for. Raises QuerySyntaxError, which says where and why, and no other."""
    if not text.strip():
        raise mistake(text, 0, "the query is empty", 'Write what to listen for, such as: acme OR "acme db"')
    if len(text) > MAX_CHARACTERS:
        message = f"the query has {len(text):,} characters, {MAX_CHARACTERS:,} are allowed"
        raise mistake(text, MAX_CHARACTERS, message, "Make several queries of it.")
    root = _grow(text, _parser().parse_interactive(text))
    if not anchors(root):
        hint = "Join it to a word that must be there: acme -jobs. In a OR b, each side needs such a word."
        raise mistake(text, _open_at(root), "this alone would match nearly every text", hint)
    return Query(root)


def _grow(text: str, parser: InteractiveParser) -> Node:
    """Feeds the parser token by token, so that limits and mistakes can point at the token."""
    tokens: list[Token] = []
    depth = terms = 0
    try:
        for token in parser.iter_parse():
            tokens.append(token)
            depth += (token.type == "_OPEN") - (token.type == "_CLOSE")
            terms += token.type in ("WORD", "PHRASE")
            if depth > MAX_DEPTH:
                raise mistake(text, _at(token), f"brackets more than {MAX_DEPTH} deep", "Drop some of them.")
            if terms > MAX_TERMS:
                raise mistake(text, _at(token), f"more than {MAX_TERMS} terms", "Make several queries of it.")
        tree: Node = parser.feed_eof(tokens[-1])  # type: ignore[no-untyped-call]
    except UnexpectedToken as error:
        token = error.token
        before = tokens if token.type == "$END" else tokens[:-1]
        raise misplaced(text, token, before) from None
    except UnexpectedCharacters as error:
        # Every other character can be part of a word.
        hint = 'Close it with ". A quotation mark cannot itself be searched for: leave it out.'
        raise mistake(text, error.pos_in_stream or 0, "this quotation mark is never closed", hint) from None
    except _WordMistake as error:
        raise error.explained(text) from None
    return tree


class _WordMistake(Exception):
    """A term that says nothing, found while the tree grows, where the whole text is not at hand."""

    def __init__(self, token: Token) -> None:
        super().__init__(str(token))
        self.token = token

    def explained(self, text: str) -> QuerySyntaxError:
        at, said = _at(self.token), str(self.token)
        return (foreign(text, at, said) if self.token.type == "WORD" else None) or wordless(text, at, said)


@v_args(inline=True)
class _Grower(Transformer[Token, Node]):
    """Called by the parser as it recognises each rule: no recursion, however deep the query."""

    def start(self, node: Node) -> Node:
        return node

    def either(self, *parts: Node) -> Node:
        return joined(Or, list(parts))

    def both(self, *parts: Node) -> Node:
        return joined(And, list(parts))

    def without(self, sign: Token, node: Node) -> Node:
        return negated(node, _at(sign))

    def term(self, token: Token) -> Node:
        return _term(token)


def _term(token: Token) -> Term:
    text = str(token) if token.type == "WORD" else token[1:-1]
    said = intern_all(words(text))
    if not said or (token.type == "WORD" and foreign(text, 0, text)):
        raise _WordMistake(token)
    worn = tuple(affixes(text, span) for span in spans(text))
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


def _at(token: Token) -> int:
    return token.start_pos or 0
