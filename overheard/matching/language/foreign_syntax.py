"""Syntax of other search languages, which this one does not support: refused, with what to write instead.

Reading it as words would mislead: `acme or db` would require all three words, and 'acme db' would not be a phrase. In
double quotes it is words. Names that only look like such syntax stay words: foo::bar, http://…, 12:30, /r/python,
rock'n'roll. foreign_terms.py has what shows in a single term.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from overheard.matching.language.errors import QuerySyntaxError, error_at
from overheard.matching.language.foreign_terms import Problem, problem_of_terms
from overheard.matching.language.tokens import TERM_TYPES, Token

_UPPER = "is not an operator: they are written in upper case"
CONNECTORS = {
    "and": (_UPPER, "AND, or nothing"),
    "or": (_UPPER, "OR"),
    "not": (_UPPER, "NOT, or a - right in front of the word"),
    "around": ("is not an operator", "NEAR/15, for at most 15 words between"),
    "near": ("is not an operator without a distance", "NEAR/15, for at most 15 words between"),
}
_TERM_ENDS = (*TERM_TYPES, "CLOSE")
_TERM_BEGINS = (*TERM_TYPES, "FIELD", "OPEN", "NOT", "MINUS")
# NEAR in lower case, or as LexisNexis, Westlaw and others write it.
_NEARS = re.compile(r"(?i:near|w|pre|adj|onear)/(\d+)|(?:NEAR|ONEAR|ADJ)(?:[/:~]\D*|(?=\d))(\d*)")
# Pairs differ by language: German ‚…‘ closes with what opens in English.
_CLOSING = {"'": "'", "‘": "’", "‚": "‘", "‛": "’", "’": "’", "＇": "＇", "`": "`", "«": "»"}
_COUNT = re.compile(r"\d+|any|all|one|none", re.IGNORECASE)
# Without any of these signs and words, there is nothing to check.
_SIGNS = re.compile(r"[]*!?~^|｜&/=:：%<>\[{'‘‚‛’＇`«]|(?:NEAR|ADJ)\d")
_NAMES = frozenset((*CONNECTORS, "of"))


def unsupported(text: str, tokens: Sequence[Token]) -> QuerySyntaxError | None:
    """Return the error for the first syntax of another language in a query's tokens, or None."""
    problems = []
    # Most queries have neither such a sign nor such a word.
    if _SIGNS.search(text):
        problems += [_quoted(tokens), _ranges(tokens), _near(tokens), problem_of_terms(tokens)]
    if any(token.type == "WORD" and token.text.lower() in _NAMES for token in tokens):
        problems += [_connectors(tokens), _counts(tokens)]
    found = [problem for problem in problems if problem]
    if not found:
        return None
    # The leftmost: a later one may be a consequence of it.
    at, message, hint = min(found)
    return error_at(text, at, message, hint)


def _connectors(tokens: Sequence[Token]) -> Problem | None:
    """Find operators in lower case in the position of an operator; NEAR in any case."""
    for number, (token, after) in enumerate(pairwise(tokens)):
        name = token.text.lower()
        if token.type != "WORD" or name not in CONNECTORS or after.type not in _TERM_BEGINS:
            continue
        between = number > 0 and tokens[number - 1].type in _TERM_ENDS
        # NOT may come first, and so does NEAR(a b) in the languages that have it.
        called = name in ("near", "around") and after.type == "OPEN" and after.start == token.end
        if between or called or name == "not":
            message, instead = CONNECTORS[name]
            quote = f'put it, or the whole phrase, in quotes: "{token.text}"'
            hint = f"Write {instead}. To search for the word itself, {quote}."
            return token.start, f"{token.text} {message}", hint
    return None


def _near(tokens: Sequence[Token]) -> Problem | None:
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if (
            token.type == "WORD"
            and before.type in _TERM_ENDS
            and after.type in _TERM_BEGINS
            and (match := _NEARS.fullmatch(token.text))
        ):
            right = f"NEAR/{match[1] or match[2] or 15}"
            hint = f'Write {right}. To search for the word itself, put it in quotes: "{token.text}".'
            return token.start, f"{token.text} is not an operator", hint
    return None


def _quoted(tokens: Sequence[Token]) -> Problem | None:
    """Find phrases in quotation marks other than double ones."""
    for start, token in enumerate(tokens):
        if token.type != "WORD" or not (closing := _CLOSING.get(token.text[0])):
            continue
        if len(token.text) > 1 and token.text.endswith(closing):
            continue  # a single word in quotes means that word anyway
        if (end := _closing_index(tokens, start + 1, closing)) is None:
            continue
        phrase = " ".join(token.text for token in tokens[start:end])[1:-1]
        return token.start, "phrases are written in double quotes only", f'Write "{phrase}" instead.'
    return None


def _closing_index(tokens: Sequence[Token], start: int, closing: str) -> int | None:
    """Return the index after the word that ends with the closing sign; None if the next phrase comes first."""
    for number, token in enumerate(tokens[start:], start + 1):
        if token.type == "PHRASE":
            return None
        if token.type == "WORD" and token.text.endswith(closing):
            return number
    return None


def _counts(tokens: Sequence[Token]) -> Problem | None:
    for count, of, opening in zip(tokens, tokens[1:], tokens[2:], strict=False):
        types = (count.type, of.type, opening.type)
        if types == ("WORD", "WORD", "OPEN") and of.text.lower() == "of" and _COUNT.fullmatch(count.text):
            said = f"{count.text} {of.text}"
            message = f"{said} (…) is not supported: a query cannot require a number of its words"
            hint = f'Write the combinations out: (a b) OR (a c) OR (b c). To search for the words: "{said}".'
            return count.start, message, hint
    return None


def _ranges(tokens: Sequence[Token]) -> Problem | None:
    for first, to in pairwise(tokens):
        if first.type == to.type == "WORD" and first.text[0] in "[{" and to.text == "TO":
            hint = "Write the wanted numbers or words with OR between them; there is no field with an order."
            return first.start, "there are no ranges", hint
    return None
