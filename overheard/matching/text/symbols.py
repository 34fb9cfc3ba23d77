"""The symbols that belong to a word when a query has them: `.NET`, `#tag`, `@name`, `$TSLA`, `C++`, `C#`, `100%`."""

import re

from overheard.matching.text.scripts import DOTS, emoji, visible

# Full-width forms, too, as Japanese and Chinese input methods write them.
_BEFORE = {symbol: symbol for symbol in "#@$."} | {"＃": "#", "＠": "@", "＄": "$", "．": "."}
# Reddit's editor writes C\# and C\+\+ for what its user typed as C# and C++.
_BEHIND = re.compile(r"(?:\\?[+#＋＃])+|\\?[%％]")
_BEHIND_PLAIN = str.maketrans("＋＃％", "+#%", "\\")


def symbols_of(left: str, right: str, previous: str = "") -> tuple[str, str]:
    """Return the symbols before and after a word, "" for none: ("", "++"), (".", "").

    The % behind decimals is written with their point, ".%": what wants 5% does not want 2.5%.

    ``left``, ``right``: the separators on its two sides; ``previous``: the word before it, "" if it is the first.
    """
    before = _BEFORE.get(left[-1:], "")
    if before and _is_inside(before, left[-2:-1], previous):
        before = ""
    match = _BEHIND.match(right)
    behind = match[0].translate(_BEHIND_PLAIN) if match else ""
    if behind == "%" and left and left in DOTS and previous[-1:].isdigit():
        behind = ".%"
    return before, behind


def widened(masked: str, span: tuple[int, int], before: str, behind: str) -> tuple[int, int]:
    """Return the span of a word widened by the symbols that `symbols_of` found on its two sides."""
    start, end = span
    if before:
        start -= 1
        while start and not visible(masked[start]):
            start -= 1
    missing = len(behind.lstrip("."))
    while missing and end < len(masked):
        # Markup between the symbols, and Reddit's backslashes, are not among those that were found.
        missing -= masked[end] != "\\" and visible(masked[end]) != ""
        end += 1
    return start, end


def _is_inside(symbol: str, further: str, previous: str) -> bool:
    """Return True for what me@acme, slashdot.net, page#part, x_#part and ...word have before their last word."""
    if further:
        return further == "_" or further.isalnum() or _BEFORE.get(further) == symbol
    return previous != "" and not emoji().match(previous)
