"""Find the inline marks of one stretch of text: emphasis, code, links, escapes, entities, spoilers, tags.

CommonMark's rules, except where only the shape of the result depends on them (which marks enclose which), for the words
are the same. Each step either moves on, or takes something off a stack, so that time is linear.
"""

import re
import unicodedata
from bisect import bisect_left
from typing import NamedTuple

from overheard.matching.markup.html_tags import mask_tag
from overheard.matching.markup.links import (
    AUTOLINK,
    BARE,
    LABEL_MAX_CHARS,
    REFERENCE,
    TAIL,
    bare_address,
    has_nested_label,
    normal_label,
)
from overheard.matching.markup.mask import ENTITY, ESCAPE, Mask

# Each alternative begins with a literal: so the regex engine skips everything else.
_MARK = re.compile(
    rf"{ESCAPE}|&gt;!|{ENTITY}|``*|<|!\[|!<|!&lt;|\[|\]|>!|\*\**|__*|~~~*|\^\^*"
    r"|://|w(?=[wW]{2}\.)|W(?=[wW]{2}\.)"  # BARE of links.py
)
_MAX_OPENERS = 8  # looked at for one closing run; bounds the time, chosen above what people write
_TICKS = re.compile("``*")


class _Opener(NamedTuple):
    """What is left of a run of marks that can open emphasis."""

    start: int
    end: int
    length: int  # of the whole run
    closes: bool  # as well, so that the rule of three applies


class Inline:
    """One pass over the marks of a stretch."""

    def __init__(self, text: str, mask: Mask, labels: set[str]) -> None:
        self._text = text
        self._mask = mask
        self._labels = labels
        self._start = self._end = 0

    def read(self, start: int, end: int) -> None:
        self._start, self._end = start, end
        self._openers: dict[str, list[_Opener]] = {"*": [], "_": [], "~": []}
        self._brackets: list[tuple[int, int]] = []
        self._first_link = 0  # brackets below cannot open a link, because they contain one
        self._spoilers: list[tuple[int, int]] = []
        self._ticks: dict[int, list[int]] | None = None
        search, text = _MARK.search, self._text
        at = start
        while mark := search(text, at, end):
            at = self._read_mark(mark[0], mark.start(), mark.end())

    def read_code(self, start: int, end: int) -> None:
        """Find the addresses in code: there are no marks."""
        at = start
        while found := BARE.search(self._text, at, end):
            address = bare_address(self._text, found.start(), start, end)
            if address:
                self._mask.links.append(address)
            at = max(found.end(), address[1] if address else 0)

    def _read_mark(self, mark: str, at: int, end: int) -> int:
        """Read one mark; return where to go on."""
        sign = mark[0]
        if sign in "*_~":
            self._read_emphasis(sign, at, end)
        elif sign == "\\":
            self._mask.ignore(at, at + 1)
        elif sign == "`":
            return self._read_ticks(at, end)
        elif sign == "<":
            return self._read_angle(at, end)
        elif mark in ("[", "!["):
            self._brackets.append((at, end))
        elif sign == "]":
            return self._read_closing_bracket(at, end)
        elif sign in ":wW":
            return self._read_address(at, end)
        elif sign == "^":
            self._read_superscript(at, end)
        elif sign == "!":
            if not self._spoilers:
                return at + 1  # what follows may be a tag: wow!<br>
            self._read_spoiler_end(at, end)
        elif mark[-1] == "!":
            self._spoilers.append((at, end))
        else:
            self._mask.add_entity(mark, at)
        return end

    def _read_emphasis(self, sign: str, at: int, end: int) -> None:
        length = end - at
        if sign == "~" and length % 2:
            return
        opens, closes = self._flanking(sign, at, end)
        openers = self._openers[sign]
        ruled = sign != "~"  # by the rule of three
        while closes and at < end:
            place = _opener(openers, length, opens and ruled)
            if place is None:
                break
            opener = openers[place]
            used = min(opener.end - opener.start, end - at)
            self._mask.ignore(opener.end - used, opener.end)
            self._mask.ignore(at, at + used)
            at += used
            del openers[place:]
            if opener.start < opener.end - used:
                openers.append(opener._replace(end=opener.end - used))
        if opens and at < end:
            openers.append(_Opener(at, end, length, closes and ruled))

    def _flanking(self, sign: str, at: int, end: int) -> tuple[bool, bool]:
        """Return whether a run of marks can open and close emphasis, by CommonMark's rules."""
        before = self._text[at - 1] if at > self._start else " "
        after = self._text[end] if end < self._end else " "
        before_is_space, after_is_space = before.isspace(), after.isspace()
        before_is_sign, after_is_sign = _is_sign(before), _is_sign(after)
        left = not after_is_space and (not after_is_sign or before_is_space or before_is_sign)
        right = not before_is_space and (not before_is_sign or after_is_space or after_is_sign)
        if sign != "_":
            return left, right
        return left and (not right or before_is_sign), right and (not left or after_is_sign)

    def _read_ticks(self, at: int, end: int) -> int:
        """Read a code span; without an end of the same length, the ticks stay."""
        if self._ticks is None:
            self._ticks = {}
            for run in _TICKS.finditer(self._text, self._start, self._end):
                self._ticks.setdefault(len(run[0]), []).append(run.start())
        length = end - at
        starts = self._ticks.get(length, [])
        closing = bisect_left(starts, end)
        if closing == len(starts):
            return end
        close = starts[closing]
        self._mask.ignore(at, end)
        self._mask.ignore(close, close + length)
        self.read_code(end, close)
        return close + length

    def _read_angle(self, at: int, end: int) -> int:
        if link := AUTOLINK.match(self._text, at, self._end):
            self._mask.ignore(at, end)
            self._mask.ignore(link.end() - 1, link.end())
            self._mask.add_address(self._text, *link.span(1))
            return link.end()
        return max(end, mask_tag(self._text, self._mask, at, self._end))

    def _read_closing_bracket(self, at: int, end: int) -> int:
        if not self._brackets:
            return end
        start, stop = self._brackets.pop()
        image = stop - start == 2
        linked = image or len(self._brackets) >= self._first_link
        self._first_link = min(self._first_link, len(self._brackets))
        tail_end = self._read_tail(stop, at, end) if linked else 0
        if not tail_end:
            return end
        self._mask.ignore(start, stop)
        self._mask.ignore(at, tail_end)
        if not image:
            self._first_link = len(self._brackets)
        return tail_end

    def _read_tail(self, stop: int, at: int, end: int) -> int:
        """Read what follows the brackets of a link; return its end, 0 if this is not a link."""
        text = self._text
        if tail := TAIL.match(text, end, self._end):
            self._mask.add_target(*tail.span("bare" if tail["angled"] is None else "angled"))
            if tail["title"]:
                self._mask.add_text(tail.start("title") + 1, tail.end("title") - 1)
            return tail.end()
        if not self._labels:
            return 0
        reference = REFERENCE.match(text, end, self._end)
        label = reference["label"] if reference else ""
        if reference is None and text.startswith("[", end, self._end) and has_nested_label(text, end, self._end):
            return 0
        if not label:
            label = text[stop:at] if at - stop <= LABEL_MAX_CHARS else ""
        if normal_label(label) not in self._labels:
            return 0
        return reference.end() if reference else end

    def _read_address(self, at: int, end: int) -> int:
        address = bare_address(self._text, at, self._start, self._end)
        if address is None:
            return end
        self._mask.add_address(self._text, *address)
        return max(end, address[1])

    def _read_superscript(self, at: int, end: int) -> None:
        """Ignore ^ before a word. Behind one it separates: Acme^TM is the word Acme, with TM set higher."""
        starts_word = at == self._start or self._text[at - 1].isspace() or self._text[at - 1] in "([{\"'"
        if starts_word and end < self._end and not self._text[end].isspace():
            self._mask.ignore(at, end)

    def _read_spoiler_end(self, at: int, end: int) -> None:
        if self._spoilers:
            self._mask.ignore(*self._spoilers.pop())
            self._mask.ignore(at, end)


def _opener(openers: list[_Opener], length: int, opens: bool) -> int | None:
    """Return the index of the last run that a closing run of this length matches."""
    for place in range(len(openers) - 1, max(-1, len(openers) - 1 - _MAX_OPENERS), -1):
        opener = openers[place]
        # CommonMark's rule of three keeps the * of "**f*ck**" from closing the ** before it.
        if not (opens or opener.closes) or (opener.length + length) % 3 or not (opener.length % 3 or length % 3):
            return place
    return None


def _is_sign(char: str) -> bool:
    return not char.isalnum() and unicodedata.category(char)[0] in "PS"
