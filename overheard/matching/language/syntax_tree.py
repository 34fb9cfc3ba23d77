"""A query as it is written: its brackets and operators, before fields and options are distributed over its terms."""

from __future__ import annotations

from typing import NamedTuple

from overheard.matching.language.tokens import Token


class WrittenTerm(NamedTuple):
    """A word, a phrase or a regular expression."""

    token: Token


class WrittenValues(NamedTuple):
    """The values of a field that is not a text, ``place:(a, b)``, or of an option, ``exact:dots``."""

    field: Token
    values: tuple[Token, ...]

    @property
    def name(self) -> str:
        return name_of(self.field)


class WrittenField(NamedTuple):
    """Terms in a field of text: ``title:(a OR b)``."""

    field: Token
    part: WrittenNode


class WrittenNot(NamedTuple):
    sign: Token
    part: WrittenNode


class WrittenNear(NamedTuple):
    left: WrittenNode
    right: WrittenNode
    sign: Token


class WrittenAll(NamedTuple):
    """Parts joined by AND, with the options for all of their terms."""

    parts: tuple[WrittenNode, ...]
    options: tuple[WrittenOption, ...]


class WrittenAny(NamedTuple):
    """Parts joined by OR."""

    parts: tuple[WrittenNode, ...]


class WrittenOption(NamedTuple):
    values: WrittenValues
    minus: Token | None


WrittenNode = WrittenTerm | WrittenValues | WrittenField | WrittenNot | WrittenNear | WrittenAll | WrittenAny


def name_of(field: Token) -> str:
    """Return the name of a field's token: without the colon, in lower case."""
    return field.text[:-1].lower()
