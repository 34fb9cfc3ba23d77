"""From a term as it is written to a leaf of the tree."""

from __future__ import annotations

import re

from overheard.matching.language.errors import error_at, no_word_error, shortened
from overheard.matching.language.plain_query import plain_term
from overheard.matching.language.regex import PatternError, check, literals
from overheard.matching.language.spelling import spell, spell_exactly
from overheard.matching.language.term_context import DEFAULT_CONTEXT, TermContext
from overheard.matching.language.tokens import QUOTES, Token, is_field
from overheard.matching.language.wildcards import affix, has_form, stemmed
from overheard.matching.tree import Pattern, Piece, Term, Word

MAX_DISTANCE = 50

_PHRASE = re.compile(rf"=?[{QUOTES}]([^{QUOTES}]*)[{QUOTES}](.*)")
_REGEX = re.compile(r"=?/(.+)/([a-z]*)")
_FLAG_REMEDIES = {
    "g": "Drop it: a regular expression is found wherever it matches.",
    "s": "Write (?s) at its beginning: /(?s)…/.",
    "m": "Drop it: ^ and $ match at the ends of lines.",
}
_OTHER_FLAG = "Drop it."


def leaf(text: str, token: Token, context: TermContext) -> Term | Pattern:
    """Return the term that a token stands for. Raise QuerySyntaxError."""
    if context is DEFAULT_CONTEXT and (plain := plain_term(token.text)):
        return plain
    if token.type == "REGEX":
        return _pattern(text, token, context)
    exact = token.text[0] == "="
    if token.type == "PHRASE":
        return _exact_phrase(text, token, context) if exact else _phrase(text, token, context)
    return _exact_word(text, token, context) if exact and len(token.text) > 1 else _word(text, token, context)


def _word(text: str, token: Token, context: TermContext) -> Term:
    piece: Piece | None = None
    if has_form(token.text):
        piece = affix(token.text) if "*" in token.text else stemmed(token.text)
    try:
        piece = piece or spell(token.text, context.exact)
    except ValueError:
        raise no_word_error(text, token.start, token.text) from None
    return Term((piece,), None, context.where, context.exact, context.written(token.text))


def _exact_word(text: str, token: Token, context: TermContext) -> Term:
    word = token.text[1:]
    if word[0] in "=~" or "*" in word or is_field(word):
        hint = "Write = right in front of a word, a phrase or a regular expression; a field comes first: title:=Word."
        raise error_at(text, token.start, f"= cannot stand in front of {shortened(word)}", hint)
    return _exactly(text, token, context, word, token.text)


def _exact_phrase(text: str, token: Token, context: TermContext) -> Term:
    words, suffix = _inside(token)
    if suffix:
        hint = 'Drop one of them: "a b"~5 for words in any order, ="A B" for a text exactly as it is written.'
        raise error_at(text, token.start, "= and ~ contradict each other", hint)
    said = " ".join(words)
    return _exactly(text, token, context, said, f'="{said}"')


def _exactly(text: str, token: Token, context: TermContext, said: str, written: str) -> Term:
    try:
        word = spell_exactly(said)
    except ValueError:
        raise no_word_error(text, token.start, token.text) from None
    return Term((word,), None, context.where, frozenset(), context.written(written, with_exact=False))


def _phrase(text: str, token: Token, context: TermContext) -> Term:
    chunks, suffix = _inside(token)
    pieces = [word for chunk in chunks if (word := _spelled(chunk, context)) is not None]
    if not pieces:
        raise no_word_error(text, token.start, token.text)
    within = _within(text, token, suffix, len(pieces)) if suffix else None
    written = f'"{" ".join(chunks)}"' + (f"~{within}" if suffix else "")
    return Term(tuple(pieces), within, context.where, context.exact, context.written(written))


def _spelled(chunk: str, context: TermContext) -> Word | None:
    """Return the word for a chunk of a phrase; None for mere punctuation, which a phrase may have between its words."""
    try:
        return spell(chunk, context.exact)
    except ValueError:
        return None


def _inside(token: Token) -> tuple[list[str], str]:
    match = _PHRASE.fullmatch(token.text)
    return (match[1].split(), match[2]) if match else ([], "")


def _within(text: str, token: Token, suffix: str, count: int) -> int:
    at = token.end - len(suffix)
    if not re.fullmatch("~[0-9]+", suffix):
        hint = 'Write a number of words: "a b"~5 allows five more between and around them.'
        raise error_at(text, at, f"{shortened(suffix)} is not a distance", hint)
    if count < 2:
        hint = "Drop it, or write more words in the quotes."
        raise error_at(text, at, f"{shortened(suffix)} needs several words", hint)
    return distance(text, at, suffix[1:])


def distance(text: str, at: int, digits: str) -> int:
    """Return the number of words that may be between others. Raise QuerySyntaxError."""
    if int(digits) > MAX_DISTANCE:
        hint = f"Write at most {MAX_DISTANCE}; or join them with AND."
        raise error_at(text, at, f"a distance of more than {MAX_DISTANCE} words", hint)
    return int(digits)


def _pattern(text: str, token: Token, context: TermContext) -> Pattern:
    match = _REGEX.fullmatch(token.text)
    regex, flags = (match[1], match[2]) if match else ("", "")
    case = token.text[0] == "="
    at = token.end - len(flags)
    if flags and (problem := _flag_problem(flags, case)):
        raise error_at(text, at, *problem)
    try:
        check(regex, case)
    except PatternError as error:
        raise error_at(text, token.start, error.reason, error.hint) from None
    written = f"{'=' * case}/{regex}/"
    return Pattern(regex, case, literals(regex), context.where, context.written(written, with_exact=False))


def _flag_problem(flags: str, case: bool) -> tuple[str, str] | None:
    other = flags.replace("i", "")
    if other:
        return f"{other[0]} after a regular expression is not supported", _FLAG_REMEDIES.get(other[0], _OTHER_FLAG)
    if case:
        return "= and i contradict each other", "Drop the i to find this case only, or the = to find any."
    return None
