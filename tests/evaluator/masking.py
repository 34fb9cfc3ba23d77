"""Markup taken out of a text without moving anything: each character of markup becomes IGNORED or BREAK.

It knows well-formed Markdown and HTML: pairs that close, one construct at a time. For stray and crossing marks, over
which dialects differ, it proves nothing.
"""

from __future__ import annotations

import html
from string import hexdigits
from typing import NamedTuple

IGNORED = "\x01"
REST = "\ufe0f"  # of an encoded letter: not there, but its place is a part of the letter's
BREAK = "\x1e"
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
BLOCK_TAGS = frozenset(("p", "li", "ul", "ol", "td", "th", "tr", "table", "div", "blockquote", "pre", "hr"))
HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
Span = tuple[int, int]


class Masked(NamedTuple):
    """``targets``: the addresses taken out of the flow. ``links``: these, and all addresses that stand in it."""

    flow: str
    targets: list[Span]
    links: list[Span]


def mask(text: str) -> Masked:
    """Return a text with its markup replaced in place."""
    masking = Masking(text)
    masking.blocks()
    masking.inlines()
    return Masked("".join(masking.out), sorted(masking.targets), sorted(masking.targets + masking.addresses))


class Masking:
    """The text, what becomes of it, and which positions are code, where nothing is markup."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.out = list(text)
        self.code = [False] * len(text)
        self.targets: list[Span] = []
        self.addresses: list[Span] = []

    def put(self, start: int, end: int, sign: str) -> None:
        for at in range(start, end):
            self.out[at] = sign

    def blocks(self) -> None:
        """Mask what stands at the beginnings and ends of lines."""
        lines = lines_of(self.text)
        fence = ""
        quoted = False
        for number, (start, end) in enumerate(lines):
            at = spaces(self.text, start, end)
            marks = at
            while not fence and self.text[at:end].startswith(">") and self.text[at : at + 2] != ">!":
                self.out[at] = IGNORED
                at = spaces(self.text, at + 1, end)
            now_quoted = at > marks
            if now_quoted != quoted and not fence:
                self.break_at(start - 1)
            quoted = now_quoted or (quoted and bool(fence))
            line = self.text[at:end]
            if fence:
                closes = line.strip() == fence
                self.put(at, end, BREAK) if closes else self.mark_code(at, end)
                fence = "" if closes else fence
            elif line.startswith(("```", "~~~")):
                fence = line[:3]
                self.break_at(start - 1)
                self.put(at, end, BREAK)
            elif not line.strip():
                self.break_at(start - 1)
                self.break_at(end)
            elif self.in_table(lines, number):
                self.cells(start, at, end, self.is_delimiter_row(at, end))
            elif set(line.strip()) in ({"-"}, {"*"}, {"="}) and len(line.strip()) >= 3:
                self.break_at(start - 1)
                self.put(at, end, BREAK)
            else:
                self.heading_or_item(start, at, end)

    def break_at(self, newline: int) -> None:
        """Turn the end of a line into a break; there is none before the first line and behind the last one."""
        if 0 <= newline < len(self.out):
            self.out[newline] = BREAK

    def mark_code(self, start: int, end: int) -> None:
        self.addresses_within(start, end)
        for at in range(start, end):
            self.code[at] = True

    def heading_or_item(self, start: int, at: int, end: int) -> None:
        text = self.text
        behind = at
        while behind < end and text[behind] == "#":
            behind += 1
        if 1 <= behind - at <= 6 and text[behind : behind + 1] == " ":
            self.break_at(start - 1)
            self.put(at, behind, BREAK)
            self.break_at(end)
            return
        behind = at
        while behind < end and text[behind] in "0123456789":
            behind += 1
        if behind > at and text[behind : behind + 1] in (".", ")") and text[behind + 1 : behind + 2] == " ":
            self.put(at, behind + 1, BREAK)
        elif text[at : at + 1] in ("-", "*", "+") and text[at + 1 : at + 2] == " ":
            self.put(at, at + 1, BREAK)

    def is_delimiter_row(self, start: int, end: int) -> bool:
        line = self.text[start:end].strip()
        return "|" in line and "-" in line and all(char in "|-: " for char in line)

    def in_table(self, lines: list[Span], number: int) -> bool:
        """Return True for a row of cells right above a row of |---|, for that row, and for the rows below it."""
        if "|" not in self.text[slice(*lines[number])]:
            return False
        if number + 1 < len(lines) and self.is_delimiter_row(*lines[number + 1]):
            return True
        while number >= 0 and "|" in self.text[slice(*lines[number])]:
            if self.is_delimiter_row(*lines[number]):
                return number > 0 and "|" in self.text[slice(*lines[number - 1])]
            number -= 1
        return False

    def cells(self, start: int, at: int, end: int, delimiters: bool) -> None:
        self.break_at(start - 1)
        self.break_at(end)
        for place in range(at, end):
            escaped = self.text[place - 1 : place] == "\\"
            if delimiters or (self.text[place] == "|" and not escaped):
                self.out[place] = BREAK

    def inlines(self) -> None:
        """Mask what stands inside paragraphs."""
        start = 0
        for at in range(len(self.out) + 1):
            if at == len(self.out) or self.out[at] == BREAK:
                self.paragraph(start, at)
                start = at + 1

    def paragraph(self, at: int, end: int) -> None:
        while at < end:
            if self.out[at] == IGNORED or self.code[at]:
                at += 1
            else:
                at = self.inline(at, end)

    def inline(self, at: int, end: int) -> int:
        """Mask the construct that begins here, if one does; return where to read on."""
        text = self.text
        char = text[at]
        if char == "\\" and at + 1 < end and text[at + 1] in PUNCTUATION:
            self.out[at] = IGNORED
            return at + 2
        if char == "`":
            return self.ticks(at, end)
        if char == "&":
            return self.entity(at, end)
        if char == "<":
            return self.tag(at, end)
        if text[at : at + 2] == ">!":
            close = text.find("!<", at + 2, end)
            if close > 0:
                self.put(at, at + 2, IGNORED)
                self.put(close, close + 2, IGNORED)
            return at + 2
        if char == "[" or text[at : at + 2] == "![":
            return self.link(at, end)
        if begins_address(text, at):
            return self.address(at, address_end(text, at, end))
        if char == "^":
            self.out[at] = IGNORED
            return at + 1
        if char in "*_" or text[at : at + 2] == "~~":
            return self.emphasis(at, end)
        return at + 1

    def ticks(self, at: int, end: int) -> int:
        size = run(self.text, at, end)
        close = at + size
        while close < end:
            other = run(self.text, close, end) if self.text[close] == "`" else 0
            if other == size:
                self.put(at, at + size, IGNORED)
                self.put(close, close + size, IGNORED)
                self.addresses_within(at + size, close)
                return close + size
            close += other or 1
        return at + size

    def addresses_within(self, at: int, end: int) -> None:
        """Note the addresses in code: what is not markup may still be an address."""
        while at < end:
            if begins_address(self.text, at):
                stop = address_end(self.text, at, end)
                self.addresses.append((at, stop))
                at = stop
            at += 1

    def entity(self, at: int, end: int) -> int:
        close = self.text.find(";", at, min(end, at + 12))
        if close < 0:
            return at + 1
        written = self.text[at : close + 1]
        means = html.unescape(written)
        if means == written or len(means) != 1:
            return at + 1
        self.put(at, close + 1, rest_of(means))
        self.out[at] = means
        return close + 1

    def tag(self, at: int, end: int) -> int:
        close = self.text.find(">", at, end)
        if close < 0:
            return at + 1
        inside = self.text[at + 1 : close]
        if inside.startswith(("http://", "https://")):
            self.out[at] = self.out[close] = IGNORED
            return self.address(at + 1, close) + 1
        name = ""
        for char in inside.removeprefix("/"):
            if not char.isalnum():
                break
            name += char.lower()
        if not name or not name[0].isalpha():
            return at + 1
        self.put(at, close + 1, IGNORED)
        if name in BLOCK_TAGS | HEADINGS:
            self.out[at] = BREAK
        elif name == "br":
            self.out[at] = "\n"
            if self.text[:at].endswith(("<br>", "<br/>", "<br />")):
                self.out[at] = BREAK
        return close + 1

    def address(self, at: int, end: int) -> int:
        """Note an address; of markup, it contains only entities, and characters that are percent-encoded."""
        self.addresses.append((at, end))
        while at < end:
            if self.text[at] == "&":
                at = self.entity(at, end)
                continue
            char, length = encoded(self.text[at:end])
            self.put(at, at + length, rest_of(char))
            self.out[at] = char
            at += length
        return end

    def link(self, at: int, end: int) -> int:
        """Mask [text](target); the text is read as any other, by the caller."""
        text = self.text
        begin = at + (2 if text[at] == "!" else 1)
        close = begin
        while close < end and text[close] != "]":
            close += 2 if text[close] == "\\" else 1
        if text[close : close + 2] != "](":
            return begin
        stop, depth = close + 2, 1
        while stop < end and not text[stop].isspace():
            depth += (text[stop] == "(") - (text[stop] == ")")
            if not depth:
                self.put(at, begin, IGNORED)
                self.put(close, stop + 1, IGNORED)
                if stop > close + 2:
                    self.targets.append((close + 2, stop))
                return begin
            stop += 1
        return begin

    def emphasis(self, at: int, end: int) -> int:
        text = self.text
        size = run(text, at, end)
        inner = at + size
        before = text[at - 1 : at]
        if inner >= end or text[inner].isspace() or (text[at] == "_" and before.isalnum()):
            return inner
        close = inner
        while close < end:
            if text[close] == "\\":
                close += 2
                continue
            if begins_address(text, close):
                close = address_end(text, close, end)
                continue
            other = run(text, close, end) if text[close] == text[at] and self.out[close] != IGNORED else 0
            behind = text[close + other : close + other + 1]
            if other == size and not text[close - 1].isspace() and not (text[at] == "_" and behind.isalnum()):
                self.put(at, inner, IGNORED)
                self.put(close, close + size, IGNORED)
                return inner
            close += other or 1
        return inner


def rest_of(char: str) -> str:
    return REST if char.isalpha() and not char.isascii() else IGNORED


def encoded(text: str) -> tuple[str, int]:
    """Return the first character of an address, which may be written as %20 or %C3%A9, and the length of that."""
    for size in (1, 2, 3, 4):
        written = text[: 3 * size]
        codes = [written[at + 1 : at + 3] for at in range(0, len(written), 3) if written[at] == "%"]
        if len(codes) == size and all(len(code) == 2 and set(code) <= set(hexdigits) for code in codes):
            try:
                char = bytes(int(code, 16) for code in codes).decode()
            except UnicodeDecodeError:
                continue
            return (char if char.isprintable() else " "), 3 * size
    return text[0], 1


def lines_of(text: str) -> list[Span]:
    """Return the span of each line, without its newline."""
    lines, start = [], 0
    for at, char in enumerate(text):
        if char == "\n":
            lines.append((start, at))
            start = at + 1
    return [*lines, (start, len(text))]


def spaces(text: str, at: int, end: int) -> int:
    """Return where the spaces that begin here end."""
    while at < end and text[at] in " \t":
        at += 1
    return at


def run(text: str, at: int, end: int) -> int:
    """Return how often the character at this place is repeated."""
    size = 0
    while at + size < end and text[at + size] == text[at]:
        size += 1
    return size


def begins_address(text: str, at: int) -> bool:
    """Return True where a bare address begins: not in the middle of a word."""
    if text[at - 1 : at].isalnum() and at > 0:
        return False
    return text[at : at + 8].lower().startswith(("http://", "https://", "www."))


def address_end(text: str, at: int, end: int) -> int:
    """Return where a bare address ends: at white space or a bracket, without the marks that end a sentence."""
    stop = at
    while stop < end and not text[stop].isspace() and text[stop] not in "<>()[]{}|\"'*`~\\":
        stop += 1
    while stop > at and text[stop - 1] in ".,:;!?_":
        stop -= 1
    return stop
