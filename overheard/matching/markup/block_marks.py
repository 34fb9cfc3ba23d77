"""The marks of blocks on one line: quotes, items, headings, rules, fences, tables, definitions."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from overheard.matching.markup.links import TITLE
from overheard.matching.markup.mask import Mask


class Stretch(NamedTuple):
    """A part of the text in which inline marks belong together; in code there are none."""

    start: int
    end: int
    code: bool = False


QUOTE = re.compile(r"(?:>|&gt;)(?!!)")  # not >!spoiler!<; escaped in dumps of Reddit's API
ITEM = re.compile(r"(?:[-*+]|(?P<number>[0-9]{1,9})[.)])(?:(?=[ \t])|$)|•")
HEADING = re.compile(r"#{1,6}(?=[ \t]|$)")
RULE = re.compile(r"([-*_])[ \t]*+(?:\1[ \t]*+){2,}$")
UNDERLINE = re.compile(r"(?:=++|-++)[ \t]*+$")
DELIMITERS = re.compile(r"\|?[ \t]*+:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)*\|?[ \t]*+$")
_PIPE = re.compile(r"\\.|(\|)")
# The language after a fence is not shown; more than one word is text.
FENCE = re.compile(r"(`{3,}+(?![^`]*+`)|~{3,}+)(?:[ \t]*+[^\s`~]++(?=[ \t]*+$))?")
# CommonMark accepts any word as an address, which would make a definition of "[Note]: remember".
DEFINITION = re.compile(
    r"\[(?!\^)(?P<label>(?:[^\[\]\\]|\\.){1,999})\]:[ \t]*+"
    r"(?:<(?P<angled>[^<>]++)>|(?P<bare>(?!<)(?=\S*?[/.:#]\S)\S++))"
    rf"(?:[ \t]++(?P<title>{TITLE}))?[ \t]*+$"
)


def skip_spaces(text: str, start: int, end: int) -> int:
    while start < end and text[start] in " \t":
        start += 1
    return start


def columns(text: str, start: int, end: int) -> int:
    """Return how wide a part of a line is, with tabs."""
    return len(text[start:end].expandtabs(4))


def mask_quotes(text: str, mask: Mask, start: int, end: int, max_depth: int) -> tuple[int, int]:
    """Ignore the quote marks of a line; return where its content starts, and how deep it is quoted."""
    depth, content = 0, start
    at = skip_spaces(text, start, end)
    if at == end or text[at] not in ">&" or columns(text, start, at) > 3:
        return start, 0
    while depth < max_depth and (mark := QUOTE.match(text, at, end)):
        mask.ignore(at, mark.end())
        depth += 1
        content = mark.end()
        at = skip_spaces(text, content, end)
    if content < end and depth and text[content] == " ":
        content += 1
    return content, depth


def mask_heading(text: str, mask: Mask, start: int, end: int) -> Stretch:
    """Ignore the closing marks of a heading; return its text."""
    heading = text[start:end].rstrip()
    without = heading.rstrip("#")
    if len(without) == len(heading) or (without and without[-1] not in " \t"):
        return Stretch(start, start + len(heading))
    mask.ignore(start + len(without), start + len(heading))
    return Stretch(start, start + len(without))


def mask_definition(mask: Mask, definition: re.Match[str]) -> None:
    mask.ignore(*definition.span())
    mask.add_target(*definition.span("bare" if definition["angled"] is None else "angled"))
    if definition["title"]:
        mask.add_text(definition.start("title") + 1, definition.end("title") - 1)


def mask_row(text: str, mask: Mask, start: int, end: int) -> Iterator[Stretch]:
    """Separate the cells of a row; yield each."""
    for pipe in _PIPE.finditer(text, start, end):
        if pipe[1]:
            mask.break_at(pipe.start())
            yield Stretch(start, pipe.start())
            start = pipe.end()
    yield Stretch(start, end)
