"""From a query's text to its tokens."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from overheard.matching.language.errors import error_at
from overheard.matching.language.fields import FIELD_NAMES

# Phones and word processors replace a plain quotation mark by one of the others.
QUOTES = '"“”„‟＂'
_OPEN, _CLOSE = "(（", ")）"
_ENDS = rf"[\s{_OPEN}{_CLOSE}{QUOTES}]|\Z"
# Signs before a word that exclude it.
MINUS_SIGNS = "-−–—"
# Reddit's own addresses, which begin like a regular expression.
_PATH = "/(?:r|u|user|comments)/"
# With classes, in which a / needs no backslash; then, for an expression whose brackets do not match, without.
_REGEX_BODIES = r"(?:[^/\\\[\n]|\\[^\n]|\[\^?\]?(?:[^\]\\\n]|\\[^\n])*\])+", r"(?:[^/\\\s]|\\\S)+"
_REGEX = "|".join(rf"=?/(?!\s){body}/[gimsuxy]{{0,3}}(?={_ENDS}|[,，、])" for body in _REGEX_BODIES)
_FIELD = rf"(?i:{'|'.join(FIELD_NAMES)})[:：](?!:|//)"
# In the brackets of a field, a comma separates, but not in 1,000.
_COMMA = re.compile(r"[,，、](?!(?<=\d.)\d)")

_CLOSE_IT = 'Close it with ". A quotation mark cannot itself be searched for: leave it out.'

TERM_TYPES = ("WORD", "PHRASE", "REGEX")


class Token(NamedTuple):
    """``type``: one of the groups of the expressions below, COMMA (a kind of OR), or END."""

    type: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def tokenize(text: str) -> list[Token]:
    """Split a query into tokens. Raise QuerySyntaxError for an unclosed quotation mark."""
    tokens: list[Token] = []
    in_list = [False]  # for each open bracket: is it, or one around it, the list of a field
    at = 0
    after_field = False
    anywhere, value = _anywhere().match, _value().match
    while True:
        match = (value(text, at) if after_field else None) or anywhere(text, at)
        if match is None or match.lastgroup is None:
            break
        kind = match.lastgroup
        start, end = match.span(kind)
        if kind == "PLAIN":
            kind = "WORD"
        token = Token(kind, text[start:end], start)
        if kind == "OPEN":
            in_list.append(in_list[-1] or (after_field and start == at))
        elif kind == "CLOSE" and len(in_list) > 1:
            in_list.pop()
        if kind == "WORD" and in_list[-1]:
            tokens += _without_commas(token)
        else:
            tokens.append(token)
        after_field = kind == "FIELD"
        at = end
    if text[at:].strip():
        # Every other character can be part of a word.
        start = at + len(text[at:]) - len(text[at:].lstrip())
        raise error_at(text, start, "this quotation mark is never closed", _CLOSE_IT)
    return tokens


def tokenize_words(text: str) -> list[Token]:
    """Split a query as it was before it had fields, NEAR and regular expressions: into words, phrases and operators.

    A word is a phrase of its own, in which no sign has a meaning. Raise QuerySyntaxError as ``tokenize``.
    """
    tokens: list[Token] = []
    for match in _words().finditer(text):
        if match.lastgroup == "UNCLOSED":
            raise error_at(text, match.start(), "this quotation mark is never closed", _CLOSE_IT)
        kind = match.lastgroup or ""
        said = f'"{match[kind]}"' if kind == "WORD" else match[kind]
        tokens.append(Token("PHRASE" if kind == "WORD" else kind, said, match.start(kind)))
    return tokens


def is_field(text: str) -> bool:
    """Return True if a text begins as one of our fields does."""
    return _field().match(text) is not None


def _without_commas(token: Token) -> list[Token]:
    parts, at = [], 0
    for comma in _COMMA.finditer(token.text):
        parts += [Token("WORD", token.text[at : comma.start()], token.start + at)] if comma.start() > at else []
        parts.append(Token("COMMA", comma[0], token.start + comma.start()))
        at = comma.end()
    return [*parts, Token("WORD", token.text[at:], token.start + at)] if at < len(token.text) else parts


_TERMS = rf"""
      (?P<PHRASE>=?[{QUOTES}][^{QUOTES}]*[{QUOTES}](?:~[^\s{_OPEN}{_CLOSE}{QUOTES},]*)?)
    | (?P<REGEX>(?!{_PATH})(?:{_REGEX}))
    | (?P<FIELD>{_FIELD})
    | (?P<WORD>[^\s{_OPEN}{_CLOSE}{QUOTES}]+)
"""


_OPERATORS = rf"""(?P<OPEN>[{_OPEN}]) | (?P<CLOSE>[{_CLOSE}])
        | (?P<AND>AND)(?={_ENDS}) | (?P<OR>OR)(?={_ENDS}) | (?P<NOT>NOT)(?={_ENDS})
        | (?P<MINUS>[{MINUS_SIGNS}](?=[^{MINUS_SIGNS}\s{_CLOSE}]))"""


@cache
def _words() -> re.Pattern[str]:
    return re.compile(
        rf"""{_OPERATORS} | (?P<PHRASE>[{QUOTES}][^{QUOTES}]*[{QUOTES}])
        | (?P<WORD>[^\s{_OPEN}{_CLOSE}{QUOTES}]+) | (?P<UNCLOSED>[{QUOTES}])""",
        re.VERBOSE,
    )


@cache
def _anywhere() -> re.Pattern[str]:
    # First, because it is faster, what most words are. A minus touches its term: a lone one is a mistake.
    return re.compile(
        rf"""\s*(?: (?P<PLAIN>[a-z0-9]++(?=[\s{_CLOSE}]|\Z)) | {_OPERATORS} | (?P<NEAR>NEAR/\d+)(?={_ENDS})
        | {_TERMS})""",
        re.VERBOSE,
    )


@cache
def _value() -> re.Pattern[str]:
    """Return what may follow a field's colon, without a space."""
    return re.compile(rf"(?P<OPEN>[{_OPEN}]) | {_TERMS}", re.VERBOSE)


@cache
def _field() -> re.Pattern[str]:
    return re.compile(_FIELD)
