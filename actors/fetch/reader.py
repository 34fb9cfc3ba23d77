"""One reading: a group's feeds from the newest page back to the cursor, each page sent on as it comes.

How it ended is a value; what becomes of the group then is the stage's matter (``fetcher``). Only faults of servers of
ours (bus, database) are raised, and credentials that the source does not take.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from actors.fetch import planning
from actors.fetch.poll import GroupPoll
from actors.fetch.source_health import SourceHealth
from overheard.chunking import chunks, item_size
from overheard.clock import Clock
from overheard.config import FetchSettings
from overheard.errors import BudgetExhausted, FeedRefused, PermanentError, RetryableError, Unavailable
from overheard.messages import GapBounds, ItemsFetched, PollPart, PollTarget
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.sending import Send
from overheard.sources import Page, RequestTokens, Source
from overheard.sources.registry import is_internal

log = get_logger(__name__)


class ListingOverflow(msgspec.Struct, frozen=True):
    """The group has more news than its source lists; ``load`` is what each feed has to say."""

    load: Mapping[str, int]


# What keeps a page from being read: the budget has nothing for it yet, the source does not show one of the feeds (or
# none of them), or it is a passing fault of the source.
ReadFailure = BudgetExhausted | FeedRefused | RetryableError
ReadResult = ListingOverflow | ReadFailure | None  # None: all parts are sent, the last of them with the target


class Reader:
    """Reads groups. ``sources`` are those of the feeds, by name; a request names feeds of one source and kind."""

    def __init__(
        self,
        *,
        sources: Mapping[str, Source],
        send: Send,
        clock: Clock,
        rules: FetchSettings,
        metrics: ProcessMetrics,
        health: SourceHealth,
    ) -> None:
        self.sources = sources
        self.send = send
        self.clock = clock
        self.rules = rules
        self.metrics = metrics
        self.health = health

    def read(self, poll: GroupPoll, budget: RequestTokens) -> ReadResult:
        """Read from where the poll is back to the cursor. The last part bears the target."""
        count = 0
        while True:
            page = self._page(poll, budget)
            if not isinstance(page, Page):
                return page
            poll.turn(page, self.clock())
            done = page.complete or page.position is None or poll.at.pages >= self.rules.max_pages
            too_much = done and not page.complete and len(poll.group.feeds) > 1
            self._send(poll, page, self._target(poll, page) if done and not too_much else None)
            if not is_internal(poll.group.source):
                self.metrics.items_fetched.labels(poll.group.source, poll.group.kind).inc(len(page.items))
            count += len(page.items)
            if done:
                log.info("poll read", **poll.gist, items=count)
                return ListingOverflow(page.load) if too_much else None

    def _page(self, poll: GroupPoll, budget: RequestTokens) -> Page | ReadFailure:
        """The next page, or why there is none. How the source does is recorded: monitoring has no other view of it."""
        group, health = poll.group, self.health
        try:
            page = self.sources[group.source].read(poll.request(), budget)
        except BudgetExhausted as wait:
            return wait
        except FeedRefused as refusal:
            health.refused(group.source)
            return refusal
        except Unavailable:
            raise  # the database, where the budget is: not the source
        except RetryableError as fault:
            health.failed(group.source, fault)
            return fault
        except PermanentError as fault:
            health.failed(group.source, fault)
            raise
        health.answered(group.source)
        return page

    def _target(self, poll: GroupPoll, page: Page) -> PollTarget:
        """What store makes of the group when all is stored; with a gap, when the reading ends short of the cursor."""
        missed = None
        if page.unread is not None:
            reason = page.unread.reason if page.position is None else "pages"
            missed = GapBounds(reason, page.unread.since, page.unread.until)
            log.warning("coverage gap", **poll.gist, reason=reason)
        return poll.target(page, missed, planning.next_room(poll.group.room, poll.at.pages, self.rules))

    def _send(self, poll: GroupPoll, page: Page, target: PollTarget | None) -> None:
        pieces = chunks(page.items, item_size)
        gone = tuple((poll.group.source, item_id) for item_id in page.gone)
        for number, piece in enumerate(pieces, 1):
            part = PollPart(poll=poll.at.poll_id, part=poll.next_part())
            if target is not None and number == len(pieces):
                part = msgspec.structs.replace(part, parts=part.part + 1, targets=(target,))
            self.send(ItemsFetched(part=part, items=piece, gone=gone if number == 1 else ()))
