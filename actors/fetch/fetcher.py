"""One message's work: read the groups of the workspace's stale feeds, and decide what becomes of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import msgspec

from actors.fetch import planning
from actors.fetch.group_leases import GroupLeases
from actors.fetch.poll import GroupPoll
from actors.fetch.reader import ListingOverflow, Reader, ReadResult
from actors.fetch.source_health import PROBE_SECONDS, SourceHealth
from actors.thread_shares import ThreadShares
from overheard.clock import Clock
from overheard.config import FetchSettings
from overheard.db import feeds, refreshes
from overheard.db.database import Db
from overheard.errors import BudgetExhausted, FeedRefused, RetryableError
from overheard.messages import ON_SCHEDULE, FetchWorkspace
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.outcomes import Later, Outcome, Rejected
from overheard.sending import Send
from overheard.sources import RequestTokens, Source

log = get_logger(__name__)


class RefusedFeed(msgspec.Struct, frozen=True):
    """A feed that was refused when asked for alone, first at ``at``; ``again``: not for the first time."""

    poll: GroupPoll
    refusal: FeedRefused
    at: float
    again: bool


class FetchRun(msgspec.Struct):
    """One message's work: groups to read, each with whether others may join; feeds to be decided about at the end."""

    message: FetchWorkspace
    budget: RequestTokens
    todo: deque[tuple[int, bool]]
    refused: list[RefusedFeed] = []


class Fetcher:
    """What the stage works with. ``sources`` are those of the feeds, by name."""

    def __init__(
        self,
        *,
        db: Db,
        sources: Mapping[str, Source],
        send: Send,
        clock: Clock,
        rules: FetchSettings,
        metrics: ProcessMetrics,
    ) -> None:
        self.db = db
        self.sources = sources
        self.send = send
        self.clock = clock
        self.rules = rules
        self.health = SourceHealth(db, clock)
        self.claims = GroupLeases(db=db, sources=sources, clock=clock, rules=rules)
        self.reader = Reader(sources=sources, send=send, clock=clock, rules=rules, metrics=metrics, health=self.health)
        self.shares = ThreadShares(("source",))

    def fetch(self, message: FetchWorkspace, budget: RequestTokens) -> Outcome:
        """Read the groups of the workspace's stale feeds, each once, joined by other groups that are due.

        1. one source holds at most half of the threads: a message too many comes back a little later;
        2. a poll that had waited for the budget goes on where it was;
        3. a group is read back to its cursor. A refused one is divided until the refused feed stands alone, and only
           that one backs off; one that has more news than its source lists is divided too;
        4. a passing fault of the source puts its group off for everybody, and a message comes back for the group then:
           however long a source is away, there is one such message a group, and none that dies of it;
        5. when a feed was being read already, but from before ``fresh_since``, a wish is looked at again soon;
        6. the demand is marked as served. A crash before that is found by the sweep.

        Later when the budget has to be waited for, with the rest of a poll to resume. Raises Unavailable (bus,
        database) and PermanentError.
        """
        if message.source not in self.sources:
            return Rejected(f"there is no source {message.source}")
        half = max(1, self.rules.threads // 2)
        with self.shares.held(lambda now: {("source", message.source): half}) as later:
            return self._fetch(FetchRun(message, budget, deque())) if later is None else Later(later)

    def _fetch(self, run: FetchRun) -> Outcome:
        began, workspace, source = self.clock(), run.message.workspace_id, run.message.source
        later = self._resume(run) or self._refresh(run, began)
        if later is None:
            self._settle(run, probe=True)
            refreshes.mark_taken_up(self.db, workspace, source, began)
            return None
        # The demand is queued for its slot: it counts as lost only some time after that.
        refreshes.demand(self.db, [workspace], began + max(later.delay - 1.0, 0.0), source=source)
        self._settle(run, probe=False)
        return later

    def _resume(self, run: FetchRun) -> Later | None:
        progress = run.message.resume
        poll = self.claims.resume(progress) if progress is not None else None
        return None if poll is None else self._read(run, poll) or self._work_off(run)

    def _refresh(self, run: FetchRun, now: float) -> Later | None:
        message = run.message
        workspace, source, since = message.workspace_id, message.source, message.fresh_since
        stale = feeds.stale_of(self.db, workspace, source, now=now, fresh_since=since)
        run.todo.extend((group_id, True) for group_id in dict.fromkeys(feed.group_id for feed in stale))
        if (later := self._work_off(run)) is not None:
            return later
        wish = message.reason not in ON_SCHEDULE
        if wish and feeds.has_stale(self.db, workspace, source, now=self.clock(), fresh_since=since):
            again = msgspec.structs.replace(message, resume=None, attempt=message.attempt + 1)
            self.send(again, delay=planning.look_again_delay(message.attempt))
        return None

    def _work_off(self, run: FetchRun) -> Later | None:
        """Read the groups that are to be read, and what they are divided into, until one has to wait for the budget."""
        while run.todo:
            group_id, joined = run.todo.popleft()
            poll = self.claims.claim(run.message, group_id, joined=joined)
            if poll is not None and (later := self._read(run, poll)) is not None:
                return later
        return None

    def _read(self, run: FetchRun, poll: GroupPoll) -> Later | None:
        try:
            end = self.reader.read(poll, run.budget)
        except RetryableError:  # the bus or the database
            self.claims.give_back(poll)
            raise
        return self._after(run, poll, end)

    def _after(self, run: FetchRun, poll: GroupPoll, end: ReadResult) -> Later | None:
        match end:
            case ListingOverflow(load):
                log.info("more news than a listing holds", **poll.gist)
                self._divide(run, poll, load)
            case FeedRefused():
                self._refused(run, poll, end)
            case BudgetExhausted(slot=None):
                log.info("no place in line", **poll.gist, seconds=planning.RETRY_MAX_SECONDS)
                self._put_off(run.message, poll, planning.RETRY_MAX_SECONDS)
            case BudgetExhausted():
                resume = self.claims.hold(poll, end.delay)
                return Later.for_slot(end, msgspec.structs.replace(run.message, resume=resume))
            case RetryableError():
                attempt = run.message.attempt
                delay = planning.retry_delay(end, attempt)
                log.warning("source put off", **poll.gist, seconds=round(delay, 1), exc_info=end)
                self._put_off(msgspec.structs.replace(run.message, attempt=attempt + 1), poll, delay)
        return None

    def _divide(self, run: FetchRun, poll: GroupPoll, load: Mapping[str, int] | None = None) -> None:
        first, second = self.claims.divide(poll, load)
        run.todo.extendleft([(second, False), (first, False)])

    def _refused(self, run: FetchRun, poll: GroupPoll, refusal: FeedRefused) -> None:
        source, refused_at = poll.group.source, poll.at.refused_at
        # A feed that was never read has nothing to lose: most likely its name is wrong, or it is private.
        again = refused_at is not None or poll.group.cursor is None
        at = refused_at if refused_at is not None else self.clock()
        if self.health.refuses_everybody(source) and not (again and self._answers(run, source)):
            self.health.failed(source, RetryableError(f"it refuses every feed ({refusal.reason})", delay=PROBE_SECONDS))
            log.warning("source refuses everybody", **poll.gist, seconds=PROBE_SECONDS)
            self._put_off(run.message, poll, PROBE_SECONDS, refused_at=at)
        elif len(poll.group.feeds) > 1:
            # At once: a group must get smaller with each slot of the budget that it costs.
            self._divide(run, poll)
        else:
            run.refused.append(RefusedFeed(poll, refusal, at, again))

    def _settle(self, run: FetchRun, *, probe: bool) -> None:
        """Decide about feeds that were refused when asked for alone: is it them, or is it everybody?

        When the source has answered something since, it is them. Else they are tried again soon, and then something
        that is always there is asked for as well: what lasts for seconds must put no feed away for half an hour.
        """
        for each in run.refused:
            source = each.poll.group.source
            known = self.health.answered_since(source, each.at)
            if not known and not (each.again and probe and self._answers(run, source)):
                self._put_off(run.message, each.poll, PROBE_SECONDS, refused_at=each.at)
                continue
            (feed,), reason = each.poll.group.feeds, each.refusal.reason
            again = feeds.back_off(self.db, feed, reason, now=self.clock(), longest=self.rules.longest_backoff)
            log.warning("feed refused", feed=feed.place, kind=feed.kind, reason=reason, retry_at=again)

    def _answers(self, run: FetchRun, source: str) -> bool:
        return self.health.probe(source, self.sources[source], run.budget)

    def _put_off(
        self, message: FetchWorkspace, poll: GroupPoll, delay: float, *, refused_at: float | None = None
    ) -> None:
        """Let the message come back for the whole group, which is left alone until then."""
        progress = self.claims.put_off(poll, delay, refused_at)
        self.send(msgspec.structs.replace(message, resume=progress), delay=delay)
