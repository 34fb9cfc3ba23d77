"""Read Bluesky's posts from a Jetstream server, as a stream."""

from __future__ import annotations

import threading
import time

import msgspec

from overheard.clock import Clock
from overheard.config import Config
from overheard.errors import RetryableError
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.sources import Page, StreamedSource
from overheard.sources.bluesky.batch import EventBatch, Resumption
from overheard.sources.bluesky.client import JetstreamServer, JetstreamSocket
from overheard.sources.bluesky.cursor import StreamCursor, decoded
from overheard.sources.bluesky.events import StreamEvent, StreamNotice, UnreadableFrame, decode
from overheard.sources.bluesky.names import SOURCE

log = get_logger(__name__)

BATCH_SECONDS = 0.8  # from the first event of a page on: while there are many, each waits half of it on average
QUIET_SECONDS = 5.0  # without any event, until an empty page shows that the stream is being read
STOP_CHECK_SECONDS = 0.2  # how soon a reading notices that it has to end
UP_TO_DATE_SECONDS = 5.0  # what is not older has no backlog behind it


class BlueskyConnection:
    """Implements ``overheard.sources.StreamConnection``. ``resumption``: until the first event, where it resumes."""

    def __init__(
        self,
        socket: JetstreamSocket,
        cursor: StreamCursor,
        resumption: Resumption | None,
        *,
        metrics: ProcessMetrics,
        clock: Clock,
        batch_seconds: float,
        quiet_seconds: float,
    ) -> None:
        self._socket = socket
        self._cursor = cursor
        self._resumption = resumption
        self._unreadable = metrics.items_unreadable.labels(SOURCE)
        self._clock = clock
        self._batch_seconds = batch_seconds
        self._quiet_seconds = quiet_seconds
        self._ended: RetryableError | None = None

    def read(self, stop: threading.Event) -> Page:
        """Return the events of a second; see ``StreamConnection``."""
        if self._ended is not None:
            raise self._ended
        batch = EventBatch(self._cursor)
        drained = self._collect(batch, stop)
        if batch.unreadable:
            self._unreadable.inc(len(batch.unreadable))
            log.warning("skipped what is not a post", count=len(batch.unreadable), first=batch.unreadable[0])
        if batch.unreadable and not batch.count:
            self._ended = self._ended or RetryableError("it sends nothing that can be read")
        if self._ended is not None and not batch.count:
            raise self._ended
        self._cursor = batch.cursor
        # Until the first event has shown whether something is missing, the old cursor stays.
        kept = self._resumption.cursor if self._resumption is not None else batch.cursor
        behind = not drained and self._clock() - batch.cursor.at > UP_TO_DATE_SECONDS
        return batch.page(cursor=kept.encoded(), behind=behind)

    def _collect(self, batch: EventBatch, stop: threading.Event) -> bool:
        """Receive until the batch is full or its time is over; return True if nothing more was waiting."""
        until, began, drained = time.monotonic() + self._quiet_seconds, False, False
        while not (stop.is_set() or batch.full or self._ended):
            if batch.count and not began:
                until, began = time.monotonic() + self._batch_seconds, True
            if (left := until - time.monotonic()) <= 0:
                break
            try:
                frame = self._socket.receive(min(left, STOP_CHECK_SECONDS))
            except RetryableError as error:
                self._ended = error
                break
            drained = frame is None
            if frame is not None:
                self._take(frame, batch)
        return drained

    def _take(self, frame: bytes, batch: EventBatch) -> None:
        try:
            received = decode(frame)
        except UnreadableFrame as error:
            batch.unreadable.append(str(error))
            return
        if isinstance(received, StreamNotice):
            if received.outdated and self._resumption is not None:
                self._resumption = msgspec.structs.replace(self._resumption, outdated=True)
            if received.ended:
                self._ended = RetryableError("it has ended the stream with an error")
            return
        resumed, self._resumption = self._resumption, None
        if resumed is not None:
            batch.gap = resumed.gap_before(received)
            if resumed.is_repeated(received):
                received = StreamEvent(received.time_us, received.seq)
        batch.add(received)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


class BlueskySource(StreamedSource):
    """A streamed source; one connection at a time."""

    name = SOURCE

    def __init__(
        self,
        server: JetstreamServer,
        metrics: ProcessMetrics,
        *,
        clock: Clock,
        batch_seconds: float = BATCH_SECONDS,
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        self._server = server
        self._metrics = metrics
        self._clock = clock
        self._batch_seconds = batch_seconds
        self._quiet_seconds = quiet_seconds

    def connect(self, cursor: str | None) -> BlueskyConnection:
        """Connect; see ``StreamedSource``. A cursor of another server is of no use, and what follows it is a gap."""
        before, host = decoded(cursor), self._server.url
        is_ours = before is not None and before.host == host
        began_us = int(self._clock() * 1e6)
        socket, outdated = self._server.open(before if is_ours else None)
        log.info("stream connected", source=SOURCE, protocol=socket.protocol, resumed=is_ours)
        start = before if before is not None and is_ours else StreamCursor(host=host, time_us=began_us, seen=False)
        resumption = None if before is None else Resumption(before, outdated=outdated or not is_ours)
        return BlueskyConnection(
            socket,
            start,
            resumption,
            metrics=self._metrics,
            clock=self._clock,
            batch_seconds=self._batch_seconds,
            quiet_seconds=self._quiet_seconds,
        )


def open_source(config: Config, metrics: ProcessMetrics, clock: Clock) -> BlueskySource:
    """Open the source; it connects when its producer does."""
    settings = config.sources.bluesky
    return BlueskySource(JetstreamServer(settings.url, settings.protocol, clock), metrics, clock=clock)
