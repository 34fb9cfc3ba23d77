"""Items from files of JSON lines, as if they were live: for tests, benchmarks and backfilling. It asks nobody.

Each feed has a replay of its own, which begins with its first reading: an item comes when as much time has passed since
then, times ``speed``, as lies between the first item and it. Lines are taken in their order, so one with an earlier
time than the line before it comes with that.

The cursor says when the replay began and how far each file was read, in bytes of what it unpacks to: so a file may
grow, and may be packed meanwhile.
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
from overheard.sources.replay.files import Known, LineReader, ReplayFiles
from overheard.sources.replay.line import SOURCE, InvalidLine, decode

log = get_logger(__name__)

PAGE_ITEMS = 5_000
PAGE_BYTES = 16 << 20
PAGE_GONE = 1_000


class ReplayProgress(msgspec.Struct, omit_defaults=True):
    """A cursor, decoded. ``first`` is the time of the first item; ``files`` how far each was read, by name."""

    began: float
    first: float | None = None
    files: dict[str, Known] = {}


class PageBuilder(msgspec.Struct):
    """What a page has so far."""

    items: list[Item] = []
    gone: list[str] = []
    wrong: list[str] = []
    size: int = 0

    @property
    def full(self) -> bool:
        """Whether the rest is for the next page."""
        return len(self.items) >= PAGE_ITEMS or len(self.gone) >= PAGE_GONE or self.size >= PAGE_BYTES


class ReplaySource(SingleFeedSource):
    """Implements ``overheard.sources.Source``. Thread-safe."""

    name = SOURCE

    def __init__(self, path: Path, speed: float, metrics: ProcessMetrics, *, clock: Clock) -> None:
        self._files = ReplayFiles(path)
        self._speed = speed
        self._clock = clock
        self._unreadable = metrics.items_unreadable.labels(SOURCE)

    def read(self, request: ReadRequest, budget: RequestTokens) -> Page:
        """Read what has come of a place, up to a page. The budget stays untouched."""
        if request.kind != "items":
            return Page(items=())
        (place,) = request.places
        text = request.position or request.cursor
        progress = msgspec.json.decode(text, type=ReplayProgress) if text else ReplayProgress(self._clock())
        taken, paths = PageBuilder(), self._files.paths()
        # Of files that are gone nothing is kept: in a folder where files come and go, the cursor would grow for ever.
        present = {path.name for path in paths}
        progress.files = {name: known for name, known in progress.files.items() if name in present}
        for path in paths:
            if not taken.full:
                self._read_file(path, place_key(place), progress, taken)
        if taken.wrong:
            self._unreadable.inc(len(taken.wrong))
            log.warning("skipped lines that are not items", count=len(taken.wrong), first=taken.wrong[0])
        cursor = msgspec.json.encode(progress).decode()
        return Page(
            items=tuple(taken.items),
            gone=tuple(dict.fromkeys(taken.gone)),
            position=cursor if taken.full else None,
            complete=not taken.full,
            cursor=cursor,
        )

    def close(self) -> None:
        """Close the files that are open."""
        self._files.close()

    def _read_file(self, path: Path, place: str, progress: ReplayProgress, taken: PageBuilder) -> None:
        name = path.name
        try:
            with self._files.lines(path, progress.files.get(name)) as lines:
                while lines is not None and not taken.full and (raw := self._next(lines)):
                    if not self._take(raw, f"{name}, byte {lines.offset}", place, progress, taken):
                        return
                    lines.take()
                    progress.files[name] = lines.known
        except (*DECOMPRESSION_ERRORS, OSError, InvalidInput) as error:
            reason = getattr(error, "strerror", None) or str(error)
            log.warning("a file cannot be read further", file=name, reason=reason)

    def _next(self, lines: LineReader) -> bytes:
        """The next line; none when the last one has not come whole yet."""
        raw = lines.peek()
        if raw and len(raw) < LINE_MAX_BYTES and not raw.endswith(b"\n") and not _is_whole(raw):
            lines.ended = True  # for now
            return b""
        return raw

    def _take(self, raw: bytes, where: str, place: str, progress: ReplayProgress, taken: PageBuilder) -> bool:
        """Take a line; False when its time has not come."""
        text = raw.removeprefix(UTF8_BOM).strip()
        try:
            line = decode(text) if text else None
            if line is not None and line.gone is not None:
                taken.gone.append(line.gone)
            elif line is not None:
                item = self._dated(line.to_item(), progress)
                if item is None:
                    return False
                if place in (ALL, place_key(item.place)):
                    taken.items.append(item)
        except InvalidLine as error:
            taken.wrong.append(f"{where}: {error}")
        taken.size += len(raw)
        return True

    def _dated(self, item: Item, progress: ReplayProgress) -> Item | None:
        """Return the item with the time at which it comes; None when that is yet to be."""
        now = self._clock()
        if not item.created_at:
            return msgspec.structs.replace(item, created_at=now)
        if not self._speed:
            return item
        if progress.first is None:
            progress.first = item.created_at
        comes_at = progress.began + max(0.0, item.created_at - progress.first) / self._speed
        return msgspec.structs.replace(item, created_at=comes_at) if comes_at <= now else None


def _is_whole(raw: bytes) -> bool:
    try:
        decode(raw.strip())
    except InvalidLine:
        return False
    return True


def open_source(config: Config, metrics: ProcessMetrics, clock: Clock) -> Source:
    """Open the source; without a path there is nothing to replay."""
    replay = config.sources.replay
    if not replay.path:
        return NotConfiguredSource(SOURCE, "[sources.replay] path is not set: there is nothing to replay")
    return ReplaySource(Path(replay.path), replay.speed, metrics, clock=clock)
