"""The grammar of the query language: from text to tokens, and from tokens to a tree (language.py describes it)."""

import re
from collections.abc import Sequence
from functools import cache

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from overheard.matching.folding import intern_all
from overheard.matching.query_errors import error_at, no_word_error, start_of, unexpected_token_error
from overheard.matching.symbols import affixes
from overheard.matching.text import read
from overheard.matching.tree import And, Node, Or, Term, combined, negated

MAX_TERMS = 200
# A tree evaluates itself by recursion, so its depth needs a bound. The figure is chosen, not measured.
MAX_DEPTH = 50
TERM_TOKENS = ("WORD", "PHRASE")

# Phones and word processors replace a plain quotation mark by one of the others.
_QUOTES = '"“”„‟＂'
# Operators have priority 2, as each of them could be a WORD, too. A MINUS touches its term: a lone one is a mistake.
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
# A word, or a phrase of plain words: most queries are no more than that. They bypass the grammar, which takes ten times
# as long.
_PLAIN = re.compile(r'(?!(?:AND|OR|NOT)$)[^\W_]+|"[^\W_]+(?: [^\W_]+)*"')


def tokenize(text: str) -> list[Token]:
    """Split a query that is not empty into tokens. Raise QuerySyntaxError for an unclosed quotation mark."""
    if _PLAIN.fullmatch(text):
        return [Token("PHRASE" if text.startswith('"') else "WORD", text, 0)]
    return lex(text)


def lex(text: str) -> list[Token]:
    """Do the same by the grammar alone."""
    reader = _parser().parse_interactive(text)
    try:
        return list(reader.lexer_thread.lex(reader.parser_state))  # type: ignore[no-untyped-call]
    except UnexpectedCharacters as error:
        # Every other character can be part of a word.
        hint = 'Close it with ". A quotation mark cannot itself be searched for: leave it out.'
        raise error_at(text, error.pos_in_stream or 0, "this quotation mark is never closed", hint) from None


def build_tree(text: str, tokens: Sequence[Token]) -> Node:
    """Build the tree of a query's tokens. Raise QuerySyntaxError."""
    try:
        if len(tokens) == 1 and tokens[0].type in TERM_TOKENS:
            return _make_term(tokens[0])
        return parse_tokens(text, tokens)
    except _EmptyTerm as error:
        raise no_word_error(text, start_of(error.token), str(error.token)) from None


def parse_tokens(text: str, tokens: Sequence[Token]) -> Node:
    """Do the same by the grammar alone; a term without a word raises _EmptyTerm."""
    # Token by token instead of the whole text: so that a limit or a mistake is reported at its token.
    parser = _parser().parse_interactive()
    depth = terms = fed = 0
    try:
        for token in tokens:
            depth += (token.type == "_OPEN") - (token.type == "_CLOSE")
            terms += token.type in TERM_TOKENS
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


class _EmptyTerm(Exception):
    """A term without any word. Raised while the tree is built, where the query's whole text is not available."""

    def __init__(self, token: Token) -> None:
        super().__init__(str(token))
        self.token = token


@v_args(inline=True)
class _TreeBuilder(Transformer[Token, Node]):
    """Callbacks that the parser runs as it recognises each rule: no recursion, however deep the query."""

    def start(self, node: Node) -> Node:
        return node

    def either(self, *parts: Node) -> Node:
        return combined(Or, list(parts))

    def both(self, *parts: Node) -> Node:
        return combined(And, list(parts))

    def without(self, sign: Token, node: Node) -> Node:
        return negated(node, start_of(sign))

    def term(self, token: Token) -> Node:
        return _make_term(token)


def _make_term(token: Token) -> Term:
    text = str(token) if token.type == "WORD" else token[1:-1]
    found, separators = read(text)
    folded = intern_all(found)
    if not folded:
        raise _EmptyTerm(token)
    # Without symbols none can be required: as in most queries.
    plain = text.replace(" ", "").isalnum()
    symbols = () if plain else tuple(map(affixes, separators, separators[1:], ["", *found]))
    # One string instead of two where they are equal: most of a million queries are plain lower-case words.
    return Term(folded, symbols if any(map(any, symbols)) else (), folded[0] if text == folded[0] else text)


@cache
def _parser() -> Lark:
    # Built on first use: plain queries never need it, and a command that parses none does not pay for it.
    # Safe to share between threads: the state of a parse is in its InteractiveParser.
    return Lark(_GRAMMAR, parser="lalr", lexer="basic", transformer=_TreeBuilder())
