"""Files of lines that may still grow, entered anywhere in what they unpack to."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from overheard.errors import RetryableError
from overheard.input_files import open_for_reading
from overheard.observability.log import get_logger
from overheard.sources.jsonl_files import LINE_MAX_BYTES, open_decompressed

log = get_logger(__name__)

FILES_MAX = 1000
OPEN_FILES_MAX = 16  # kept open between two readings: a packed file cannot be entered in its middle
SKIP_BYTES = 1 << 20
FILE_RETRY_SECONDS = 60.0

Known = tuple[str, int]  # a file's first line, hashed, and the offset up to which it was read


class LineReader:
    """A file's lines one after the other. ``offset`` is where the next one begins, in what the file unpacks to."""

    def __init__(self, path: Path) -> None:
        self._file = open_decompressed(open_for_reading(path))
        self._next: bytes | None = None
        self.offset = 0
        self.ended = False
        try:
            self.first = hashlib.sha256(self.peek().rstrip(b"\r\n")).hexdigest()[:16]
        except BaseException:
            self.close()
            raise

    @property
    def known(self) -> Known:
        """What to know of the file to go on here later."""
        return self.first, self.offset

    def peek(self) -> bytes:
        """Return the next line, or as much of it as a line may have; nothing at the end."""
        if self._next is None:
            self._next = self._file.readline(LINE_MAX_BYTES)
            self.ended = not self._next
        return self._next

    def take(self) -> None:
        """Go on behind the next line."""
        self.offset += len(self.peek())
        self._next = None

    def skip_to(self, offset: int) -> bool:
        """Go on at an offset further on; return whether the file has as much."""
        self.take()
        while self.offset < offset:
            skipped = len(self._file.read(min(SKIP_BYTES, offset - self.offset)))
            self.offset += skipped
            if not skipped:
                return False
        return self.offset == offset

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ReplayFiles:
    """The files at a path: itself, or those in the folder. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[int, int, Known], LineReader] = OrderedDict()
        self._ended: dict[str, tuple[tuple[int, ...], Known]] = {}  # what it was like when it was read to its end

    def paths(self) -> list[Path]:
        """Return the files in the order of their names. Raises RetryableError."""
        try:
            if not self._path.is_dir():
                self._path.stat()
                return [self._path]
            found = sorted(path for path in self._path.iterdir() if path.is_file() and not path.name.startswith("."))
        except OSError as error:
            raise _unusable(str(error.strerror)) from None
        if len(found) > FILES_MAX:
            raise _unusable(f"{len(found):,} files, {FILES_MAX:,} are allowed")
        return found

    @contextmanager
    def lines(self, path: Path, known: Known | None) -> Iterator[LineReader | None]:
        """The file's lines behind what is known; None when it is as it was when it was read to its end.

        A file is known by its name and its first line: another one of its name is read from its start.
        """
        state = path.stat()
        looks = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
        if known is not None and self._ended.get(path.name) == (looks, known):
            yield None
            return
        lines = self._enter(path, looks[:2], known)
        keep = False
        try:
            yield lines
            keep = not lines.ended
        finally:
            if keep:
                self._keep((*looks[:2], lines.known), lines)
            else:
                lines.close()
        if lines.ended:
            self._ended[path.name] = looks, lines.known

    def close(self) -> None:
        """Close the files that are open."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def _enter(self, path: Path, file: tuple[int, ...], known: Known | None) -> LineReader:
        if known is None:
            return LineReader(path)
        with self._lock:
            lines = self._open.pop((file[0], file[1], known), None)
        if lines is not None:
            return lines
        lines = LineReader(path)
        if lines.first == known[0] and lines.skip_to(known[1]):
            return lines
        lines.close()
        log.warning("another file of this name: it is read from its start", file=path.name)
        return LineReader(path)

    def _keep(self, key: tuple[int, int, Known], lines: LineReader) -> None:
        with self._lock:
            if old := self._open.pop(key, None):  # of another thread, at the same place
                old.close()
            self._open[key] = lines
            while len(self._open) > OPEN_FILES_MAX:
                self._open.popitem(last=False)[1].close()


def _unusable(reason: str) -> RetryableError:
    return RetryableError(f"[sources.replay] path: {reason}", delay=FILE_RETRY_SECONDS)
