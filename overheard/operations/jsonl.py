"""Match a query against a file of items, one JSON object per line.

A line becomes an item, so that every part of the language works as it does live. Highlights go the way back: they name
the keys of the line, and count its characters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import IO

import msgspec

from overheard.errors import InvalidInput
from overheard.matching.index.query_index import matches
from overheard.matching.item.leaf_finder import Highlight
from overheard.matching.language import ParsedQuery
from overheard.operations.line_items import LineItem, item_of
from overheard.sources.jsonl_files import DECOMPRESSION_ERRORS, LINE_MAX_BYTES, UTF8_BOM, MatchableLine, NotAnItemFile

MAX_COMPLAINTS = 10
UNREADABLE_LINES_LIMIT = 1000  # if all of the first lines are unreadable, this is not a file of items
TEXT_KEY = "text"  # of a text that comes without a line


class MatchedLine(msgspec.Struct):
    """A matching line. ``given`` is its object with the original spelling of every value.

    ``source`` and ``place`` are "" if the line does not tell them.
    """

    line: int
    given: dict[str, msgspec.Raw]
    texts: dict[str, str]
    highlights: tuple[Highlight, ...]
    source: str = ""
    place: str = ""
    subreddit: str | None = None


class LineTally(msgspec.Struct):
    """Counts of the lines read so far."""

    lines: int = 0
    matched: int = 0
    unreadable: int = 0


def matching_lines(
    query: ParsedQuery, file: IO[bytes], tally: LineTally, complain: Callable[[str], None]
) -> Iterator[MatchedLine]:
    """Yield the matching lines; report unreadable ones to ``complain``; count all in ``tally``."""
    whole = msgspec.json.Decoder(dict[str, msgspec.Raw])
    parts = msgspec.json.Decoder(MatchableLine)
    for number, raw in enumerate(_lines(file), start=1):
        raw = raw.removeprefix(UTF8_BOM)
        if not raw.strip():
            continue
        tally.lines += 1
        try:
            line = parts.decode(raw)
            made = item_of(line)
            hit = matches(query, made.item)
            # The whole object is only needed to print a match, and most lines do not match.
            given = whole.decode(raw) if hit else {}
        # RecursionError: a line may be nested more deeply than the decoder can follow.
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            tally.unreadable += 1
            if tally.unreadable <= MAX_COMPLAINTS:
                complain(f"line {number} skipped: {error}; expected an object with a title or a body")
            if tally.unreadable == tally.lines == UNREADABLE_LINES_LIMIT:
                raise NotAnItemFile(
                    f"none of its first {UNREADABLE_LINES_LIMIT:,} lines is an object with a title or a body"
                ) from None
            continue
        if hit:
            tally.matched += 1
            yield _matched(number, given, line, made, hit.highlights)


def match_text(query: ParsedQuery, text: str) -> MatchedLine | None:
    """Match a text as the body of an item of which nothing else is known."""
    hit = matches(query, item_of(MatchableLine(body=text)).item)
    if hit is None:
        return None
    highlights = tuple((TEXT_KEY, start, end) for _, start, end in hit.highlights)
    return MatchedLine(1, {TEXT_KEY: msgspec.Raw(msgspec.json.encode(text))}, {TEXT_KEY: text}, highlights)


def _matched(
    number: int, given: dict[str, msgspec.Raw], line: MatchableLine, made: LineItem, found: Iterable[Highlight]
) -> MatchedLine:
    highlights = made.in_the_line(found)
    # What is always searched, and what else has a match.
    keys = dict.fromkeys((*made.keys("title", "body"), *(key for key, _, _ in highlights)))
    texts = {key: getattr(line, key, "") or made.item.texts[key] for key in keys}
    return MatchedLine(number, given, texts, highlights, *line.where, line.subreddit)


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    try:
        # One byte more than allowed shows that a line is too long, without reading all of it.
        while line := file.readline(LINE_MAX_BYTES + 1):
            if len(line) > LINE_MAX_BYTES:
                raise NotAnItemFile(f"a line is longer than {LINE_MAX_BYTES:,} bytes; expected one item per line")
            yield line
    except DECOMPRESSION_ERRORS as error:
        raise InvalidInput(f"the compressed file is damaged: {error}") from None
