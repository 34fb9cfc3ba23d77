"""Where the terms of a group may stand, and which of their variants count: what its fields and options say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from overheard.matching.language.errors import QuerySyntaxError, error_at, shortened
from overheard.matching.language.field_values import value_of
from overheard.matching.language.fields import TEXT_FIELDS, closest
from overheard.matching.language.foreign_syntax import CONNECTORS
from overheard.matching.language.syntax_tree import WrittenOption
from overheard.matching.language.tokens import MINUS_SIGNS, Token
from overheard.matching.tree import ANYWHERE, DEFAULT_FIELDS, VARIATIONS, FieldName, Variation, Where

# Begins a word of its own, but would not be one behind a field's colon.
_NOT_BEHIND_A_FIELD = re.compile(f"[{MINUS_SIGNS}:：]|//")
_LINKS = ("link", "links", "url")
_EXACT = (*VARIATIONS, "all")
_IN = ("link", *TEXT_FIELDS)


class TermContext(NamedTuple):
    """What fields and options around a term say of it."""

    where: Where = ANYWHERE
    exact: frozenset[Variation] = frozenset()

    def in_field(self, name: str) -> TermContext:
        """Return the context inside a field, which wins over options around it."""
        where = Where(TEXT_FIELDS[name], True if name == "url" else self.where.in_links)
        return self._replace(where=where)

    def written(self, term: str, *, with_exact: bool = True) -> str:
        """Return how to write a term so that it has this context anywhere in a query."""
        if self is DEFAULT_CONTEXT:
            return term
        fields, in_links = self.where
        options = ["-in:link"] if in_links is False else []
        if fields != DEFAULT_FIELDS:
            options += ["in:link"] if in_links else []
            options += [f"in:({', '.join(fields)})"] if len(fields) > 1 else []
        if with_exact:
            exact = ["all"] if len(self.exact) == len(VARIATIONS) else sorted(self.exact)
            options += [f"exact:{one}" for one in exact]
        if options and term.lower() in CONNECTORS:
            term = f'"{term}"'  # before an option, it would be refused as an operator in lower case
        if len(fields) == 1 or (fields == DEFAULT_FIELDS and in_links):
            name = fields[0] if len(fields) == 1 else "url"
            term = f'{name}:"{term}"' if _NOT_BEHIND_A_FIELD.match(term) else f"{name}:{term}"
        return f"({' '.join([term, *options])})" if options else term


DEFAULT_CONTEXT = TermContext()


def context_with(text: str, context: TermContext, options: Iterable[WrittenOption]) -> TermContext:
    """Return the context of a group inside another one, whose options its own replace. Raise QuerySyntaxError."""
    fields: tuple[FieldName, ...] = ()
    in_links: bool | None = None
    exact: set[Variation] = set(context.exact)
    for option in options:
        if option.values.name == "exact":
            exact |= _exact(text, option)
        elif _is_about_links(text, option):
            wanted = option.minus is None
            if in_links is not None and in_links != wanted:
                raise _contradiction(text, option, "Leave one of in:link and -in:link out.")
            in_links = wanted
        else:
            if fields:
                raise _contradiction(text, option, "Write in:(title, body) for one or the other.")
            fields = _fields(text, option)
    where = Where(fields or context.where.fields, context.where.in_links if in_links is None else in_links)
    return TermContext(where if where != ANYWHERE else ANYWHERE, frozenset(exact))


def _exact(text: str, option: WrittenOption) -> set[Variation]:
    if option.minus is not None:
        hint = "Drop the -: exact: switches a variation off, and without it all of them are on."
        raise error_at(text, option.minus.start, "exact: cannot be excluded", hint)
    found: set[Variation] = set()
    for token in option.values.values:
        value = value_of(token).lower()
        if value == "case":
            hint = 'Write =Word, or ="A Phrase", for a term that counts in exactly this form.'
            raise error_at(text, token.start, "exact:case is written with =", hint)
        if value not in _EXACT:
            raise _unknown(text, token, value, "exact", _EXACT)
        found |= {one for one in VARIATIONS if value in (one, "all")}
    return found


def _is_about_links(text: str, option: WrittenOption) -> bool:
    values = option.values.values
    about = [token for token in values if value_of(token).lower() in _LINKS]
    if about and len(values) > 1:
        raise error_at(text, about[0].start, "in:link cannot be one of several", "Write in:link apart from the others.")
    if about and option.minus and value_of(about[0]).lower() == "url":
        hint = "Write -in:link for what stands outside addresses."
        raise error_at(text, option.minus.start, "in:url cannot be excluded", hint)
    return bool(about)


def _fields(text: str, option: WrittenOption) -> tuple[FieldName, ...]:
    named = set()
    for token in option.values.values:
        value = value_of(token).lower()
        if value not in TEXT_FIELDS:
            raise _unknown(text, token, value, "in", _IN)
        named.add(value)
    if option.minus is not None:
        hint = "Write in: with the fields that are wanted, or -title:word for a word that must not be there."
        raise error_at(text, option.minus.start, "only in:link can be excluded", hint)
    return tuple(field for name, (field, *_) in TEXT_FIELDS.items() if name in named)


def _unknown(text: str, token: Token, value: str, name: str, known: tuple[str, ...]) -> QuerySyntaxError:
    parts = [part for part in value.split(",") if part]
    listed = len(parts) > 1 and set(parts) <= set(known)
    hint = f"Write {name}:({', '.join(parts)})." if listed else closest(value, known)
    return error_at(text, token.start, f"{name}:{shortened(value)} does not exist", hint)


def _contradiction(text: str, option: WrittenOption, hint: str) -> QuerySyntaxError:
    message = "this option contradicts one before it"
    return error_at(text, (option.minus or option.values.field).start, message, hint)
