"""Errors in queries: what is wrong, where, and how to fix it, as shown to the user who mistyped one."""

import unicodedata
from collections.abc import Sequence

from lark import Token

_QUOTE_IT = "To search for the word itself, write it in lower case or in quotes."
_OPERATORS = ("_AND", "_OR", "NOT", "MINUS")
_EXCERPT_LEFT, _EXCERPT_RIGHT = 50, 30  # characters of a long query that are shown around the mistake

_SUGGESTIONS = {"&": "AND", "&&": "AND", "+": "AND", "|": "OR", "||": "OR", "!": "NOT", "-": "NOT"}


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


def error_at(text: str, at: int, message: str, hint: str) -> QuerySyntaxError:
    """Return an error at an offset into the query."""
    before = text[:at]
    line, column = before.count("\n") + 1, at - before.rfind("\n")
    return QuerySyntaxError(message, line=line, column=column, text=text, hint=hint)


def start_of(token: Token) -> int:
    """Return the offset of a token in the query."""
    return token.start_pos or 0


def unexpected_token_error(text: str, token: Token, before: Sequence[Token]) -> QuerySyntaxError:
    """Return why a token cannot follow those before it; $END stands for the end of the query."""
    last = before[-1] if before else None
    if token.type in ("_AND", "_OR"):
        at = start_of(token)
        if last is None or last.type == "_OPEN":
            return error_at(text, at, f"{token} has nothing on its left", f"Put a word before it. {_QUOTE_IT}")
        return error_at(text, at, f"{token} cannot follow {last}", f"Put a word between them. {_QUOTE_IT}")
    if last is not None and last.type in _OPERATORS:
        return error_at(text, start_of(last), f"{last} has nothing on its right", f"Add a word there. {_QUOTE_IT}")
    if token.type == "_CLOSE":
        if last is not None and last.type == "_OPEN":
            return error_at(text, start_of(last), "nothing between these brackets", "Put a word there.")
        return error_at(text, start_of(token), "this bracket closes nothing", "Remove it, or put a ( before it.")
    # A bracket that was closed is not to blame: of the others, the last is the nearest to the mistake.
    open_at: list[int] = []
    for earlier in before:
        if earlier.type == "_OPEN":
            open_at.append(start_of(earlier))
        elif earlier.type == "_CLOSE":
            open_at.pop()
    return error_at(text, open_at[-1], "this bracket is never closed", "Close it with a ).")


def no_word_error(text: str, at: int, term: str) -> QuerySyntaxError:
    """Return the error for a term that is nothing but punctuation."""
    if term in _SUGGESTIONS:
        return error_at(text, at, f"{term} is not a word", f"Did you mean {_SUGGESTIONS[term]}? To exclude: -word.")
    hint = "A term needs a letter or a digit; punctuation alone is not searched."
    return error_at(text, at, "there is no word in this term", hint)
