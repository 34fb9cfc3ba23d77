"""Read a group's feeds from the newest page back to the cursor, and send each page on as it arrives.

The result is returned; the caller (``group_reading``) decides what happens to the group. Raised are only errors of our
own servers (bus, database) and permanent ones, such as credentials that the source does not accept.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from actors.fetch import planning
from actors.fetch.poll import GroupPoll
from actors.fetch.source_health import SourceHealth
from overheard.chunking import parts_of_page
from overheard.clock import Clock
from overheard.config import FetchSettings
from overheard.db import rechecks
from overheard.db.database import Db
from overheard.db.rechecks import EARLY_FRACTION
from overheard.errors import BudgetExhausted, FeedRefused, PermanentError, RetryableError, Unavailable
from overheard.messages import GapBounds, PollTarget
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.sending import Send
from overheard.sources import ListingGap, Page, RequestTokens, Source
from overheard.sources.logged_items import log_read
from overheard.sources.registry import is_internal, source_type

log = get_logger(__name__)


class ListingOverflow(msgspec.Struct, frozen=True):
    """The group has more new items than its source lists; ``load`` counts those read, by place."""

    load: Mapping[str, int]


class Backlog(msgspec.Struct, frozen=True):
    """All parts are sent, but the source has more: the next poll has to follow."""


# Why a page was not read: no token in the budget yet, one of the feeds (or all of them) refused by the source, or a
# transient error of the source.
ReadFailure = BudgetExhausted | FeedRefused | RetryableError
ReadResult = ListingOverflow | Backlog | ReadFailure | None  # None: all parts are sent, the last one with the target


class Reader:
    """Reads groups. ``sources`` maps a source's name to the source; a request names feeds of one source and kind."""

    def __init__(
        self,
        *,
        db: Db,
        sources: Mapping[str, Source],
        send: Send,
        clock: Clock,
        rules: FetchSettings,
        recheck_within: float,
        metrics: ProcessMetrics,
        health: SourceHealth,
    ) -> None:
        self.db = db
        self.recheck_within = recheck_within
        self.sources = sources
        self.send = send
        self.clock = clock
        self.rules = rules
        self.metrics = metrics
        self.health = health

    def read(self, poll: GroupPoll, budget: RequestTokens) -> ReadResult:
        """Read from the poll's position back to the cursor. The last part carries the target."""
        item_count = 0
        while True:
            page = self.page(poll, budget)
            if not isinstance(page, Page):
                return page
            poll.record_page(page, self.clock())
            poll.record_items(page.items)
            done = page.complete or page.position is None or poll.progress.pages >= self.rules.max_pages
            overflow = done and page.unread is not None and self._is_to_be_divided(poll, page.unread)
            self.send_page(poll, page, self._target(poll, page) if done and not overflow else None)
            if page.changed:
                early = self.clock() - EARLY_FRACTION * self.recheck_within
                rechecks.hurry(self.db, poll.group.source, page.changed, early)
            item_count += len(page.items)
            if done:
                log.info("poll read", **poll.log_fields, items=item_count)
                if overflow:
                    return ListingOverflow(page.load)
                return Backlog() if page.behind else None

    def _is_to_be_divided(self, poll: GroupPoll, unread: ListingGap) -> bool:
        """Return False if what was not read is a gap, which the target records.

        It is one of a single feed, and of a group that was read too late (after an outage, for example): reading its
        halves from the top would delay all other groups in turn. The gap is filled by number, once for all groups.
        """
        numbered = source_type(poll.group.source).numbered_size is not None
        bounded = unread.since is not None and unread.until is not None
        fillable = numbered and bounded and planning.is_overdue(poll.group, poll.seconds_since_last)
        return len(poll.group.feeds) > 1 and not fillable

    def page(self, poll: GroupPoll, budget: RequestTokens) -> Page | ReadFailure:
        """Return the next page, or why there is none. Record source health: monitoring has no other view of it."""
        group, health = poll.group, self.health
        try:
            page = self._read(group.source, poll, budget)
        except BudgetExhausted as exhausted:
            return exhausted
        except FeedRefused as refusal:
            health.record_refusal(group.source)
            return refusal
        except Unavailable:
            raise  # our database, which holds the budget: not an error of the source
        except RetryableError as error:
            health.record_failure(group.source, error)
            return error
        except PermanentError as error:
            health.record_failure(group.source, error)
            raise
        health.record_success(group.source)
        return page

    def _read(self, name: str, poll: GroupPoll, budget: RequestTokens) -> Page:
        source = self.sources[name]
        try:
            return source.read(poll.request(), budget)
        finally:
            self.health.record_clients(source)

    def _target(self, poll: GroupPoll, page: Page) -> PollTarget:
        """Return the target for the last part; it has a gap if the reading ended short of the cursor."""
        missed = None
        if page.unread is not None:
            # A position means that the listing goes on: [fetch] max_pages ended the reading, not the source.
            reason = page.unread.reason if page.position is None else "pages"
            missed = GapBounds(reason, page.unread.since, page.unread.until)
            log.warning("coverage gap", **poll.log_fields, reason=reason)
        gaps = tuple(GapBounds(gap.reason, gap.since, gap.until) for gap in page.gaps)
        if gaps:
            log.warning("coverage gaps", **poll.log_fields, reason=gaps[0].reason, count=len(gaps))
        target = poll.target(page, missed, planning.next_room(poll.group.room, poll.progress.pages, self.rules))
        retry_at = self.clock() + page.pause if page.pause else 0.0
        return msgspec.structs.replace(target, gaps=gaps, behind=page.behind, lag=page.lag, retry_at=retry_at)

    def send_page(self, poll: GroupPoll, page: Page, target: PollTarget | None) -> None:
        """Send the page's items on; the last page of a poll has a target."""
        progress = poll.progress
        parts = parts_of_page(page, poll.group.source, poll=progress.poll_id, first=progress.parts, target=target)
        for part in parts:
            self.send(part)
        log_read(log, page.items, poll=progress.poll_id)
        poll.record_parts(len(parts))
        if not is_internal(poll.group.source):
            self.metrics.count_read(poll.group.source, (item.kind for item in page.items))
