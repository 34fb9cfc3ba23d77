"""stream: read a source that sends its items by itself, and put them on the bus.

A page of about a second is a poll like those of fetch: its cursor moves in the transaction that stores its items (I2).
The next page is sent when this one is stored. So at most one page is on its way; while the bus or a stage is slow,
nothing is read from the connection, and the server has to wait.
"""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress

from overheard.chunking import parts_of_page
from overheard.clock import Clock
from overheard.db import leases, source_health, streams
from overheard.db.database import Db
from overheard.db.groups import Group
from overheard.errors import RetryableError, Unavailable
from overheard.messages import GapBounds, Message, PollTarget
from overheard.observability.log import bound, get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.sources import Page, StreamConnection, StreamedSource
from overheard.sources.logged_items import log_read

log = get_logger(__name__)

LOOK_SECONDS = 2.0  # between two looks at whether the source is watched, or another producer has stopped reading it
CONNECT_LEASE_SECONDS = 30.0  # more than a source takes to connect
READ_LEASE_SECONDS = 10.0  # more than a page takes; after a kill in the middle of one, the stream pauses for this long
TAKEOVER_SECONDS = 8.0  # without a stored page, which a quiet stream has every 5 s: another producer has stopped
STORED_CHECK_SECONDS = 0.05
RETRY_MIN_SECONDS, RETRY_MAX_SECONDS = 1.0, 60.0  # after a failure of the source; doubles
SERVERS_RETRY_SECONDS = 2.0  # after a failure of the bus or the database
DOWN_SECONDS = 5.0  # of failures of the bus or the database before /healthz reports them: one may meet a restart


class StreamProducer:
    """Reads one streamed source. ``lease``: seconds within which a page has to be stored."""

    def __init__(
        self,
        *,
        source: StreamedSource,
        db: Db,
        send: Callable[[Message], str],
        clock: Clock,
        lease: float,
        metrics: ProcessMetrics,
    ) -> None:
        self.source = source
        self.db = db
        self.send = send
        self.clock = clock
        self.lease = lease
        self.metrics = metrics
        self.failing_since: float | None = None
        self.failure = ""
        self._connection: StreamConnection | None = None
        # Of the last page that was sent: while it is the stored one, the connection is where the next page begins.
        self._cursor: str | None = None
        self._failures = 0

    def step(self, stop: threading.Event) -> float:
        """Read a page and see it stored; return the seconds to wait before the next step.

        1. Without a watching workspace, or while another producer reads the source, there is no connection.
        2. Claim the group; connect at its cursor, unless the connection is there already.
        3. Read a page, send it, and wait until it is stored.
        4. A page that is not stored within the lease is lost, or a stage is down: connect again at the stored cursor.

        Raises Unavailable (bus or database).
        """
        with self.db.session():
            now = self.clock()
            found = streams.watched(self.db, self.source.name, now)
            before = now - TAKEOVER_SECONDS
            if found is None or not found.may_be_taken(last_cursor=self._cursor, before=before):
                self.disconnect()
                return LOOK_SECONDS
            poll = uuid.uuid4().hex
            group = leases.claim(self.db, found.id, poll, now=now, lease=READ_LEASE_SECONDS)
            if group is None:
                self.disconnect()
                return LOOK_SECONDS
            with bound(stage="stream", poll=poll):
                return self._read(group, found.watched_since, poll, stop)

    def _read(self, group: Group, watched_since: float, poll: str, stop: threading.Event) -> float:
        try:
            began_at = self.clock()
            page = self._page(group, watched_since, poll, stop)
            if stop.is_set():
                leases.release(self.db, poll)  # as abandoned: the next producer need not wait
                return 0.0
            self._send(group, page, poll, began_at)
        except Unavailable:
            self.disconnect()
            with suppress(Unavailable), self.db.session():  # the lease expires anyway
                streams.free(self.db, poll)
            raise
        except RetryableError as error:
            self.disconnect()
            streams.free(self.db, poll)
            return self._failed(error)
        self._failures = 0
        source_health.record_read(self.db, self.source.name, self.clock())
        if not self._stored(poll, stop):
            self.disconnect()
        return 0.0

    def _page(self, group: Group, watched_since: float, poll: str, stop: threading.Event) -> Page:
        if self._connection is None or group.cursor != self._cursor:
            self.disconnect()
            leases.extend(self.db, poll, self.clock() + CONNECT_LEASE_SECONDS)
            # What came while nothing was watching is not wanted.
            self._connection = self.source.connect(group.cursor if watched_since <= group.began_at else None)
            self._cursor = group.cursor
            leases.extend(self.db, poll, self.clock() + READ_LEASE_SECONDS)
        return self._connection.read(stop)

    def _send(self, group: Group, page: Page, poll: str, began_at: float) -> None:
        gaps = tuple(GapBounds(gap.reason, gap.since, gap.until) for gap in page.gaps)
        if gaps:
            log.warning("coverage gap", source=self.source.name, reason=gaps[0].reason)
        feeds = tuple(feed.id for feed in group.feeds)
        target = PollTarget(group.id, feeds, page.cursor, began_at, gaps=gaps, behind=page.behind)
        leases.extend(self.db, poll, self.clock() + self.lease)
        for part in parts_of_page(page, self.source.name, poll=poll, target=target):
            self.send(part)
        log_read(log, page.items, poll=poll)
        self._cursor = page.cursor
        self.metrics.count_read(self.source.name, (item.kind for item in page.items))
        log.debug("page sent", source=self.source.name, items=len(page.items), gone=len(page.gone))

    def _stored(self, poll: str, stop: threading.Event) -> bool:
        """Wait until the page is stored; return False if it is not within the lease, or the process has to end."""
        until = self.clock() + self.lease
        while not streams.is_stored(self.db, poll):
            if stop.wait(STORED_CHECK_SECONDS):
                return False
            if self.clock() >= until:
                log.warning("page not stored in time; reading again from the cursor", source=self.source.name)
                return False
        return True

    def _failed(self, error: RetryableError) -> float:
        backoff = min(RETRY_MIN_SECONDS * 2.0 ** min(self._failures, 10), RETRY_MAX_SECONDS)
        delay = max(backoff * random.uniform(0.5, 1.0), error.delay or 0.0)
        self._failures += 1
        now = self.clock()
        source_health.record_failure(self.db, self.source.name, str(error), now, now + delay)
        log.warning("source postponed", source=self.source.name, seconds=round(delay, 1), exc_info=error)
        return delay

    def disconnect(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def problems(self) -> list[str]:
        """Return the problems for /healthz. A source that cannot be read is not one: a restart would not help."""
        if self.failing_since is None or self.clock() - self.failing_since < DOWN_SECONDS:
            return []
        seconds = self.clock() - self.failing_since
        return [f"the stream of {self.source.name} has failed for {seconds:.0f} s: {self.failure}"]


def run(producer: StreamProducer, stop: threading.Event) -> None:
    """Read until ``stop`` is set."""
    try:
        while not stop.is_set():
            began_at = producer.clock()
            try:
                pause = producer.step(stop)
                producer.failing_since = None
            except RetryableError as error:
                pause = SERVERS_RETRY_SECONDS
                producer.failing_since, producer.failure = producer.failing_since or began_at, str(error)
                log.warning("stream failed", stage="stream", source=producer.source.name, exc_info=error)
            stop.wait(pause)
    finally:
        producer.disconnect()
