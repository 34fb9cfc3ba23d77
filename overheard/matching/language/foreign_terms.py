"""Syntax of other search languages within a single word or phrase, and wildcards where there are none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from overheard.matching.language.errors import shortened
from overheard.matching.language.fields import TEXT_FIELDS, foreign_field
from overheard.matching.language.syntax_tree import name_of
from overheard.matching.language.tokens import Token
from overheard.matching.language.wildcards import MIN_AFFIX_CHARACTERS, affix, stemmed
from overheard.matching.text.words import is_unspaced, read

Problem = tuple[int, str, str]  # offset, message, hint

_OR_FORMS = "Write out the wanted forms with OR instead of"
_SLASHES = r"Write \/ for a / inside a regular expression, instead of"
# For one word without quotes: (pattern, message, what to write instead of it).
_WORDS = [
    (re.compile(pattern, re.IGNORECASE), message, remedy)
    for pattern, message, remedy in (
        (r"!\w", "! does not exclude", "Write a - in front to exclude a word, not"),
        (r"~[\d.]+$", "~ with a number touches the phrase before it", 'Write "rate limit"~5, without a space. Drop'),
        (r"(.*\w)?\^[\d.]*$", "words have no weight", "Drop the ^ of"),
        (r".*\w~[\d.]*$", "words are not searched by likeness; ~ in front of a word stands for its stem", _OR_FORMS),
        (r"\w+\?\w+$", "? does not stand for a character", _OR_FORMS),
        (r"%[^\W\d]|.*[^\W\d]%$", "% does not stand for other characters", "Write word* or *word instead of"),
        (r"[a-z_]{3,}(?::[<>]=?|>=?|<=)\d", "there are no comparisons", "Leave out"),
        (r".*([|｜]|\w&&\w)", "| and && are not operators", "Write OR or AND, with spaces around it, instead of"),
        (r"=?/(?!(?:r|u|user|comments)/).*[][\\()*+?|^${}].*/[gimsux]{0,3}$", "a / ends an expression", _SLASHES),
    )
]
_HOSTS_BELOW = re.compile(r"\*\.((?:[^\W_][\w-]*\.)+[^\W\d_]{2,})/?")
# In a phrase: a wildcard, not a sign of its own.
_WILDCARD = re.compile(r"\w\*|\*\w")


def problem_of_terms(tokens: Sequence[Token]) -> Problem | None:
    """Return the problem of the first word or phrase that has foreign syntax, or None."""
    for token in _outside_values(tokens):
        if token.type == "PHRASE" and "*" in token.text and _WILDCARD.search(token.text):
            hint = "Write optimi* NEAR/0 query, with the * outside of the quotes; or drop the *, which is not searched."
            return token.start, "there are no wildcards in a phrase", hint
        # Every pattern needs a sign: a plain word, as most are, skips all of them.
        if token.type != "WORD" or token.text.isalnum():
            continue
        if found := _form_problem(token.text) or _pattern_problem(token.text) or foreign_field(token.text):
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
        elif state == "after a colon":
            state = "in brackets" if token.type == "OPEN" else "outside"
        elif token.type == "FIELD" and name_of(token) not in TEXT_FIELDS:
            state = "after a colon"
        else:
            yield token


def _in_quotes(word: str) -> str:
    literal = word.replace("*", "")
    if literal != shortened(literal) or not read(literal)[0]:
        return ""
    return f'; or search for the text as it is, in quotes: "{literal}"'


def _pattern_problem(word: str) -> tuple[str, str] | None:
    return next(((message, remedy) for pattern, message, remedy in _WORDS if pattern.match(word)), None)


def _form_problem(word: str) -> tuple[str, str] | None:
    """Return what is wrong with a wildcard or a stem, or None."""
    if word[0] != "=" and "*" in word and affix(word) is None:
        if not word.strip("*"):
            return "a * alone would match everything", "Write the beginning of a word in front of"
        if host := _HOSTS_BELOW.fullmatch(word):
            return "a * stands at the beginning or at the end of one word", f"Write domain:{host[1]} instead of"
        if all(map(is_unspaced, read(word)[0])):
            return "in a script without spaces a word is found inside others, too", "Leave the * out of"
        if word.count("*") == 1 and len(word) <= MIN_AFFIX_CHARACTERS and len(read(word)[0]) == 1:
            message = f"a * needs at least {MIN_AFFIX_CHARACTERS} letters or digits"
            return message, _OR_FORMS
        return "a * stands at the beginning or at the end of one word", _OR_FORMS
    if re.match(r"~\w", word) and re.search(r"[^\W\d]", word) and stemmed(word) is None:
        if any(map(is_unspaced, read(word)[0])):
            return "~ knows English only", "Leave the ~ out of"
        return "~ stands in front of one word", "Write ~ in front of each word of"
    return None
