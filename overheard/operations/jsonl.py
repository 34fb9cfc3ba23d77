"""Files of items, a JSON object a line, held against a query."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO

import msgspec

from overheard.errors import InvalidInput
from overheard.matching.index import matches
from overheard.matching.language import ParsedQuery
from overheard.sources.jsonl_files import DECOMPRESSION_ERRORS, LINE_MAX_BYTES, UTF8_BOM, MatchableLine, NotAnItemFile

MAX_COMPLAINTS = 10
HOPELESS_LINES = 1000  # of which none could be read: it is another kind of file

Highlights = tuple[tuple[str, int, int], ...]


class MatchedLine(msgspec.Struct):
    """A line that matches. ``given`` is the object as it stood there."""

    line: int
    given: dict[str, msgspec.Raw]
    texts: dict[str, str]
    highlights: Highlights
    subreddit: str | None = None


class LineTally(msgspec.Struct):
    """What was read so far."""

    lines: int = 0
    matched: int = 0
    bad: int = 0


def matching(
    wanted: ParsedQuery, file: IO[bytes], tally: LineTally, complain: Callable[[str], None]
) -> Iterator[MatchedLine]:
    """Yield the lines that match; complain of those that cannot be read, and count all."""
    whole = msgspec.json.Decoder(dict[str, msgspec.Raw])
    parts = msgspec.json.Decoder(MatchableLine)
    for number, raw in enumerate(_lines(file), start=1):
        raw = raw.removeprefix(UTF8_BOM)
        if not raw.strip():
            continue
        tally.lines += 1
        try:
            said = parts.decode(raw)
            hit = matches(wanted, said.fields)
            given = whole.decode(raw) if hit else {}
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            tally.bad += 1
            if tally.bad <= MAX_COMPLAINTS:
                complain(f"line {number} is skipped: {error}; want an object with a title or a body")
            if tally.bad == tally.lines == HOPELESS_LINES:
                raise NotAnItemFile(
                    f"none of its first {HOPELESS_LINES:,} lines is an object with a title or a body"
                ) from None
            continue
        if hit:
            tally.matched += 1
            yield MatchedLine(number, given, said.fields, hit.highlights, said.subreddit)


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    try:
        while line := file.readline(LINE_MAX_BYTES + 1):
            if len(line) > LINE_MAX_BYTES:
                raise NotAnItemFile(f"a line is longer than {LINE_MAX_BYTES:,} bytes; want an item a line")
            yield line
    except DECOMPRESSION_ERRORS as error:
        raise InvalidInput(f"the packed file is damaged: {error}") from None
