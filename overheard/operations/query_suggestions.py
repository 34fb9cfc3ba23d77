"""A few good queries for a name: templates, filled with the spellings of the name that are worth looking for. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from overheard.errors import InvalidInput
from overheard.matching.language import QuerySyntaxError, parse
from overheard.matching.tree import Term
from overheard.operations.common_words import common_words
from overheard.operations.query_outline import is_plain

CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")  # AcmeDB is written Acme DB, too
QUOTES = re.compile(r'["“”„‟＂]')
PLAIN = re.compile(r"[^\W_]+")
LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
BEFORE_HOST = re.compile(r"^(?:https?://)?(?:www\.)?", re.IGNORECASE)

ALTERNATIVES = '(alternative OR alternatives OR replacement OR "instead of" OR "switch from" OR "moved from")'
COMPARED = '(vs OR versus OR "compared to" OR "better than")'
COMPLAINTS = (
    "(~crash OR slow OR outage OR down OR broken OR ~bug OR hate OR terrible OR useless OR expensive OR refund"
    ' OR cancel OR "does not work" OR "doesnt work" OR "stopped working")'
)
QUESTIONS = '("how do i" OR "how to" OR "anyone use" OR "anyone using" OR "any experience" OR "worth it" OR "should i")'
SOFTWARE = "(app OR tool OR software OR pricing OR subscription OR account OR api)"


class SuggestedQuery(msgspec.Struct, frozen=True):
    """A query, its name in a workspace file, and a line of why. ``hits_per_day``: None if it is not known."""

    name: str
    text: str
    why: str
    hits_per_day: float | None = None


def suggestions(name: str, domain: str | None = None, competitors: Sequence[str] = ()) -> list[SuggestedQuery]:
    """Return queries for a name. Raises InvalidInput if a query cannot be made of what is given."""
    made = list(_suggestions(name, domain, competitors))
    for query in made:
        try:
            parse(query.text)
        except QuerySyntaxError as error:
            raise InvalidInput(f"no query can be made of that: {error}") from None
    return made


def _suggestions(name: str, domain: str | None, competitors: Sequence[str]) -> Iterator[SuggestedQuery]:
    forms = _forms(name)
    near = _choice(forms)
    if _is_common(name):
        word = name.strip().lower()
        yield SuggestedQuery("brand", forms[0], f"the name with its capital: {word} is a common word")
        lower = f"{word} NEAR/10 {SOFTWARE}"
        yield SuggestedQuery("brand-in-context", lower, "in any case, near a word about software")
    else:
        yield SuggestedQuery("brand", " OR ".join(forms), "the name in its usual spellings, in any case")
    if domain is not None:
        host = BEFORE_HOST.sub("", domain.strip()).partition("/")[0].lower()
        yield SuggestedQuery("domain", f"domain:{host}", "links to the site; most posts with one do not name it")
    others = [form for competitor in competitors for form in _forms(competitor)]
    if not LATIN.search(name):
        # English words are rarely near a name in another script.
        if others:
            yield SuggestedQuery("comparisons", f"{near} NEAR/25 {_choice(others)}", "compared with something else")
        return
    yield SuggestedQuery(
        "alternatives", f"{near} NEAR/5 {ALTERNATIVES}", "looking for something else, or coming from it"
    )
    compared = f"{near} NEAR/3 {COMPARED}"
    if others:
        compared = f"{compared} OR {near} NEAR/25 {_choice(others)}"
    yield SuggestedQuery("comparisons", compared, "compared with something else")
    yield SuggestedQuery("complaints", f"{near} NEAR/15 {COMPLAINTS}", "words of complaint near the name")
    yield SuggestedQuery("questions", f"{near} NEAR/20 {QUESTIONS}", "questions near the name")
    if others:
        leaving = f"{_choice(others)} NEAR/5 {ALTERNATIVES}"
        yield SuggestedQuery("competitors", leaving, "looking for something else than a competitor")


def _forms(name: str) -> list[str]:
    """Return the spellings of a name, as terms of a query."""
    words = QUOTES.sub(" ", name).split()
    if not words:
        raise InvalidInput("a name is empty: write that of the product or company, or of what it is compared with")
    if _is_common(name):
        return [f"={words[0][:1].upper()}{words[0][1:]}"]
    if len(words) == 1:
        parts = CAMEL.split(words[0])
        return [_word(words[0]), *([f'"{" ".join(parts).lower()}"'] if len(parts) > 1 else [])]
    joined = "".join(words).lower()
    simple = PLAIN.fullmatch(joined) and joined not in common_words()
    return [f'"{" ".join(words).lower()}"', *([joined] if simple else [])]


def _is_common(name: str) -> bool:
    return name.strip().casefold() in common_words()


def _word(word: str) -> str:
    """Return a word of a query; in quotes if it would not be one otherwise."""
    try:
        term = parse(word)
    except QuerySyntaxError:
        return f'"{word}"'
    return word if isinstance(term, Term) and is_plain(term) else f'"{word}"'


def _choice(terms: Sequence[str]) -> str:
    return f"({' OR '.join(terms)})" if len(terms) > 1 else terms[0]
