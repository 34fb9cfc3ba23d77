"""Find the blocks of a Markdown text line by line: where paragraphs end, and which stretches are code.

Block marks are ignored in the mask, and the newline before each block becomes BREAK. What is left for the inline marks
(inline.py) is a list of stretches: paragraphs, items, headings, table cells, lines of code.
"""

from overheard.matching.markup.block_marks import (
    DEFINITION,
    DELIMITERS,
    FENCE,
    HEADING,
    ITEM,
    QUOTE,
    RULE,
    UNDERLINE,
    Stretch,
    columns,
    mask_definition,
    mask_heading,
    mask_quotes,
    mask_row,
    skip_spaces,
)
from overheard.matching.markup.links import normal_label
from overheard.matching.markup.mask import Mask

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
        text = self._text
        at, depth = mask_quotes(text, self._mask, start, end, self._depth if self._fence else len(text))
        if self._fence:
            if depth >= self._depth:
                self._read_fenced(start, at, end)
                return
            self._fence = ""
        if at == end or text[at:end].isspace():
            self._break(start)
            self._depth = depth
            return
        if depth != self._depth:
            self._break(start)
            self._item_column = 0
        self._depth = depth
        first = skip_spaces(text, at, end)
        column = columns(text, at, first)
        indented = column - self._item_column >= 4
        if self._reads_as_code(start, first, end, column, indented):
            return
        content = self._without_item_marks(start, at, first, end)
        if (indented and content == first) or not self._reads_as_leaf(start, content, end):
            self._extend(start, content, end)

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
            if column < self._item_column and not ITEM.match(self._text, first, end):
                self._item_column = 0
        self._indented_code = False
        return False

    def _without_item_marks(self, start: int, line: int, at: int, end: int) -> int:
        """Ignore the marks of list items, and of quotes in them; return where the text of the line starts."""
        text = self._text
        for _ in range(_MAX_NESTING):
            if self._item_column and text[at : at + 1] == ">" and (quote := QUOTE.match(text, at, end)):
                self._mask.ignore(at, quote.end())
                at = skip_spaces(text, quote.end(), end)
                continue
            item = ITEM.match(text, at, end)
            if item is None or RULE.match(text, at, end):
                break
            number = item["number"]
            text_at = skip_spaces(text, item.end(), end)
            if self._paragraph is not None and not self._can_interrupt(number, empty=text_at == end):
                break
            self._break(start)
            if not number or len(number) <= _MARKER_MAX_DIGITS:
                self._mask.ignore(at, item.end())
            self._item_column = columns(text, line, min(text_at, item.end() + 4))
            if len(number or "") > _MARKER_MAX_DIGITS:
                break
            at = text_at
        return at

    def _can_interrupt(self, number: str | None, empty: bool) -> bool:
        """Return whether an item can follow a line of text: not a sentence's last number at the start of a line."""
        return self._item_column > 0 or (not empty and (not number or number.lstrip("0") == "1"))

    def _reads_as_leaf(self, start: int, at: int, end: int) -> bool:
        """Read a line that is not part of a paragraph: heading, rule, fence, definition, table."""
        text = self._text
        if at == end:
            return True
        sign = text[at]
        if self._in_table and self._paragraph is None:
            self._add_row(start, at, end)
        elif sign == "#" and (heading := HEADING.match(text, at, end)):
            self._break(start)
            self._mask.ignore(at, heading.end())
            self.stretches.append(mask_heading(text, self._mask, heading.end(), end))
        elif sign in "`~" and (fence := FENCE.match(text, at, end)):
            self._break(start)
            self._mask.ignore(at, fence.end())
            self._fence = fence[1]
            if text[fence.end() : end].strip():
                self.stretches.append(Stretch(fence.end(), end, code=True))
        elif sign in "-*_=|:" and self._reads_as_rule_or_table(start, at, end):
            pass
        elif sign == "[" and self._paragraph is None and (definition := DEFINITION.match(text, at, end)):
            mask_definition(self._mask, definition)
            self.labels.add(normal_label(definition["label"]))
        else:
            return False
        return True

    def _reads_as_rule_or_table(self, start: int, at: int, end: int) -> bool:
        text, paragraph = self._text, self._paragraph is not None
        header_start, header_end = self._last
        if paragraph and "|" in text[header_start:header_end] and DELIMITERS.match(text, at, end):
            if "|" not in text[at:end]:
                return False
            self._drop_last_line()
            self._add_row(header_start, header_start, header_end)
            self._in_table = True
        elif not (RULE.match(text, at, end) or (paragraph and UNDERLINE.match(text, at, end))):
            return False
        self._mask.ignore(at, end)
        in_table = self._in_table
        self._break(start)
        self._in_table = in_table
        return True

    def _add_row(self, start: int, at: int, end: int) -> None:
        if start:
            self._mask.break_at(start - 1)
        self.stretches.extend(mask_row(self._text, self._mask, at, end))

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
