"""Regular expressions of queries: RE2's syntax only, which takes linear time, with bounds on length and memory."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import re2

from overheard.matching.language.regex_literals import literals

__all__ = ["MAX_PATTERN_CHARACTERS", "PatternError", "check", "compiled", "literals"]

MAX_PATTERN_CHARACTERS = 500
# An expression takes at most this much memory, most of it for the states that it remembers between two characters.
MAX_PATTERN_BYTES = 1 << 18
# In RE2's instructions: where it cannot remember states, each character costs up to so many steps. \pL has 1,200.
MAX_PROGRAM_SIZE = 1_500
# The most frequent letters: what finds each of them finds nearly every text.
_LETTERS = "etaoin"
_ONE_BYTE = re.compile(r"(?<!\\)(?:\\\\)*\\C")


class PatternError(ValueError):
    """Why an expression is refused, and the remedy. ``reason`` is RE2's where it has one."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


def check(regex: str, case: bool) -> None:
    """Raise PatternError if a query may not contain the expression."""
    if len(regex) > MAX_PATTERN_CHARACTERS:
        reason = f"a regular expression of {len(regex)} characters, {MAX_PATTERN_CHARACTERS} are allowed"
        raise PatternError(reason, "Shorten it, or write several with OR between them.")
    if _ONE_BYTE.search(regex):
        # Its matches can begin or end inside of a character, which leaves no position in the text.
        raise PatternError("\\C, a single byte, is not supported", "Write . for any character.")
    try:
        pattern = compiled(regex, case)
    except UnicodeEncodeError:
        raise PatternError("the expression contains half of a character", "Leave that character out.") from None
    except re2.error as error:
        raise PatternError(_reason(error, regex), _hint(regex)) from None
    if pattern.programsize > MAX_PROGRAM_SIZE:
        raise PatternError("the expression is too large", "Repeat less in it: {n} writes its part n times.")
    if pattern.search("") or all(pattern.search(letter) for letter in _LETTERS):
        hint = "Write in it what must be there: one letter more than .* or a* requires."
        raise PatternError("the expression would match nearly every text", hint)


def program_size(regex: str, case: bool) -> int:
    """Return the number of RE2's instructions: what the cost of an expression follows."""
    return int(compiled(regex, case).programsize)


@lru_cache(maxsize=1_024)
def compiled(regex: str, case: bool) -> Any:
    """Return the expression ready to search; ^ and $ match at the ends of lines."""
    options = re2.Options()
    options.max_mem = MAX_PATTERN_BYTES
    options.case_sensitive = case
    options.never_capture = True  # groups would double the steps, and nothing asks for them
    options.log_errors = False
    return re2.compile(f"(?m){regex}", options)


def _reason(error: Exception, regex: str) -> str:
    # RE2 quotes the expression with what `compiled` put in front, and cannot tell where in it the mistake is.
    said = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error.args[0])
    return f"RE2 refuses this expression: {said.replace('(?m)' + regex, regex)}"


def _hint(regex: str) -> str:
    if any(sign in regex for sign in ("(?=", "(?!", "(?<=", "(?<!")):
        return (
            "RE2 has no look-ahead or look-behind. Write \\b for the border of a word, or a -term for what is unwanted."
        )
    if any(f"\\{digit}" in regex for digit in range(1, 10)):
        return "RE2 has no back-references. Write the text out."
    return "Its syntax: https://github.com/google/re2/wiki/Syntax. Write \\ before a sign that is meant as it is."
