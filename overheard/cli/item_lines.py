"""Files of items, a JSON object a line, held against a query."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Any

import msgspec

from overheard.cli.output import complain
from overheard.errors import InvalidInput
from overheard.matching.index import matches
from overheard.matching.language import Query

COMPLAINTS = 10
GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"

Highlights = tuple[tuple[str, int, int], ...]


class Said(msgspec.Struct):
    """What of an input object is matched: a post's ``title`` and ``selftext`` (or ``body``), a comment's ``body``."""

    title: str | None = None
    selftext: str | None = None
    body: str | None = None
    kind: str | None = None
    name: str | None = None
    item: str | None = None
    subreddit: str | None = None

    @property
    def fields(self) -> dict[str, str]:
        """The texts by their keys. A comment's title is its post's, and not its own words."""
        comment = self.kind == "comment" or (self.name or self.item or "").startswith("t1_")
        keys = ("body",) if comment else ("title", "selftext", "body")
        return {key: text for key in keys if (text := getattr(self, key))}


class Found(msgspec.Struct):
    """A line that matches. ``given`` is the object as it stood there."""

    line: int
    given: dict[str, msgspec.Raw]
    texts: dict[str, str]
    highlights: Highlights
    subreddit: str | None = None


class Tally(msgspec.Struct):
    """What was read so far."""

    lines: int = 0
    matched: int = 0
    bad: int = 0


def unpacked(raw: IO[bytes]) -> Iterable[bytes]:
    """The same bytes, unzipped where they are zipped, whatever the file is called."""
    file: Any = raw if hasattr(raw, "peek") else io.BufferedReader(raw)
    return gzip.open(file) if file.peek(2)[:2] == GZIP else file


def matching(wanted: Query, file: Iterable[bytes], tally: Tally) -> Iterator[Found]:
    """The lines that match; complains of those that cannot be read, and counts all."""
    whole = msgspec.json.Decoder(dict[str, msgspec.Raw])
    parts = msgspec.json.Decoder(Said)
    for number, raw in enumerate(_lines(file), start=1):
        raw = raw.removeprefix(BOM)
        if not raw.strip():
            continue
        tally.lines += 1
        try:
            said = parts.decode(raw)
            hit = matches(wanted, said.fields)
            given = whole.decode(raw) if hit else {}
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            tally.bad += 1
            if tally.bad <= COMPLAINTS:
                complain(f"line {number} is skipped: {error}; want an object with a title or a body")
            continue
        if hit:
            tally.matched += 1
            yield Found(number, given, said.fields, hit.highlights, said.subreddit)


def _lines(file: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from file
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InvalidInput(f"the gzipped file is damaged: {error}") from None
