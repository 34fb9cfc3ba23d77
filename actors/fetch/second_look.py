"""Second looks: read a group's listing again, past what is known, for what appeared there at its own old place.

A comment that a moderator approves late, or a post that is restored, is listed below the cursor, where no poll reads.
A second look reads from the newest page back to a date. It holds no lease and moves no cursor, so polls of the group
go on meanwhile. It takes spare tokens only; while there are none, its message waits.
"""

from __future__ import annotations

import uuid

import msgspec

from actors.fetch.poll import GroupPoll
from actors.fetch.reader import Reader
from overheard.clock import Clock
from overheard.db import groups, leases, polls, second_looks
from overheard.db.database import Db
from overheard.errors import BudgetExhausted, PermanentError, RetryableError
from overheard.messages import FetchWorkspace, PollProgress
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.outcomes import Later
from overheard.sources import Page, RequestTokens

log = get_logger(__name__)

# Of one message's work: second looks must hold few threads for long. Chosen, not measured.
LOOK_TURN_SECONDS = 2.0
LOOK_PAUSE_SECONDS = 0.5  # between two turns: other messages come first
NO_SPARE_PAUSE_SECONDS = 15.0  # while there is no spare token
LOOK_MAX_SECONDS = 300.0  # for the first page, and for all others: then it is given up, and another one reads as far


class SecondLook:
    """Handles the messages that ask for a second look."""

    def __init__(self, db: Db, reader: Reader, clock: Clock, metrics: ProcessMetrics) -> None:
        self.db = db
        self.reader = reader
        self.clock = clock
        self.metrics = metrics

    def read(self, message: FetchWorkspace, budget: RequestTokens) -> Later | None:
        """Read pages back to ``back_to``, or to the listing's end.

        The look counts when all of its parts are stored; one that fails, or is given up, moves nothing, so the next one
        reads back as far. After a passing fault, or for want of spare tokens, that may be asked for at once, unless the
        source is failing: meanwhile the listing loses what is to be read. Return Later to read on in another turn.
        """
        until = self.clock() + LOOK_TURN_SECONDS
        poll = self._poll(message)
        while poll is not None:
            try:
                page = self.reader.page(poll, budget)
            except PermanentError as error:
                log.error("second look failed", **poll.log_fields, exc_info=error)
                return self._given_up(poll, "failed")
            if isinstance(page, BudgetExhausted):
                return self._wait(message, poll, page)
            if not isinstance(page, Page):
                log.info("second look failed", **poll.log_fields, reason=str(page))
                if isinstance(page, RetryableError):
                    second_looks.ask_again(self.db, poll.group.id)
                # After a refusal, the next poll of the group decides which feed is to blame.
                return self._given_up(poll, "failed")
            if self._send(poll, page):
                return None
            if self.clock() >= until:
                return Later(LOOK_PAUSE_SECONDS, msgspec.structs.replace(message, resume=poll.progress))
        return None

    def _poll(self, message: FetchWorkspace) -> GroupPoll | None:
        """Return the look as a poll of its feeds; None if they are gone."""
        progress = message.resume
        group = next(iter(groups.load(self.db, [message.group_id or 0])), None) if progress is None else None
        if progress is None and group is not None and not group.by_number:  # it may have become so since
            feeds = tuple(feed.id for feed in group.feeds)
            progress = PollProgress(f"look-{uuid.uuid4().hex}", group.id, read_at=self.clock(), feeds=feeds)
            polls.begin(self.db, progress.poll_id, self.clock())
        if progress is None:
            return None
        found = groups.of_feeds(self.db, progress.group_id, progress.feeds)
        return GroupPoll(found, progress, message.back_to) if found is not None else None

    def _send(self, poll: GroupPoll, page: Page) -> bool:
        """Send the page on; return True if it was the last one."""
        poll.record_page(page, self.clock())
        done = page.position is None or poll.progress.pages >= self.reader.rules.max_pages
        self.reader.send_page(poll, page, poll.look() if done else None)
        if done:
            # Short: the listing's depth, or [fetch] max_pages, ended it. It counts, as another one would see no more.
            outcome = "done" if page.complete else "short"
            self.metrics.second_looks.labels(poll.group.source, outcome).inc()
            log.info("second look read", **poll.log_fields, outcome=outcome)
        return done

    def _wait(self, message: FetchWorkspace, poll: GroupPoll, wait: BudgetExhausted) -> Later | None:
        resumed = msgspec.structs.replace(message, resume=poll.progress)
        if wait.slot is not None:
            return Later.for_slot(wait, resumed)
        if self.clock() - poll.progress.read_at > LOOK_MAX_SECONDS:
            second_looks.ask_again(self.db, poll.group.id)
            return self._given_up(poll, "skipped")
        return Later(NO_SPARE_PAUSE_SECONDS, resumed)

    def _given_up(self, poll: GroupPoll, outcome: str) -> Later | None:
        leases.release(self.db, poll.progress.poll_id)
        self.metrics.second_looks.labels(poll.group.source, outcome).inc()
        return None
