"""Errors in queries: what is wrong, where, and how to fix it, as shown to the user who mistyped one."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Protocol

_QUOTE_IT = "To search for the word itself, write it in lower case or in quotes."
_OPERATORS = ("AND", "OR", "COMMA", "NOT", "MINUS", "NEAR")
_JOINING = ("AND", "OR", "COMMA", "NEAR")
_EXCERPT_LEFT, _EXCERPT_RIGHT = 50, 30  # characters of a long query that are shown around the mistake
_SAID_CHARACTERS = 60

_SUGGESTIONS = {"&": "AND", "&&": "AND", "+": "AND", "|": "OR", "||": "OR", "!": "NOT", "-": "NOT"}
_PREFIXES = {
    "=": 'Write it right in front of a word or a phrase: =Word, ="A Phrase".',
    "~": "Write it right in front of one word: ~monitor.",
}


class QuerySyntaxError(ValueError):
    """A query that cannot be parsed. `line` and `column` count from 1; `hint` says how to fix it."""

    def __init__(self, message: str, *, line: int, column: int, text: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.text = text
        self.hint = hint

    def __str__(self) -> str:
        shown, before = self._excerpt()
        # Wide characters take two cells of a terminal, and so does the space that replaces them above the caret.
        gap = "".join("\u3000" if unicodedata.east_asian_width(char) in "WF" else " " for char in before)
        where = f"line {self.line}, column {self.column}" if self.line > 1 else f"column {self.column}"
        return f"{self.message} ({where})\n    {shown}\n    {gap}^\n{self.hint}"

    def _excerpt(self) -> tuple[str, str]:
        """Return the part of the line around the column, and its text before the column."""
        # A tab or a control character would move the caret away from its place.
        line = "".join(char if char.isprintable() else " " for char in self.text.split("\n")[self.line - 1])
        at = self.column - 1
        head = line[:at] if at <= _EXCERPT_LEFT else "…" + line[at - _EXCERPT_LEFT : at]
        tail = line[at:] if len(line) - at <= _EXCERPT_RIGHT else line[at : at + _EXCERPT_RIGHT] + "…"
        return head + tail, head


def shortened(said: str) -> str:
    """Return what a user wrote, short enough for a message: the excerpt shows the place."""
    return said if len(said) <= _SAID_CHARACTERS else said[:_SAID_CHARACTERS] + "…"


def error_at(text: str, at: int, message: str, hint: str) -> QuerySyntaxError:
    """Return an error at an offset into the query."""
    before = text[:at]
    line, column = before.count("\n") + 1, at - before.rfind("\n")
    return QuerySyntaxError(message, line=line, column=column, text=text, hint=hint)


class Placed(Protocol):
    """A token: what the user wrote, and where."""

    @property
    def type(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def start(self) -> int: ...


def unexpected_token_error(text: str, token: Placed, before: Sequence[Placed]) -> QuerySyntaxError:
    """Return why a token cannot follow those before it; END stands for the end of the query."""
    last = before[-1] if before else None
    if token.type in _JOINING:
        if last is None or last.type == "OPEN":
            hint = f"Put a word before it. {_QUOTE_IT}"
            return error_at(text, token.start, f"{token.text} has nothing on its left", hint)
        return error_at(
            text,
            token.start,
            f"{token.text} cannot follow {shortened(last.text)}",
            f"Put a word between them. {_QUOTE_IT}",
        )
    if last is not None and last.type in _OPERATORS:
        return error_at(text, last.start, f"{last.text} has nothing on its right", f"Add a word there. {_QUOTE_IT}")
    if token.type == "CLOSE":
        if last is not None and last.type == "OPEN":
            return error_at(text, last.start, "nothing between these brackets", "Put a word there.")
        return error_at(text, token.start, "this bracket closes nothing", "Remove it, or put a ( before it.")
    # A bracket that was closed is not to blame: of the others, the last is the nearest to the mistake.
    open_at: list[int] = []
    for earlier in before:
        if earlier.type == "OPEN":
            open_at.append(earlier.start)
        elif earlier.type == "CLOSE":
            open_at.pop()
    return error_at(text, open_at[-1], "this bracket is never closed", "Close it with a ).")


def no_word_error(text: str, at: int, term: str) -> QuerySyntaxError:
    """Return the error for a term that is nothing but punctuation."""
    if term in _SUGGESTIONS:
        return error_at(text, at, f"{term} is not a word", f"Did you mean {_SUGGESTIONS[term]}? To exclude: -word.")
    if term in _PREFIXES:
        return error_at(text, at, f"{term} is not a word", _PREFIXES[term])
    hint = "A term needs a letter, a digit or an emoji; punctuation alone is not searched."
    return error_at(text, at, "there is no word in this term", hint)
