"""Files of items, a JSON object a line, held against a query."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

import msgspec

from overheard.errors import InvalidInput
from overheard.matching.index import matches
from overheard.matching.language import Query

MAX_COMPLAINTS = 10
HOPELESS_LINES = 1000  # of which none could be read: it is another kind of file
LINE_MAX_BYTES = 4 << 20  # Reddit's own longest are a tenth of it
BOMB_BYTES = 32 << 20  # from here on, it is looked at how much a gzipped file has grown
BOMB_RATIO = 500  # lines of JSON shrink to a tenth, the same line again and again to a 300th
GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"

Highlights = tuple[tuple[str, int, int], ...]


class NotItems(InvalidInput):
    """The file holds no items, however long one reads on."""


class InputItem(msgspec.Struct):
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


class _Counted:
    """Counts what is read of a file."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.bytes = 0

    def read(self, size: int) -> bytes:
        data: bytes = self._file.read(size)
        self.bytes += len(data)
        return data


class _Unzipped(io.RawIOBase):
    """The bytes of a gzipped file, for as long as it does not grow out of all proportion."""

    def __init__(self, file: Any) -> None:
        self._zipped = _Counted(file)
        self._file = gzip.GzipFile(fileobj=self._zipped)  # type: ignore[call-overload]
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Unzip some more. Raises NotItems for a bomb."""
        size = int(self._file.readinto(buffer))
        self._bytes += size
        if self._bytes > BOMB_BYTES and self._bytes > BOMB_RATIO * self._zipped.bytes:
            raise NotItems(
                f"more than {BOMB_RATIO} times as large unzipped: items do not shrink like that (a gzip bomb?)"
            )
        return size


def unpacked(raw: IO[bytes]) -> IO[bytes]:
    """Return the same bytes, unzipped where they are zipped, whatever the file is called."""
    file: Any = raw if hasattr(raw, "peek") else io.BufferedReader(raw)
    return io.BufferedReader(_Unzipped(file)) if file.peek(2)[:2] == GZIP else file


def matching(
    wanted: Query, file: IO[bytes], tally: LineTally, complain: Callable[[str], None]
) -> Iterator[MatchedLine]:
    """Yield the lines that match; complain of those that cannot be read, and count all."""
    whole = msgspec.json.Decoder(dict[str, msgspec.Raw])
    parts = msgspec.json.Decoder(InputItem)
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
            if tally.bad <= MAX_COMPLAINTS:
                complain(f"line {number} is skipped: {error}; want an object with a title or a body")
            if tally.bad == tally.lines == HOPELESS_LINES:
                raise NotItems(
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
                raise NotItems(f"a line is longer than {LINE_MAX_BYTES:,} bytes; want an item a line")
            yield line
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InvalidInput(f"the gzipped file is damaged: {error}") from None
