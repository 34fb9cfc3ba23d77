"""How large a query may be: what bounds the cost of parsing it, and of matching."""

from __future__ import annotations

from collections.abc import Sequence

from overheard.matching.language.errors import QuerySyntaxError, error_at
from overheard.matching.language.tokens import TERM_TYPES, Token
from overheard.matching.language.wildcards import has_form
from overheard.matching.text.words import read, word_count

MAX_CHARACTERS = 2_000
MAX_TERMS = 200
MAX_WORDS = 200
MAX_PHRASE_WORDS = 20
# A tree evaluates itself by recursion, so its depth needs a bound. The figure is chosen, not measured.
MAX_DEPTH = 50
# The index looks for a plain word at once, but for these in every word of a text.
MAX_FORMS = 20
MAX_PATTERNS = 5

_SEVERAL = "Make several queries of it."


def refuse_too_much(text: str, tokens: Sequence[Token]) -> None:
    """Raise QuerySyntaxError at the token that exceeds a limit which every stored query has observed."""
    depth = terms = forms = regexes = 0
    for token in tokens:
        kind = token.type
        if kind == "OPEN":
            depth += 1
            if depth > MAX_DEPTH:
                raise error_at(text, token.start, f"brackets more than {MAX_DEPTH} deep", "Drop some of them.")
        elif kind == "CLOSE":
            depth -= 1
        elif kind in TERM_TYPES:
            terms += 1
            regexes += kind == "REGEX"
            forms += kind == "REGEX" or (kind == "WORD" and has_form(token.text))
            if terms > MAX_TERMS:
                raise error_at(text, token.start, f"more than {MAX_TERMS} terms", _SEVERAL)
            if regexes > MAX_PATTERNS:
                raise error_at(text, token.start, f"more than {MAX_PATTERNS} regular expressions", _SEVERAL)
            if forms > MAX_FORMS:
                message = f"more than {MAX_FORMS} wildcards, stems and regular expressions"
                raise error_at(text, token.start, message, _SEVERAL)


def too_long(text: str, tokens: Sequence[Token]) -> QuerySyntaxError | None:
    """Return the error for too many words, at the term that exceeds the limit, or None."""
    # Every word has a character at least, so what is short cannot exceed a limit.
    short = len(text) <= MAX_WORDS
    total = 0
    for token in tokens:
        if (short and len(token.text) <= MAX_PHRASE_WORDS) or token.type not in ("WORD", "PHRASE"):
            continue
        count = word_count(read(token.text)[0])
        total += count
        if count > MAX_PHRASE_WORDS:
            message = f"a phrase of {count} words, {MAX_PHRASE_WORDS} are allowed"
            hint = "Shorten it: its rarest words, side by side, find the same."
            return error_at(text, token.start, message, hint)
        if total > MAX_WORDS:
            return error_at(text, token.start, f"more than {MAX_WORDS} words", _SEVERAL)
    return None
