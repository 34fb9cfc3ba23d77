"""Find the blocks of a Markdown text line by line: where paragraphs end, and which stretches are code.

Block marks are ignored in the mask, and the newline before each block becomes BREAK. What is left for the inline marks
(inline.py) is a list of stretches: paragraphs, items, headings, table cells, lines of code.
"""

import re
from typing import NamedTuple

from overheard.matching.markup.links import TITLE, normal_label
from overheard.matching.markup.mask import Mask


class Stretch(NamedTuple):
    """A part of the text in which inline marks belong together; in code there are none."""

    start: int
    end: int
    code: bool = False


_QUOTE = re.compile(r"(?:>|&gt;)(?!!)")  # not >!spoiler!<; escaped in dumps of Reddit's API
_ITEM = re.compile(r"(?:[-*+]|(?P<number>\d{1,9})[.)])(?=[ \t])|•")
_HEADING = re.compile(r"#{1,6}(?=[ \t]|$)")
_RULE = re.compile(r"([-*_])[ \t]*+(?:\1[ \t]*+){2,}+$")
_UNDERLINE = re.compile(r"(?:=++|-++)[ \t]*+$")
_DELIMITERS = re.compile(r"\|?[ \t]*+:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)*+\|?[ \t]*+$")
_PIPE = re.compile(r"\\.|(\|)")
# The language behind a fence is not shown; more than one word is text.
_FENCE = re.compile(r"(`{3,}+(?![^`]*+`)|~{3,}+)(?:[ \t]*+[^\s`~]++(?=[ \t]*+$))?")
# CommonMark accepts any word as an address, which would make a definition of "[Note]: remember".
_DEFINITION = re.compile(
    r"\[(?!\^)(?P<label>(?:[^\[\]\\]|\\.){1,999}+)\]:[ \t]*+"
    r"(?:<(?P<angled>[^<>]++)>|(?P<bare>(?!<)(?=\S*?[/.:#]\S)\S++))"
    rf"(?:[ \t]++(?P<title>{TITLE}))?[ \t]*+$"
)
_MAX_NESTING = 8  # of marks on one line: "> - 1. …"; chosen, above what people write
_MARKER_MAX_DIGITS = 2  # "2013. What a year" keeps its number


class Blocks:
    """One pass over the lines of a text."""

    def __init__(self, text: str, mask: Mask) -> None:
        self.stretches: list[Stretch] = []
        self.labels: set[str] = set()
        self._text = text
        self._mask = mask
        self._paragraph: int | None = None  # where the open one starts
        self._last = 0, 0  # its last line, without marks
        self._depth = 0  # of quotes
        self._fence = ""
        self._in_table = False
        self._indented_code = False
        self._item_column = 0  # where the text of the innermost list item starts; 0 outside lists
        start = 0
        for line in text.split("\n"):
            self._read(start, start + len(line))
            start += len(line) + 1
        self._close()

    def _read(self, start: int, end: int) -> None:
        at, depth = self._unquoted(start, end, self._depth if self._fence else len(self._text))
        if self._fence:
            if depth >= self._depth:
                self._read_fenced(start, at, end)
                return
            self._fence = ""
        if at == end or self._text[at:end].isspace():
            self._break(start)
            self._depth = depth
            return
        if depth != self._depth:
            self._break(start)
            self._item_column = 0
        self._depth = depth
        first = _skip_spaces(self._text, at, end)
        column = len(self._text[at:first].expandtabs(4))
        indented = column - self._item_column >= 4
        if self._reads_as_code(start, first, end, column, indented):
            return
        content = self._without_item_marks(start, at, first, end)
        if (indented and content == first) or not self._reads_as_leaf(start, content, end):
            self._extend(start, content, end)

    def _unquoted(self, start: int, end: int, max_depth: int) -> tuple[int, int]:
        """Ignore the quote marks of a line; return where its content starts, and how deep it is quoted."""
        text, depth, content = self._text, 0, start
        at = _skip_spaces(text, start, end)
        if at == end or text[at] not in ">&" or len(text[start:at].expandtabs(4)) > 3:
            return start, 0
        while depth < max_depth and (mark := _QUOTE.match(text, at, end)):
            self._mask.ignore(at, mark.end())
            depth += 1
            content = mark.end()
            at = _skip_spaces(text, content, end)
        if content < end and depth and text[content] == " ":
            content += 1
        return content, depth

    def _read_fenced(self, start: int, at: int, end: int) -> None:
        line = self._text[at:end].strip()
        if line and not line.strip(self._fence[0]) and len(line) >= len(self._fence):
            self._fence = ""
            self._mask.ignore(at, end)
            self._break(start)
        elif line:
            self.stretches.append(Stretch(at, end, code=True))
        else:
            self._break(start)

    def _reads_as_code(self, start: int, first: int, end: int, column: int, indented: bool) -> bool:
        """Read a line of an indented block: four columns further in than the text around it."""
        if self._paragraph is None:
            if indented:
                if not self._indented_code:
                    self._break(start)
                self._indented_code = True
                self.stretches.append(Stretch(first, end, code=True))
                return True
            if column < self._item_column and not _ITEM.match(self._text, first, end):
                self._item_column = 0
        if self._indented_code:
            self._break(start)
        self._indented_code = False
        return False

    def _without_item_marks(self, start: int, line: int, at: int, end: int) -> int:
        """Ignore the marks of list items, and of quotes in them; return where the text of the line starts."""
        text = self._text
        for _ in range(_MAX_NESTING):
            if self._item_column and text[at : at + 1] == ">" and (quote := _QUOTE.match(text, at, end)):
                self._mask.ignore(at, quote.end())
                at = _skip_spaces(text, quote.end(), end)
                continue
            item = _ITEM.match(text, at, end)
            if item is None or _RULE.match(text, at, end):
                break
            number = item["number"]
            if number and self._paragraph is not None and not self._item_column and number.lstrip("0") != "1":
                break  # a sentence that ends with a number at the start of a line
            self._break(start)
            if not number or len(number) <= _MARKER_MAX_DIGITS:
                self._mask.ignore(at, item.end())
            text_at = _skip_spaces(text, item.end(), end)
            self._item_column = len(text[line : min(text_at, item.end() + 4)].expandtabs(4))
            if len(number or "") > _MARKER_MAX_DIGITS:
                break
            at = text_at
        return at

    def _reads_as_leaf(self, start: int, at: int, end: int) -> bool:
        """Read a line that is not part of a paragraph: heading, rule, fence, definition, table."""
        text = self._text
        if at == end:
            return True
        sign = text[at]
        if self._in_table and self._paragraph is None:
            self._add_row(start, at, end)
        elif sign == "#" and (heading := _HEADING.match(text, at, end)):
            self._add_heading(start, at, heading.end(), end)
        elif sign in "`~" and (fence := _FENCE.match(text, at, end)):
            self._break(start)
            self._mask.ignore(at, fence.end())
            self._fence = fence[1]
            if text[fence.end() : end].strip():
                self.stretches.append(Stretch(fence.end(), end, code=True))
        elif sign in "-*_=|:" and self._reads_as_rule_or_table(start, at, end):
            pass
        elif sign == "[" and self._paragraph is None and (definition := _DEFINITION.match(text, at, end)):
            self._add_definition(definition)
        else:
            return False
        return True

    def _reads_as_rule_or_table(self, start: int, at: int, end: int) -> bool:
        text, paragraph = self._text, self._paragraph is not None
        header_start, header_end = self._last
        if paragraph and "|" in text[header_start:header_end] and _DELIMITERS.match(text, at, end):
            if "|" not in text[at:end]:
                return False
            self._drop_last_line()
            self._add_row(header_start, header_start, header_end)
            self._in_table = True
        elif not (_RULE.match(text, at, end) or (paragraph and _UNDERLINE.match(text, at, end))):
            return False
        self._mask.ignore(at, end)
        in_table = self._in_table
        self._break(start)
        self._in_table = in_table
        return True

    def _add_heading(self, start: int, at: int, text_at: int, end: int) -> None:
        self._break(start)
        self._mask.ignore(at, text_at)
        heading = self._text[text_at:end].rstrip()
        without = heading.rstrip("#")
        if len(without) < len(heading) and (not without or without[-1] in " \t"):
            self._mask.ignore(text_at + len(without), text_at + len(heading))
            heading = without
        self.stretches.append(Stretch(text_at, text_at + len(heading)))

    def _add_definition(self, definition: re.Match[str]) -> None:
        self._mask.ignore(*definition.span())
        for name in ("angled", "bare"):
            self._mask.add_target(*definition.span(name))
        if definition["title"]:
            self._mask.add_text(definition.start("title") + 1, definition.end("title") - 1)
        self.labels.add(normal_label(definition["label"]))

    def _add_row(self, start: int, at: int, end: int) -> None:
        if start:
            self._mask.break_at(start - 1)
        for pipe in _PIPE.finditer(self._text, at, end):
            if pipe[1]:
                self._mask.break_at(pipe.start())
                self.stretches.append(Stretch(at, pipe.start()))
                at = pipe.end()
        self.stretches.append(Stretch(at, end))

    def _extend(self, start: int, at: int, end: int) -> None:
        """Add a line to the open paragraph, or open one."""
        if self._paragraph is None:
            self._break(start)
            self._paragraph = at
        self._last = at, end

    def _drop_last_line(self) -> None:
        """Close the paragraph before its last line, which is the header of a table."""
        start, line = self._paragraph, self._last[0]
        self._paragraph = None
        if start is not None and start < line:
            self.stretches.append(Stretch(start, line))

    def _break(self, start: int) -> None:
        """End the open paragraph before the line that starts here."""
        self._close()
        if start:
            self._mask.break_at(start - 1)

    def _close(self) -> None:
        if self._paragraph is not None:
            self.stretches.append(Stretch(self._paragraph, self._last[1]))
        self._paragraph = None
        self._in_table = False


def _skip_spaces(text: str, start: int, end: int) -> int:
    while start < end and text[start] in " \t":
        start += 1
    return start
