"""From a query's tokens to its brackets and operators (the package describes the language).

either   both ((OR | ,) both)*             the comma: in a field's brackets only
both     near (AND? near)*
near     single (NEAR/n single)?
single   (NOT | -)* (term | ( either ) | field: term | field: ( either ) | field: ( value… ))
"""

from __future__ import annotations

from overheard.matching.language.errors import QuerySyntaxError, error_at, shortened, unexpected_token_error
from overheard.matching.language.fields import OPTION_FIELDS, TEXT_FIELDS
from overheard.matching.language.syntax_tree import (
    WrittenAll,
    WrittenAny,
    WrittenField,
    WrittenNear,
    WrittenNode,
    WrittenNot,
    WrittenOption,
    WrittenTerm,
    WrittenValues,
    name_of,
)
from overheard.matching.language.tokens import MINUS_SIGNS, TERM_TYPES, Token

_BEGINS = frozenset((*TERM_TYPES, "FIELD", "OPEN", "NOT", "MINUS"))
_SIGNS = frozenset(("NOT", "MINUS"))


def read(text: str, tokens: list[Token]) -> WrittenNode:
    """Return the query as it is written. Raise QuerySyntaxError. The depth of brackets has been limited before."""
    reader = _QueryReader(text, tokens)
    root = reader.either()
    reader.expect("END")
    return root


class _QueryReader:
    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text = text
        self.tokens = [*tokens, Token("END", "", len(text))]
        self.at = 0
        self.field: Token | None = None  # whose brackets are open

    def either(self) -> WrittenNode:
        parts = [self._both()]
        while self.tokens[self.at].type in ("OR", "COMMA"):
            self.at += 1
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else WrittenAny(tuple(parts))

    def expect(self, kind: str) -> None:
        if self.tokens[self.at].type != kind:
            raise self._unexpected()
        self.at += 1

    def _both(self) -> WrittenNode:
        parts: list[WrittenNode] = []
        options: list[WrittenOption] = []
        while True:
            part = self._near()
            if isinstance(part, WrittenOption):
                options.append(part)
            else:
                parts.append(part)
            kind = self.tokens[self.at].type
            if kind == "AND":
                self.at += 1
            elif kind not in _BEGINS:
                break
        if not parts:
            raise self._without_terms(options[0])
        return parts[0] if len(parts) == 1 and not options else WrittenAll(tuple(parts), tuple(options))

    def _near(self) -> WrittenNode | WrittenOption:
        left = self._single()
        sign = self.tokens[self.at]
        if sign.type != "NEAR":
            return left
        self.at += 1
        right = self._single()
        if self.tokens[self.at].type == "NEAR":
            hint = "Write a NEAR/3 b AND b NEAR/3 c instead: NEAR joins two."
            raise error_at(self.text, self.tokens[self.at].start, "NEAR cannot follow another NEAR", hint)
        if isinstance(left, WrittenOption) or isinstance(right, WrittenOption):
            raise error_at(self.text, sign.start, f"{sign.text} joins words, not options", "Write the option last.")
        return WrittenNear(left, right, sign)

    def _single(self) -> WrittenNode | WrittenOption:
        # A loop, not a recursion: the limit of depth counts brackets, and NOT NOT NOT … has none.
        sign, wanted = None, True
        while (token := self.tokens[self.at]).type in _SIGNS:
            sign, wanted = sign or token, not wanted
            self.at += 1
        if token.type not in _BEGINS:
            raise self._unexpected()
        self.at += 1
        part: WrittenNode
        if token.type == "OPEN":
            part = self._inside()
        elif token.type == "FIELD":
            part = self._field(token)
        else:
            part = WrittenTerm(token)
        if isinstance(part, WrittenValues) and part.name in OPTION_FIELDS:
            return WrittenOption(part, None if wanted else sign)
        return part if wanted or sign is None else WrittenNot(sign, part)

    def _inside(self) -> WrittenNode:
        part = self.either()
        self.expect("CLOSE")
        return part

    def _field(self, field: Token) -> WrittenNode:
        value = self.tokens[self.at]
        if self.field is not None and name_of(field) not in OPTION_FIELDS:
            hint = f"Write {field.text}… outside these brackets."
            raise error_at(self.text, field.start, f"{field.text} inside the brackets of {self.field.text}", hint)
        if value.start != field.end or value.type not in (*TERM_TYPES, "OPEN"):
            raise self._without_value(field, value)
        if value.type == "WORD" and value.text[0] in MINUS_SIGNS:
            hint = f"Write the - first, to exclude it: -{field.text}{shortened(value.text[1:])}."
            raise error_at(self.text, value.start, f"a - after {field.text}", hint)
        self.at += 1
        if value.type != "OPEN":
            return WrittenField(field, WrittenTerm(value)) if is_text(field) else WrittenValues(field, (value,))
        if not is_text(field):
            return WrittenValues(field, self._values(field))
        self.field = field
        part = self._inside()
        self.field = None
        return WrittenField(field, part)

    def _values(self, field: Token) -> tuple[Token, ...]:
        """Read values up to the closing bracket, with OR, a comma or a space between them."""
        values = []
        while (token := self.tokens[self.at]).type != "CLOSE":
            if token.type in TERM_TYPES:
                values.append(token)
            elif token.type == "END" or (token.type in ("OR", "COMMA") and not values):
                raise self._unexpected()
            elif token.type not in ("OR", "COMMA"):
                hint = f"Write {field.text}(one, two) for one or the other; -{field.text}(one, two) for none of them."
                raise error_at(
                    self.text, token.start, f"{shortened(token.text)} inside the brackets of {field.text}", hint
                )
            self.at += 1
        if not values or self.tokens[self.at - 1].type in ("OR", "COMMA"):
            raise self._unexpected()
        self.at += 1
        return tuple(values)

    def _unexpected(self) -> QuerySyntaxError:
        return unexpected_token_error(self.text, self.tokens[self.at], self.tokens[: self.at])

    def _without_value(self, field: Token, value: Token) -> QuerySyntaxError:
        if value.start == field.end and value.type == "FIELD":
            hint = f"Write one field in front of a term: {field.text}word {value.text}word for both."
            return error_at(self.text, value.start, f"{value.text} right after {field.text}", hint)
        message = f"{field.text} has nothing right after it"
        example = shortened(value.text) if value.type in TERM_TYPES else "word"
        hint = f'Write {field.text}{example}, without a space. To search for the word itself: "{field.text}".'
        return error_at(self.text, field.start, message, hint)

    def _without_terms(self, option: WrittenOption) -> QuerySyntaxError:
        start = (option.minus or option.values.field).start
        option_text = f"{option.values.field.text}{shortened(option.values.values[0].text)}"
        hint = (
            f"Write it beside a word: acme {option_text}. In a OR b it is about its own side; (a OR b) {option_text}."
        )
        return error_at(self.text, start, f"{option_text} has no term to be about", hint)


def is_text(field: Token) -> bool:
    """Return True for a field that is searched for words, False for one that has values."""
    return name_of(field) in TEXT_FIELDS
