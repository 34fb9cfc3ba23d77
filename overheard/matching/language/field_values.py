"""Fields that have values, not words: from what is written after the colon to nodes of the tree."""

from __future__ import annotations

import re

from overheard.matching.language.errors import error_at, shortened
from overheard.matching.language.fields import closest
from overheard.matching.language.hosts import host_of
from overheard.matching.language.syntax_tree import WrittenValues
from overheard.matching.language.tokens import MINUS_SIGNS, QUOTES, Token
from overheard.matching.tree import Attribute, AttributeName, Domain

_KINDS = ("post", "comment")
_FLAGS = ("nsfw", "self", "link")
_IS = (*_KINDS, *_FLAGS)
_MEANT = {
    **dict.fromkeys(
        ("story", "job", "poll", "question", "submission"), "post: it includes stories, jobs and questions"
    ),
    **dict.fromkeys(("reply", "answer"), "comment: it includes replies and answers"),
    "text": "self",
}
_PREFIXES: dict[AttributeName, re.Pattern[str]] = {
    "place": re.compile(r"(?:/*r/+)+(?=.)"),
    "author": re.compile(r"(?:@|/*u(?:ser)?/+)+(?=.)"),
}
_SOURCE = re.compile(r"[a-z]+")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{1,8})*")
_LANGUAGES = {
    name: code
    for code, names in {
        "ar": "arabic",
        "de": "german deutsch",
        "en": "english",
        "es": "spanish español espanol",
        "fr": "french français francais",
        "hi": "hindi",
        "it": "italian italiano",
        "ja": "japanese jp",
        "ko": "korean",
        "nl": "dutch",
        "pl": "polish",
        "pt": "portuguese português portugues",
        "ru": "russian",
        "tr": "turkish",
        "uk": "ukrainian",
        "zh": "chinese cn",
    }.items()
    for name in names.split()
}
_LISTED = re.compile("[,，、]")
_MIN_WILDCARD_CHARACTERS = 3
# What ends a word of a query, or begins one of its other forms.
_NEEDS_QUOTES = re.compile(rf"[\s()（）,，、=/~:：]|^[{MINUS_SIGNS}]")


def value_of(token: Token) -> str:
    """Return what a value says, without its quotation marks."""
    return token.text[1:-1].strip() if token.type == "PHRASE" else token.text


def values_of(text: str, written: WrittenValues) -> list[Attribute | Domain]:
    """Return a node for each value of a field. Raise QuerySyntaxError."""
    return [_one(text, written.name, token) for token in written.values]


def _one(text: str, name: str, token: Token) -> Attribute | Domain:
    if token.type == "REGEX" or token.text[0] in "=~" or (token.type == "PHRASE" and token.text[-1] not in QUOTES):
        hint = f"Write {name}:name, or {name}:(one, two); names are compared in any case."
        raise error_at(text, token.start, f"{name}: takes a name as it is", hint)
    value = value_of(token)
    if token.type == "WORD" and _LISTED.search(value):
        first, *others = [part for part in _LISTED.split(value) if part] or ["one"]
        names = ", ".join([first, *(others or ["other"])])
        hint = f"Write {name}:({shortened(names)}); a name that contains a comma is written in quotes."
        raise error_at(text, token.start, f"{name}: takes several names in brackets only", hint)
    if name == "domain":
        return _domain(text, token, value)
    if name == "is":
        return _flag(text, token, value.lower())
    folded = value.casefold()
    if name == "source":
        if not _SOURCE.fullmatch(folded):
            raise error_at(
                text, token.start, f"{shortened(value)} is not the name of a source", "Write one such as source:reddit."
            )
        return Attribute("source", folded, f"source:{folded}")
    if name == "lang":
        return _language(text, token, folded.replace("_", "-"))
    return _named(text, token, "author" if name == "author" else "place", folded)


def _domain(text: str, token: Token, value: str) -> Domain:
    try:
        host = host_of(value)
    except ValueError:
        hint = "Write a host with a dot, such as domain:acme.com; those below it, such as www.acme.com, are found too."
        raise error_at(text, token.start, "this is not the name of a host", hint) from None
    return Domain(host, f"domain:{host}")


def _flag(text: str, token: Token, value: str) -> Attribute:
    if value not in _IS:
        meant = _MEANT.get(value)
        hint = f"Write is:{meant}." if meant else closest(value, _IS)
        raise error_at(text, token.start, f"is:{shortened(value)} does not exist", hint)
    return Attribute("kind" if value in _KINDS else "is", value, f"is:{value}")


def _language(text: str, token: Token, value: str) -> Attribute:
    if value in _LANGUAGES or not _LANGUAGE.fullmatch(value):
        hint = (
            f"Write lang:{_LANGUAGES.get(value, 'en')}: languages are written with their two-character codes (ISO 639)."
        )
        raise error_at(text, token.start, f"{shortened(value)} is not the code of a language", hint)
    return Attribute("lang", value, f"lang:{value}")


def _named(text: str, token: Token, name: AttributeName, value: str) -> Attribute:
    match = _PREFIXES[name].match(value)
    value = value[match.end() :].rstrip("/") if match else value
    if not value.strip("*/@ "):
        raise error_at(text, token.start, f"{name}: needs a name", f"Write {name}:name.")
    if "*" in value:
        _check_wildcard(text, token, name, value)
    written = f'"{value}"' if _NEEDS_QUOTES.search(value) else value
    return Attribute(name, value, f"{name}:{written}")


def _check_wildcard(text: str, token: Token, name: str, value: str) -> None:
    part = value.removeprefix("*") if value[0] == "*" else value.removesuffix("*")
    if "*" in part:
        hint = f"Write it at the beginning or at the end: {name}:auto* or {name}:*bot."
        raise error_at(text, token.start, f"a * inside a name, or at both its ends: {shortened(value)}", hint)
    if len(part) < _MIN_WILDCARD_CHARACTERS:
        hint = f"Write at least {_MIN_WILDCARD_CHARACTERS} characters beside the *."
        raise error_at(text, token.start, f"{shortened(value)} would match nearly every {name}", hint)
