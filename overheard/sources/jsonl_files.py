"""Files of items, a JSON object a line: plain, gzip or zst, each line and the whole of it bounded."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import IO, Any

import msgspec
import zstandard

from overheard.errors import InvalidInput
from overheard.items import ItemKind
from overheard.sources.reddit.names import kind_of

LINE_MAX_BYTES = 4 << 20  # Reddit's own longest are a tenth of it
BOMB_BYTES = 32 << 20  # from here on, it is looked at how much a packed file has grown
BOMB_RATIO = 500  # lines of JSON shrink to a tenth, the same line again and again to a 300th
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
ZSTD_WINDOW_MAX_BYTES = 1 << 31  # dumps of Reddit are packed with it
UTF8_BOM = b"\xef\xbb\xbf"
DECOMPRESSION_ERRORS = (gzip.BadGzipFile, zlib.error, EOFError, zstandard.ZstdError)


class NotAnItemFile(InvalidInput):
    """The file holds no items, however long one reads on."""


class MatchableLine(msgspec.Struct):
    """What of an input object is matched: a post's ``title`` and ``selftext`` (or ``body``), a comment's ``body``."""

    title: str | None = None
    selftext: str | None = None
    body: str | None = None
    kind: str | None = None
    name: str | None = None
    item: str | None = None
    subreddit: str | None = None

    @property
    def item_kind(self) -> ItemKind:
        """What it is, as its ``kind`` or its name says; without both, what has no title is a comment."""
        if self.kind in ("post", "comment"):
            return "comment" if self.kind == "comment" else "post"
        untitled = self.title is None and self.selftext is None
        return kind_of(self.name or self.item or "") or ("comment" if untitled else "post")

    @property
    def fields(self) -> dict[str, str]:
        """The texts by their keys. A comment's title is its post's, and not its own words."""
        keys = ("body",) if self.item_kind == "comment" else ("title", "selftext", "body")
        return {key: text for key in keys if (text := getattr(self, key))}


class _Counted:
    """Counts what is read of a file."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.bytes = 0

    def read(self, size: int) -> bytes:
        data: bytes = self._file.read(size)
        self.bytes += len(data)
        return data


class _Unpacked(io.RawIOBase):
    """The bytes of a packed file, for as long as it does not grow out of all proportion."""

    def __init__(self, file: Any, magic: bytes) -> None:
        self._raw = file
        self._counted = _Counted(file)
        packed: Any = self._counted
        if magic.startswith(GZIP_MAGIC):
            self._file: Any = gzip.GzipFile(fileobj=packed)
        else:
            unpacker = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_MAX_BYTES)
            self._file = unpacker.stream_reader(packed, read_across_frames=True)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Unpack some more. Raises NotItems for a bomb."""
        size = int(self._file.readinto(buffer))
        if self._file.tell() > max(BOMB_BYTES, BOMB_RATIO * self._counted.bytes):
            raise NotAnItemFile(
                f"more than {BOMB_RATIO} times as large unzipped: items do not shrink like that (a bomb?)"
            )
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


def open_decompressed(raw: IO[bytes]) -> IO[bytes]:
    """The same bytes, unpacked where they are packed, whatever the file is called."""
    file: Any = raw if hasattr(raw, "peek") else io.BufferedReader(raw)
    magic = file.peek(len(ZSTD_MAGIC))[: len(ZSTD_MAGIC)]
    return io.BufferedReader(_Unpacked(file, magic)) if magic[:2] == GZIP_MAGIC or magic == ZSTD_MAGIC else file
