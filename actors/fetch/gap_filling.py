"""Fill gaps: look up what their feeds' listings no longer show, by the items' numbers, with what the budget has spare.

12:00:00  Reddit has not answered for two hours. 2,000 feeds leave gaps, all of them between about the same numbers.
12:00:05  The tick asks for the gaps of all posts. The highest numbers are looked up, a hundred a request, whenever the
          budget has a spare token. What belongs to no watched feed is dropped; the rest goes on in parts.
12:00:35  The last part says which numbers were looked up. With it, in one transaction, all 2,000 gaps move past them.
12:00:40  The tick asks again.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress

import msgspec

from actors.fetch.source_health import SourceHealth
from overheard.chunking import parts_of_page
from overheard.clock import Clock
from overheard.db import gap_filling
from overheard.db.database import Db
from overheard.errors import BudgetExhausted, PermanentError, RetryableError, Unavailable
from overheard.items import ALL, FeedKind, Item, place_key
from overheard.messages import FetchWorkspace, FillProgress, ItemsFetched, NumbersRead, PollPart
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.outcomes import Later, Outcome, Rejected
from overheard.reading.numbers import NumberRange, beginning, highest, in_requests, joined
from overheard.sending import Send
from overheard.sources import NumberedItems, NumberedPage, Page, RequestTokens, Source
from overheard.sources.logged_items import log_read
from overheard.sources.registry import source_type

log = get_logger(__name__)

# Of one poll. Chosen, not measured: what is spare comes one token after the other, and the next poll begins only when
# this one is stored.
REQUESTS, POLL_SECONDS = 40, 30.0
TURN_SECONDS = 3.0  # after which a message begins no further request: its thread is one of those that runs by hand need
RETRY_MIN_SECONDS, RETRY_MAX_SECONDS = 0.5, 5.0  # until the next turn, or the next look for a spare token
READ_LEASE_SECONDS = 60.0  # a process that is killed while it looks up delays the rest by as much
# For parts that wait in the queues of match and store. If one is lost, its numbers are looked up again afterwards.
STORE_LEASE_SECONDS = 600.0
# Half of the time after which a gap is given up (``producers/gap_filling.py``): from then on it shares what is spare
# with newer ones. While each hour leaves more than it can fill, the order changes only how late things are found: half
# an hour in the mean if the newest come first, 37 hours if the oldest do. But after two stops of six hours in twelve,
# with 17 requests a minute, newest first loses a fifth, oldest first almost nothing, and sharing a tenth. Calculated.
OLD_GAP_SECONDS = 86400.0


class GapFiller:
    """Handles the messages with ``fill``. ``sources`` maps a source's name to the source."""

    def __init__(
        self,
        *,
        db: Db,
        sources: Mapping[str, Source],
        send: Send,
        clock: Clock,
        metrics: ProcessMetrics,
        health: SourceHealth,
    ) -> None:
        self.db = db
        self.sources = sources
        self.send = send
        self.clock = clock
        self.metrics = metrics
        self.health = health

    def fill(self, message: FetchWorkspace, kind: FeedKind, budget: RequestTokens) -> Outcome:
        """Look up the highest numbers that the source's open gaps of this kind have left, and send what is found.

        The last part says which numbers were looked up; after an error of the source these are fewer, or none. Return
        Later between two turns, and while no token is spare. Raise Unavailable (bus or database).
        """
        source = message.source
        reader, size = self.sources[source], source_type(source).numbered_size
        if size is None or not isinstance(reader, NumberedItems):
            return Rejected(f"the items of {source} have no numbers")
        progress = self._claim(message, kind, size)
        if progress is None:
            return None
        try:
            progress, pause = self._look_up(reader, source, kind, progress, size, budget)
            if pause is not None:
                return Later(pause, msgspec.structs.replace(message, filling=progress))
            self._finish(source, kind, progress)
        except Unavailable:
            with suppress(Unavailable), self.db.session():  # the lease expires anyway
                gap_filling.release(self.db, progress.poll_id)
            raise
        return None

    def _claim(self, message: FetchWorkspace, kind: FeedKind, size: int) -> FillProgress | None:
        """Return where the message goes on, or begins; None if another poll has the lease, or nothing is left."""
        now, progress = self.clock(), message.filling
        if progress is not None:
            return progress if gap_filling.extend(self.db, progress.poll_id, now + READ_LEASE_SECONDS) else None
        poll = uuid.uuid4().hex
        if not gap_filling.claim(self.db, message.source, kind, poll, now=now, lease=READ_LEASE_SECONDS):
            return None  # a repeated message
        left = self._left(message.source, kind, REQUESTS * size, now)
        if not left:
            gap_filling.release(self.db, poll)
            return None
        return FillProgress(poll, tuple(highest(left, REQUESTS * size, size)), now + POLL_SECONDS)

    def _left(self, source: str, kind: FeedKind, count: int, now: float) -> list[NumberRange]:
        """Return what to look up: every second minute of the gaps that are old, if there are any."""
        before = now - OLD_GAP_SECONDS
        if int(now / 60.0) % 2 and (
            old := gap_filling.to_look_up(self.db, source, kind, count, now, found_before=before)
        ):
            return old
        return gap_filling.to_look_up(self.db, source, kind, count, now)

    def _look_up(
        self,
        reader: NumberedItems,
        source: str,
        kind: FeedKind,
        progress: FillProgress,
        size: int,
        budget: RequestTokens,
    ) -> tuple[FillProgress, float | None]:
        """Look numbers up for a turn; return how far that went, and after which pause to go on (None: it is over)."""
        turn_ends = self.clock() + TURN_SECONDS
        for numbers in list(in_requests(progress.ranges, size))[progress.looked_up // size :]:
            now = self.clock()
            if now >= progress.until:
                break
            if now >= turn_ends:
                return progress, RETRY_MIN_SECONDS
            try:
                page = reader.read_numbers(kind, numbers, budget)
            except BudgetExhausted as exhausted:
                pause = min(max(exhausted.delay, RETRY_MIN_SECONDS), RETRY_MAX_SECONDS)
                return progress, pause if now + pause < progress.until else None
            except Unavailable:
                raise  # our database, which holds the budget: not an error of the source
            except (RetryableError, PermanentError) as error:
                self.health.record_failure(source, error)
                log.warning("gaps not filled", source=source, kind=kind, exc_info=error)
                break
            finally:
                self.health.record_clients(self.sources[source])
            self.health.record_success(source)
            parts = progress.parts + self._send(source, kind, page, progress)
            if len(page.absent) == len(numbers):
                empty = joined([*progress.empty, *((number, number) for number in numbers)])
                progress = msgspec.structs.replace(progress, empty=tuple(empty))
            progress = msgspec.structs.replace(progress, looked_up=progress.looked_up + len(numbers), parts=parts)
        return progress, None

    def _finish(self, source: str, kind: FeedKind, progress: FillProgress) -> None:
        poll, parts = progress.poll_id, progress.parts
        if not progress.looked_up:
            gap_filling.release(self.db, poll)
            return
        gap_filling.extend(self.db, poll, self.clock() + STORE_LEASE_SECONDS)
        ranges = joined(beginning(progress.ranges, progress.looked_up))
        read = NumbersRead(source, kind, tuple(ranges), empty=progress.empty)
        self.send(ItemsFetched(part=PollPart(poll=poll, part=parts, parts=parts + 1, numbers=read), items=()))
        log.info("gaps read", poll=poll, source=source, kind=kind, numbers=progress.looked_up, parts=parts)

    def _send(self, source: str, kind: FeedKind, page: NumberedPage, progress: FillProgress) -> int:
        """Send on what belongs to a watched feed; return the number of parts."""
        items = self._watched(source, kind, page.items)
        if not items:
            return 0
        found = Page(items=items, position=None, complete=True, cursor="")
        parts = parts_of_page(found, source, poll=progress.poll_id, first=progress.parts)
        for part in parts:
            self.send(part)
        log_read(log, items, poll=progress.poll_id)
        self.metrics.count_read(source, (item.kind for item in items))
        return len(parts)

    def _watched(self, source: str, kind: FeedKind, items: tuple[Item, ...]) -> tuple[Item, ...]:
        watched = gap_filling.watched_places(self.db, source, kind, {place_key(item.place) for item in items})
        return items if ALL in watched else tuple(item for item in items if place_key(item.place) in watched)
