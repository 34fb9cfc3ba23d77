"""Fill gaps: look up what their feeds' listings no longer show, by the items' numbers, with what the budget has spare.

12:00:00  Reddit has not answered for two hours. 2,000 feeds leave gaps, all of them between about the same numbers.
12:00:05  The tick asks for the gaps of all posts. The 2,000 lowest numbers are looked up, a hundred a request, until
          the budget has nothing spare. What belongs to no watched feed is dropped; the rest goes on in parts.
12:00:12  The last part is stored: in the same transaction, all 2,000 gaps move past these numbers.
12:00:15  The tick asks again.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress

from actors.fetch.source_health import SourceHealth
from overheard.chunking import parts_of_page
from overheard.clock import Clock
from overheard.db import gap_filling
from overheard.db.database import Db
from overheard.errors import BudgetExhausted, PermanentError, RetryableError, Unavailable
from overheard.items import ALL, FeedKind, Item, place_key
from overheard.messages import ItemsFetched, NumbersRead, PollPart
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.outcomes import Outcome, Rejected
from overheard.reading.numbers import in_requests, lowest
from overheard.sending import Send
from overheard.sources import NumberedItems, NumberedPage, Page, RequestTokens, Source
from overheard.sources.logged_items import log_read
from overheard.sources.registry import source_type

log = get_logger(__name__)

# Of one message. Chosen, not measured: at one message a tick (5 s) more than any budget has spare.
REQUESTS = 20
TURN_SECONDS = 20.0  # after which a message begins no further request: each may wait a second for its token
READ_LEASE_SECONDS = 60.0  # a process that is killed while it looks up delays the rest by as much
# For parts that wait in the queues of match and store. If one is lost, its numbers are looked up again afterwards.
STORE_LEASE_SECONDS = 600.0


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

    def fill(self, source: str, kind: FeedKind, budget: RequestTokens) -> Outcome:
        """Look up the lowest numbers that the source's open gaps of this kind have left, and send what is found.

        The last part says which numbers were looked up. Without a spare token, or after an error of the source, these
        are fewer, or none: the tick asks again. Raise Unavailable (bus or database).
        """
        reader, size = self.sources[source], source_type(source).numbered_size
        if size is None or not isinstance(reader, NumberedItems):
            return Rejected(f"the items of {source} have no numbers")
        poll = uuid.uuid4().hex
        if not gap_filling.claim(self.db, source, kind, poll, now=self.clock(), lease=READ_LEASE_SECONDS):
            return None  # a repeated message
        try:
            ranges = gap_filling.to_look_up(self.db, source, kind, REQUESTS * size)
            looked_up = parts = 0
            for numbers, page in self._pages(reader, source, kind, in_requests(ranges, size), budget):
                parts += self._send(source, kind, page, poll, parts)
                looked_up += len(numbers)
            if not looked_up:
                gap_filling.release(self.db, poll)
                return None
            gap_filling.extend(self.db, poll, self.clock() + STORE_LEASE_SECONDS)
            read = NumbersRead(source, kind, tuple(lowest(ranges, looked_up)))
            self.send(ItemsFetched(part=PollPart(poll=poll, part=parts, parts=parts + 1, numbers=read), items=()))
        except Unavailable:
            with suppress(Unavailable), self.db.session():  # the lease expires anyway
                gap_filling.release(self.db, poll)
            raise
        log.info("gaps read", poll=poll, source=source, kind=kind, numbers=looked_up, parts=parts)
        return None

    def _pages(
        self,
        reader: NumberedItems,
        source: str,
        kind: FeedKind,
        requests: Iterator[tuple[int, ...]],
        budget: RequestTokens,
    ) -> Iterator[tuple[tuple[int, ...], NumberedPage]]:
        until = self.clock() + TURN_SECONDS
        for numbers in requests:
            if self.clock() >= until:
                return
            try:
                page = reader.read_numbers(kind, numbers, budget)
            except BudgetExhausted:
                log.debug("no spare budget to fill gaps", source=source, kind=kind)
                return
            except Unavailable:
                raise  # our database, which holds the budget: not an error of the source
            except (RetryableError, PermanentError) as error:
                self.health.record_failure(source, error)
                log.warning("gaps not filled", source=source, kind=kind, exc_info=error)
                return
            finally:
                self.health.record_clients(self.sources[source])
            self.health.record_success(source)
            yield numbers, page

    def _send(self, source: str, kind: FeedKind, page: NumberedPage, poll: str, first: int) -> int:
        """Send on what belongs to a watched feed; return the number of parts."""
        items = self._watched(source, kind, page.items)
        if not items:
            return 0
        found = Page(items=items, position=None, complete=True, cursor="")
        parts = parts_of_page(found, source, poll=poll, first=first)
        for part in parts:
            self.send(part)
        log_read(log, items, poll=poll)
        self.metrics.count_read(source, (item.kind for item in items))
        return len(parts)

    def _watched(self, source: str, kind: FeedKind, items: tuple[Item, ...]) -> tuple[Item, ...]:
        watched = gap_filling.watched_places(self.db, source, kind, {place_key(item.place) for item in items})
        return items if ALL in watched else tuple(item for item in items if place_key(item.place) in watched)
