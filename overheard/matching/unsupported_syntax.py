"""Syntax of other search languages, which this one does not support: refused, with what to write instead.

To read it as words would mislead: `acme or db` would require all three words, and 'acme db' would not be a phrase. In
double quotes it is words. Names that only look like such syntax stay words: foo::bar, http://…, 12:30, /r/python,
rock'n'roll.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from overheard.matching.fields import TEXT_FIELDS, foreign_field
from overheard.matching.query_errors import QuerySyntaxError, error_at, shortened
from overheard.matching.text import read
from overheard.matching.tokens import TERM_TYPES, Token
from overheard.matching.word_forms import MIN_AFFIX_CHARACTERS, affix, stemmed
from overheard.matching.written import name_of

_OR_FORMS = "Write out the wanted forms with OR instead of"
_SLASHES = r"Write \/ for a / inside a regular expression, instead of"
# For one word without quotes: (pattern, message, what to write instead of it).
_WORDS = [
    (re.compile(pattern, re.IGNORECASE), message, remedy)
    for pattern, message, remedy in (
        (r"!\w", "! does not exclude", "Write a - in front to exclude a word, not"),
        (
            r"~[\d.]+$",
            "~ with a number touches the phrase in front of it",
            'Write "rate limit"~5, without a space. Drop',
        ),
        (r"(.*\w)?\^[\d.]*$", "words have no weight", "Drop the ^ of"),
        (r".*\w~[\d.]*$", "words are not searched by likeness; ~ in front of a word stands for its stem", _OR_FORMS),
        (r"\w+\?\w+$", "? does not stand for a character", _OR_FORMS),
        (r".*([|｜]|\w&&\w)", "| and && are not operators", "Write OR or AND, with spaces around it, instead of"),
        (
            r"=?/(?!(?:r|u|user|comments)/).*[][\\()*+?|^${}].*/[gimsux]{0,3}$",
            "a / ends a regular expression",
            _SLASHES,
        ),
        (r"=?/(?!(?:r|u|user|comments)/)[^/]+/[gimsux]{0,3}$", "this regular expression is not closed", _SLASHES),
    )
]
_UPPER = "is not an operator: they are written in upper case"
_CONNECTORS = {
    "and": (_UPPER, "AND, or nothing"),
    "or": (_UPPER, "OR"),
    "not": (_UPPER, "NOT, or a - right in front of the word"),
    "around": ("is not an operator", "NEAR/15, for at most 15 words between"),
    "near": ("is not an operator without a distance", "NEAR/15, for at most 15 words between"),
}
_TERM_ENDS = (*TERM_TYPES, "CLOSE")
_TERM_BEGINS = (*TERM_TYPES, "FIELD", "OPEN", "NOT", "MINUS")
# NEAR in lower case, or as LexisNexis, Westlaw and others write it.
_NEARS = re.compile(r"(?:near|w|pre|adj|onear)/(\d+)", re.IGNORECASE)
# Pairs differ by language: German ‚…‘ closes with what opens in English.
_CLOSING = {"'": "'", "‘": "’", "‚": "‘", "‛": "’", "’": "’", "＇": "＇", "`": "`", "«": "»"}
_COUNT = re.compile(r"\d+|any|all|one|none", re.IGNORECASE)


# Without any of these signs and words, there is nothing to check.
_SIGNS = re.compile(r"[]*!?~^|｜&/=:：\[{'‘‚‛’＇`«]")
_NAMES = frozenset((*_CONNECTORS, "of"))
# In a phrase: a wildcard, not a sign of its own.
_WILDCARD = re.compile(r"\w\*|\*\w")


def unsupported(text: str, tokens: Sequence[Token]) -> QuerySyntaxError | None:
    """Return the error for the first syntax of another language in a query's tokens, or None."""
    problems = []
    # Most queries have neither such a sign nor such a word.
    if _SIGNS.search(text):
        problems += [_quoted(tokens), _ranges(tokens), _terms(tokens)]
        problems += [_near(tokens)]
    if any(token.type == "WORD" and token.text.lower() in _NAMES for token in tokens):
        problems += [_connectors(tokens), _counts(tokens)]
    found = [problem for problem in problems if problem]
    if not found:
        return None
    # The leftmost: a later one may be a consequence of it.
    at, message, hint = min(found)
    return error_at(text, at, message, hint)


_Problem = tuple[int, str, str]  # offset, message, hint


def _terms(tokens: Sequence[Token]) -> _Problem | None:
    for token in _outside_values(tokens):
        if token.type == "PHRASE" and "*" in token.text and _WILDCARD.search(token.text):
            hint = "Write optimi* NEAR/0 query, with the * outside of the quotes; or drop the *, which is not searched."
            return token.start, "there are no wildcards in a phrase", hint
        # Every pattern needs a sign: a plain word, as most are, skips all of them.
        if token.type != "WORD" or token.text.isalnum():
            continue
        if found := _form_problem(token.text) or foreign_field(token.text) or _pattern_problem(token.text):
            message, remedy = found
            said = shortened(token.text)
            return token.start, f"{message}: {said}", f"{remedy} {said}{_in_quotes(token.text)}."
    return None


def _outside_values(tokens: Sequence[Token]) -> Iterator[Token]:
    """Leave out the values of fields: they have signs of their own, and are checked where they are read."""
    state = "outside"
    for token in tokens:
        if state == "in brackets":
            state = "outside" if token.type == "CLOSE" else state
        elif state == "behind a colon":
            state = "in brackets" if token.type == "OPEN" else "outside"
        elif token.type == "FIELD" and name_of(token) not in TEXT_FIELDS:
            state = "behind a colon"
        else:
            yield token


def _in_quotes(word: str) -> str:
    literal = word.replace("*", "")
    return (
        f'; or search for the text as it is, in quotes: "{literal}"'
        if literal == shortened(literal) and read(literal)[0]
        else ""
    )


def _pattern_problem(word: str) -> tuple[str, str] | None:
    return next(((message, remedy) for pattern, message, remedy in _WORDS if pattern.match(word)), None)


def _form_problem(word: str) -> tuple[str, str] | None:
    """Return what is wrong with a wildcard or a stem, or None."""
    if word[0] != "=" and "*" in word and affix(word) is None:
        if not word.strip("*"):
            return "a * alone would match everything", "Write the beginning of a word in front of"
        if word.count("*") == 1 and len(word) <= MIN_AFFIX_CHARACTERS and len(read(word)[0]) == 1:
            message = f"a * needs at least {MIN_AFFIX_CHARACTERS} letters or digits"
            return message, _OR_FORMS
        return "a * stands at the beginning or at the end of one word", _OR_FORMS
    if re.match(r"~\w", word) and re.search(r"[^\W\d]", word) and stemmed(word) is None:
        return "~ stands in front of one word", "Write ~ in front of each word of"
    return None


def _connectors(tokens: Sequence[Token]) -> _Problem | None:
    """Find operators in lower case in the position of an operator; NEAR in any case."""
    for number, (token, after) in enumerate(pairwise(tokens)):
        if token.type != "WORD" or after.type not in _TERM_BEGINS:
            continue
        name = token.text.lower()
        between = number > 0 and tokens[number - 1].type in _TERM_ENDS
        if name not in _CONNECTORS:
            continue
        # NOT may come first, and so does NEAR(a b) in the languages that have it.
        called = name in ("near", "around") and after.type == "OPEN" and after.start == token.end
        if between or called or name == "not":
            message, instead = _CONNECTORS[name]
            hint = f'Write {instead}. To search for the word itself, put it in quotes: "{token.text}".'
            return token.start, f"{token.text} {message}", hint
    return None


def _near(tokens: Sequence[Token]) -> _Problem | None:
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if (
            token.type == "WORD"
            and before.type in _TERM_ENDS
            and after.type in _TERM_BEGINS
            and (match := _NEARS.fullmatch(token.text))
        ):
            hint = f'Write NEAR/{match[1]}. To search for the word itself, put it in quotes: "{token.text}".'
            return token.start, f"{token.text} is not an operator", hint
    return None


def _quoted(tokens: Sequence[Token]) -> _Problem | None:
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


def _counts(tokens: Sequence[Token]) -> _Problem | None:
    for count, of, opening in zip(tokens, tokens[1:], tokens[2:], strict=False):
        types = (count.type, of.type, opening.type)
        if types == ("WORD", "WORD", "OPEN") and of.text.lower() == "of" and _COUNT.fullmatch(count.text):
            said = f"{count.text} {of.text}"
            message = f"{said} (…) is not supported: a query cannot require a number of its words"
            hint = f'Write the combinations out: (a b) OR (a c) OR (b c). To search for the words: "{said}".'
            return count.start, message, hint
    return None


def _ranges(tokens: Sequence[Token]) -> _Problem | None:
    for first, to in pairwise(tokens):
        if first.type == to.type == "WORD" and first.text[0] in "[{" and to.text == "TO":
            hint = "Write the wanted numbers or words with OR between them; there is no field with an order."
            return first.start, "there are no ranges", hint
    return None
