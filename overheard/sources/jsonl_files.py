"""Files of items with one JSON object per line, plain, gzip or zst, bounded in line length and compression ratio."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import IO, Any

import msgspec
import zstandard

from overheard.errors import InvalidInput
from overheard.items import ItemKind
from overheard.sources.reddit.further_texts import further_texts
from overheard.sources.reddit.names import kind_of

LINE_MAX_BYTES = 4 << 20  # ten times the longest line of Reddit's dumps
BOMB_BYTES = 32 << 20  # the ratio is checked only above this: smaller output does no harm
BOMB_RATIO = 500  # JSON lines compress about 10:1; even one line repeated over and over only 300:1
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
ZSTD_WINDOW_MAX_BYTES = 1 << 31  # Reddit's dumps use this window; the library's default limit would refuse them
UTF8_BOM = b"\xef\xbb\xbf"
DECOMPRESSION_ERRORS = (gzip.BadGzipFile, zlib.error, EOFError, zstandard.ZstdError)


class NotAnItemFile(InvalidInput):
    """The file does not hold items, so reading further is pointless."""


class MatchableLine(msgspec.Struct):
    """The fields of an input object that are matched: those of Reddit's dumps, and our own names for them.

    Of a post ``title`` and ``selftext`` (or ``body``), of a comment ``body``. ``texts``: others by name.
    """

    title: str | None = None
    selftext: str | None = None
    body: str | None = None
    source: str | None = None
    kind: str | None = None
    name: str | None = None
    item: str | None = None
    place: str | None = None
    subreddit: str | None = None
    author: str | None = None
    url: str | None = None
    thread_title: str | None = None
    link_title: str | None = None
    link_flair_text: str | None = None
    nsfw: bool | None = None
    over_18: bool | None = None
    is_self: bool | None = None
    lang: str | None = None
    texts: dict[str, str] | None = None
    crosspost_parent_list: Any = None
    gallery_data: Any = None
    poll_data: Any = None

    @property
    def further_texts(self) -> dict[str, str]:
        """The texts beside title, body and flair, from Reddit's fields and from ``texts``."""
        return further_texts(self.crosspost_parent_list, self.gallery_data, self.poll_data) | (self.texts or {})

    @property
    def item_kind(self) -> ItemKind:
        """The kind by ``kind``, else by the fullname; failing both, a line without title and selftext is a comment."""
        if self.kind in ("post", "comment"):
            return "comment" if self.kind == "comment" else "post"
        untitled = self.title is None and self.selftext is None
        return kind_of(self.name or self.item or "") or ("comment" if untitled else "post")

    @property
    def where(self) -> tuple[str, str]:
        """The source and the place; a line with a subreddit is of Reddit, if it names no source."""
        return self.source or ("reddit" if self.subreddit else ""), self.place or self.subreddit or ""


class _CountingReader:
    """Counts the compressed bytes that are read."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.bytes = 0

    def read(self, size: int) -> bytes:
        data: bytes = self._file.read(size)
        self.bytes += len(data)
        return data


class _DecompressedFile(io.RawIOBase):
    """The decompressed bytes of a file; reading fails when they outgrow the compressed ones (``BOMB_RATIO``)."""

    def __init__(self, file: Any, magic: bytes) -> None:
        self._raw = file
        self._compressed = _CountingReader(file)
        compressed: Any = self._compressed
        if magic.startswith(GZIP_MAGIC):
            self._file: Any = gzip.GzipFile(fileobj=compressed)
        else:
            decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_MAX_BYTES)
            self._file = decompressor.stream_reader(compressed, read_across_frames=True)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Decompress into ``buffer``. Raises NotAnItemFile for a decompression bomb."""
        size = int(self._file.readinto(buffer))
        if self._file.tell() > max(BOMB_BYTES, BOMB_RATIO * self._compressed.bytes):
            raise NotAnItemFile(
                f"more than {BOMB_RATIO} times as large when decompressed: items do not compress that well (a bomb?)"
            )
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


def open_decompressed(raw: IO[bytes]) -> IO[bytes]:
    """Return ``raw``, decompressed if it starts like gzip or zstd; the file's name does not matter."""
    file: Any = raw if hasattr(raw, "peek") else io.BufferedReader(raw)
    magic = file.peek(len(ZSTD_MAGIC))[: len(ZSTD_MAGIC)]
    return io.BufferedReader(_DecompressedFile(file, magic)) if magic[:2] == GZIP_MAGIC or magic == ZSTD_MAGIC else file
