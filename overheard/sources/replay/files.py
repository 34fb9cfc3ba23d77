"""Files of lines that may still grow, read from any offset in their decompressed content."""

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

FILES_MAX = 1000  # each has an entry in every cursor
OPEN_FILES_MAX = 16  # kept open between readings: a compressed file has no random access
SKIP_BYTES = 1 << 20  # read at once while skipping, which decompresses everything before the offset
FILE_RETRY_SECONDS = 60.0  # chosen, not measured: a missing file needs the operator

# The hash of a file's first line, and the offset up to which the file was read. The line identifies the file because it
# stays the same when the file is compressed, while the inode changes.
FilePosition = tuple[str, int]
Signature = tuple[int, ...]  # device, inode, size and modification time: unchanged means nothing new to read


class LineReader:
    """Reads a file line by line. ``offset`` is where the next line starts in the decompressed content."""

    def __init__(self, path: Path) -> None:
        self._file = open_decompressed(open_for_reading(path))
        self._next: bytes | None = None
        self.offset = 0
        self.ended = False
        try:
            self.first = hashlib.sha256(self.peek().rstrip(b"\r\n")).hexdigest()[:16]
        except BaseException:  # the caller gets no object that it could close
            self.close()
            raise

    @property
    def position(self) -> FilePosition:
        """The position at which to continue later."""
        return self.first, self.offset

    def peek(self) -> bytes:
        """Return the next line, cut off at LINE_MAX_BYTES; empty at the end."""
        if self._next is None:
            self._next = self._file.readline(LINE_MAX_BYTES)
            self.ended = not self._next
        return self._next

    def take(self) -> None:
        """Advance past the next line."""
        self.offset += len(self.peek())
        self._next = None

    def skip_to(self, offset: int) -> bool:
        """Advance to ``offset``; return False if the file is too short."""
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
    """The file at a path, or the files in the folder at it. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[int, int, FilePosition], LineReader] = OrderedDict()
        # By name: what each file looked like when it was last read to its end, and its position.
        self._ended: dict[str, tuple[Signature, FilePosition]] = {}

    def paths(self) -> list[Path]:
        """Return the files, sorted by name. Raises RetryableError if they cannot be listed or are too many."""
        try:
            if not self._path.is_dir():
                self._path.stat()
                return [self._path]
            # Hidden files are left out: rsync and editors keep unfinished copies in them.
            paths = sorted(path for path in self._path.iterdir() if path.is_file() and not path.name.startswith("."))
        except OSError as error:
            raise _unusable(str(error.strerror)) from None
        if len(paths) > FILES_MAX:
            raise _unusable(f"{len(paths):,} files, {FILES_MAX:,} are allowed")
        return paths

    @contextmanager
    def lines(self, path: Path, since: FilePosition | None) -> Iterator[LineReader | None]:
        """Yield a reader of the lines after ``since``; None if the file has not changed since it was read to its end.

        A file that is shorter than ``since``, or has another first line, has been replaced: it is read from its start.
        """
        state = path.stat()
        signature = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
        if since is not None and self._ended.get(path.name) == (signature, since):
            yield None
            return
        lines = self._reader_at(path, signature[:2], since)
        keep = False
        try:
            yield lines
            keep = not lines.ended
        finally:
            if keep:
                self._keep((*signature[:2], lines.position), lines)
            else:
                lines.close()
        if lines.ended:
            self._ended[path.name] = signature, lines.position

    def close(self) -> None:
        """Close all open files."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def _reader_at(self, path: Path, file: tuple[int, ...], since: FilePosition | None) -> LineReader:
        if since is None:
            return LineReader(path)
        with self._lock:
            # Taken out while it is in use: a reader serves one thread at a time.
            lines = self._open.pop((file[0], file[1], since), None)
        if lines is not None:
            return lines
        lines = LineReader(path)
        if lines.first == since[0] and lines.skip_to(since[1]):
            return lines
        lines.close()
        log.warning("replay file was replaced; reading from the start", file=path.name)
        return LineReader(path)

    def _keep(self, key: tuple[int, int, FilePosition], lines: LineReader) -> None:
        with self._lock:
            if old := self._open.pop(key, None):  # another thread's reader at the same position
                old.close()
            self._open[key] = lines
            while len(self._open) > OPEN_FILES_MAX:
                self._open.popitem(last=False)[1].close()


def _unusable(reason: str) -> RetryableError:
    return RetryableError(f"[sources.replay] path: {reason}", delay=FILE_RETRY_SECONDS)
