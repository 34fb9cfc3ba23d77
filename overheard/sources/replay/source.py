"""Replay items from files of JSON lines as if they were live: for tests, benchmarks and backfilling. No requests.

Each feed has its own replay, which starts with its first reading. An item appears when the time since then, multiplied
by ``speed``, reaches the time between the first item and this one. Lines are read in order, so a line with an earlier
time than the one before it appears together with that one.

The cursor records when the replay started, and how far each file was read, as an offset in its decompressed content:
so a file may grow, and may be compressed in between.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from overheard.clock import Clock
from overheard.config import Config
from overheard.errors import InvalidInput
from overheard.items import ALL, Item, place_key
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.sources import Page, ReadRequest, RequestTokens, SingleFeedSource, Source
from overheard.sources.jsonl_files import DECOMPRESSION_ERRORS, LINE_MAX_BYTES, UTF8_BOM
from overheard.sources.not_configured import NotConfiguredSource
from overheard.sources.replay.files import FilePosition, LineReader, ReplayFiles
from overheard.sources.replay.line import SOURCE, InvalidLine, decode

log = get_logger(__name__)

# Chosen, not measured: a page is held in memory as a whole.
PAGE_MAX_ITEMS = 5_000
PAGE_MAX_BYTES = 16 << 20
PAGE_MAX_GONE = 1_000


class ReplayProgress(msgspec.Struct, omit_defaults=True):
    """A decoded cursor. ``began``: when the replay started; ``first``: the first item's time; ``files``: by name."""

    began: float
    first: float | None = None
    files: dict[str, FilePosition] = {}


_PROGRESS = msgspec.json.Decoder(ReplayProgress)


class PageBuilder(msgspec.Struct):
    """The content of a page while it is being read."""

    items: list[Item] = []
    gone: list[str] = []
    invalid: list[str] = []
    size: int = 0

    @property
    def full(self) -> bool:
        """True if the next line belongs to the next page."""
        return len(self.items) >= PAGE_MAX_ITEMS or len(self.gone) >= PAGE_MAX_GONE or self.size >= PAGE_MAX_BYTES


class ReplaySource(SingleFeedSource):
    """Implements ``overheard.sources.Source``. Thread-safe."""

    name = SOURCE

    def __init__(self, path: Path, speed: float, metrics: ProcessMetrics, *, clock: Clock) -> None:
        self._files = ReplayFiles(path)
        self._speed = speed
        self._clock = clock
        self._unreadable = metrics.items_unreadable.labels(SOURCE)

    def read(self, request: ReadRequest, budget: RequestTokens) -> Page:
        """Read the next items of a place that are due, at most a page. Uses no token of the budget."""
        if request.kind != "items":
            return Page(items=())
        (place,) = request.places
        text = request.position or request.cursor
        progress = _PROGRESS.decode(text) if text else ReplayProgress(self._clock())
        page, paths = PageBuilder(), self._files.paths()
        # Drop files that no longer exist: in a folder where files come and go, the cursor would grow without bound.
        present = {path.name for path in paths}
        progress.files = {name: position for name, position in progress.files.items() if name in present}
        for path in paths:
            if not page.full:
                self._read_file(path, place_key(place), progress, page)
        if page.invalid:
            self._unreadable.inc(len(page.invalid))
            log.warning("skipped lines that are not items", count=len(page.invalid), first=page.invalid[0])
        cursor = msgspec.json.encode(progress).decode()
        return Page(
            items=tuple(page.items),
            gone=tuple(dict.fromkeys(page.gone)),
            position=cursor if page.full else None,
            complete=not page.full,
            cursor=cursor,
        )

    def close(self) -> None:
        """Close all open files."""
        self._files.close()

    def _read_file(self, path: Path, place: str, progress: ReplayProgress, page: PageBuilder) -> None:
        name = path.name
        try:
            with self._files.lines(path, progress.files.get(name)) as lines:
                while lines is not None and not page.full and (raw := self._next_line(lines)):
                    if not self._add(raw, f"{name}, byte {lines.offset}", place, progress, page):
                        return  # not due yet, so the lines after it have to wait as well
                    lines.take()
                    progress.files[name] = lines.position
        except (*DECOMPRESSION_ERRORS, OSError, InvalidInput) as error:  # the other files are still read
            reason = getattr(error, "strerror", None) or str(error)
            log.warning("cannot read the rest of a replay file", file=name, reason=reason)

    def _next_line(self, lines: LineReader) -> bytes:
        """Return the next line; empty at the end, or if the last line is still being written."""
        raw = lines.peek()
        if raw and len(raw) < LINE_MAX_BYTES and not raw.endswith(b"\n") and not _is_whole(raw):
            lines.ended = True  # until the file changes
            return b""
        return raw

    def _add(self, raw: bytes, where: str, place: str, progress: ReplayProgress, page: PageBuilder) -> bool:
        """Add a line to the page; return False if its item is not due yet."""
        text = raw.removeprefix(UTF8_BOM).strip()
        try:
            line = decode(text) if text else None
            if line is not None and line.gone is not None:  # deletions have no time: they come in the file's order
                page.gone.append(line.gone)
            elif line is not None:
                item = self._dated(line.to_item(), progress)
                if item is None:
                    return False
                if place in (ALL, place_key(item.place)):
                    page.items.append(item)
        except InvalidLine as error:
            page.invalid.append(f"{where}: {error}")
        page.size += len(raw)
        return True

    def _dated(self, item: Item, progress: ReplayProgress) -> Item | None:
        """Return the item, dated when it appears in the replay; None if it is not due yet."""
        now = self._clock()
        if not item.created_at:
            return msgspec.structs.replace(item, created_at=now)
        if not self._speed:
            return item
        if progress.first is None:
            progress.first = item.created_at
        appears_at = progress.began + max(0.0, item.created_at - progress.first) / self._speed
        return msgspec.structs.replace(item, created_at=appears_at) if appears_at <= now else None


def _is_whole(raw: bytes) -> bool:
    try:
        decode(raw.strip())
    except InvalidLine:
        return False
    return True


def open_source(config: Config, metrics: ProcessMetrics, clock: Clock) -> Source:
    """Open the source, or one that postpones every reading if no path is configured."""
    replay = config.sources.replay
    if not replay.path:
        return NotConfiguredSource(SOURCE, "[sources.replay] path is not set: there is nothing to replay")
    return ReplaySource(Path(replay.path), replay.speed, metrics, clock=clock)
