"""Handle one fetch message: read the groups of the workspace's stale feeds, and decide what happens to each."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import msgspec

from actors.fetch import planning
from actors.fetch.gap_filling import GapFiller
from actors.fetch.group_leases import GroupLeases
from actors.fetch.place_checks import PlaceChecks
from actors.fetch.place_reviews import PlaceReview
from actors.fetch.poll import GroupPoll
from actors.fetch.reader import Backlog, ListingOverflow, Reader, ReadResult
from actors.fetch.second_look import SecondLook
from actors.fetch.source_health import PROBE_SECONDS, SourceHealth
from actors.fetch.unreadable_groups import UNREADABLE, UnreadableGroups
from actors.thread_shares import ThreadShares
from overheard.clock import Clock
from overheard.config import FetchSettings
from overheard.db import feeds, reading, refreshes, source_health
from overheard.db.database import Db
from overheard.errors import BudgetExhausted, FeedRefused, PermanentError, RetryableError
from overheard.messages import ON_SCHEDULE, FetchWorkspace
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.outcomes import Later, Outcome, Rejected
from overheard.sending import Send
from overheard.sources import RequestTokens, Source
from overheard.sources.registry import public_place, source_type

log = get_logger(__name__)

# Of one message's work: a run by hand waits for so long if all threads work on longer ones, and wait for tokens.
TURN_SECONDS = 3.0
# Until the next turn. Messages that found the source's share full come back at most 0.25 s apart (thread_shares), so
# one of them gets the thread first.
TURN_GAP_SECONDS = 0.5
PASSING_FAULT_SECONDS = 1.0  # a source that has failed for longer is down


class RefusedFeed(msgspec.Struct, frozen=True):
    """A feed that was refused when requested alone, first at ``at``; ``again``: not for the first time."""

    poll: GroupPoll
    refusal: FeedRefused
    at: float
    again: bool


class FetchRun(msgspec.Struct):
    """The state of one message's work: queued (group id, may other groups join), and refused feeds to decide on.

    ``until``: when another message gets its turn. ``behind``: a source has more than the poll has read. ``postponed``:
    a copy of the message comes back for a group.
    """

    message: FetchWorkspace
    budget: RequestTokens
    queued: deque[tuple[int, bool]]
    until: float
    refused: list[RefusedFeed] = []
    behind: bool = False
    postponed: bool = False


class Fetcher:
    """The fetch stage's handler. ``sources`` maps a source's name to the source."""

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
    ) -> None:
        self.db = db
        self.sources = sources
        self.send = send
        self.clock = clock
        self.rules = rules
        self.health = SourceHealth(db, clock)
        self.unreadable = UnreadableGroups(self.health, clock)
        self.leases = GroupLeases(db=db, sources=sources, clock=clock, rules=rules)
        self.places = PlaceChecks(
            db=db, sources=sources, clock=clock, health=self.health, longest_backoff=rules.longest_backoff
        )
        self.reviews = PlaceReview(db=db, sources=sources, clock=clock, checks=self.places)
        self.reader = Reader(
            db=db,
            sources=sources,
            send=send,
            clock=clock,
            rules=rules,
            recheck_within=recheck_within,
            metrics=metrics,
            health=self.health,
        )
        self.second_look = SecondLook(db, self.reader, clock, metrics)
        self.gaps = GapFiller(db=db, sources=sources, send=send, clock=clock, metrics=metrics, health=self.health)
        self.shares = ThreadShares(("source",))

    def fetch(self, message: FetchWorkspace, budget: RequestTokens) -> Outcome:
        """Read each group of the workspace's stale feeds once, together with other groups that are due.

        1. One source holds at most half of the threads; further messages are postponed.
        2. A poll that was waiting for the budget resumes where it stopped.
        3. A group is read back to its cursor. Of a refused group the source is asked which places are bad
           (``place_checks``), or it is divided until the refused feed stands alone; only the bad ones back off. A group
           with more new items than its source lists is divided too.
        4. A transient error of the source postpones the group for all workspaces; one message comes back for it. So
           an outage of any length leaves one message per group, and none becomes a dead letter.
        5. If a feed is being read by a poll that began before ``fresh_since``, an on-demand message checks again soon.
        6. A source that reads forward ends a long reading now and then; a message for the rest follows.
        7. A workspace with many feeds on slow servers is read in turns of TURN_SECONDS.
        8. The demand is marked as served. After a crash before that, the sweep finds it.

        Return Later when the budget is exhausted, with the rest of a poll to resume. Raise Unavailable (bus or
        database) and PermanentError.
        """
        if message.source not in self.sources:
            return Rejected(f"there is no source {message.source}")
        if source_type(message.source).streamed and message.workspace_id is not None:
            # Its producer reads it all the time; nothing has to be demanded.
            refreshes.mark_served(self.db, message.workspace_id, message.source, self.clock())
            return None
        # Half: a source that hangs leaves to all others as many threads as it holds.
        half = max(1, self.rules.threads // 2)
        with self.shares.held(lambda now: {("source", message.source): half}) as wait_seconds:
            if wait_seconds is not None:
                return Later(wait_seconds)
            if message.back_to:
                return self.second_look.read(message, budget)
            if message.fill is not None:
                return self.gaps.fill(message, message.fill, budget)
            if message.places:
                return self.reviews.review(message, budget)
            return self._fetch(FetchRun(message, budget, deque(), until=self.clock() + TURN_SECONDS))

    def _fetch(self, run: FetchRun) -> Outcome:
        began, workspace, source = self.clock(), run.message.workspace_id, run.message.source
        if workspace is None:
            return self._fetch_group(run)
        later = self._resume(run) or self._refresh(run, workspace, began)
        if later is None:
            self._decide_refused(run, probe=True)
            refreshes.mark_served(self.db, workspace, source, began)
            return None
        # The demand waits for its slot, so the sweep must not count it as lost before. One second less, because a
        # demand is served only by a run that begins after it: the resumed message may arrive a little early.
        refreshes.demand(self.db, [workspace], began + max(later.delay - 1.0, 0.0), source=source)
        self._decide_refused(run, probe=False)
        return later

    def _fetch_group(self, run: FetchRun) -> Later | None:
        """Read the group that the message names. If the message is lost, the next plan asks for it again."""
        message = run.message
        if message.resume is None and message.group_id is not None:
            if self._is_withdrawn(message.source, message.group_id):
                return None
            run.queued.append((message.group_id, True))
        later = self._resume(run) or self._read_queued(run)
        self._decide_refused(run, probe=later is None)
        return later

    def _is_withdrawn(self, source: str, group_id: int) -> bool:
        """Return True if the source went down after the reading was asked for.

        From then on the tick asks for one group at a time, and for this one, too, as soon as the source answers.
        """
        state = source_health.state(self.db, source)
        if state.failing_since is None or state.failing_for(self.clock()) < PASSING_FAULT_SECONDS:
            return False
        return reading.withdraw(self.db, group_id, asked_before=state.failing_since)

    def _resume(self, run: FetchRun) -> Later | None:
        progress = run.message.resume
        poll = self.leases.resume(progress) if progress is not None else None
        return None if poll is None else self._read(run, poll) or self._read_queued(run)

    def _refresh(self, run: FetchRun, workspace: int, now: float) -> Later | None:
        message = run.message
        source, since = message.source, message.fresh_since
        stale = feeds.stale_of(self.db, workspace, source, now=now, fresh_since=since)
        run.queued.extend((group_id, True) for group_id in dict.fromkeys(feed.group_id for feed in stale))
        if (later := self._read_queued(run)) is not None:
            return later
        # A scheduled demand accepts a reading in progress; the next one comes soon anyway. The rest of a backlog can be
        # read when what was read of it is stored; if it was postponed, the copy that comes back also looks after that.
        behind = (run.behind or message.behind) and not run.postponed
        if (behind or message.reason not in ON_SCHEDULE) and feeds.has_stale(
            self.db, workspace, source, now=self.clock(), fresh_since=since, in_progress=behind
        ):
            attempt = 0 if run.behind else message.attempt + 1
            again = msgspec.structs.replace(message, resume=None, attempt=attempt, behind=behind)
            self.send(again, delay=planning.freshness_check_delay(message.attempt))
        return None

    def _read_queued(self, run: FetchRun) -> Later | None:
        """Read the queued groups, and what they are divided into, until one has to wait for the budget."""
        while run.queued:
            if self.clock() >= run.until:
                if run.message.group_id is not None:
                    return None  # the plan asks for what the group was divided into; the message names only one half
                return Later(TURN_GAP_SECONDS, msgspec.structs.replace(run.message, resume=None))
            group_id, may_grow = run.queued.popleft()
            poll = self.leases.claim(group_id, may_grow=may_grow)
            if poll is not None and (later := self._read(run, poll)) is not None:
                return later
        return None

    def _read(self, run: FetchRun, poll: GroupPoll) -> Later | None:
        try:
            if not self.places.may_read(poll):
                self.leases.leave(poll)
                return None
            if self._places_changed(poll, run.budget) and not self.leases.reload(poll):
                return None
            result = self.reader.read(poll, run.budget)
        except BudgetExhausted as exhausted:  # of a check of places
            result = exhausted
        except RetryableError:  # the bus or the database
            self.leases.release(poll)
            raise
        except PermanentError as error:
            if run.message.group_id is None:
                raise
            # Not a dead letter for each reading of the plan: the source is failing, and says why in status.
            log.error("planned reading failed", **poll.log_fields, exc_info=error)
            self.leases.release(poll)
            return None
        return self._handle(run, poll, result)

    def _places_changed(self, poll: GroupPoll, budget: RequestTokens) -> bool:
        """Return True if the poll's group has lost places that cannot be read."""
        if len(poll.group.feeds) > 1 and poll.progress.refused_at is not None:
            # It had to wait before its places were asked for; or the source refused everything, and may still do so.
            in_doubt = self.health.refuses_all_feeds(poll.group.source)
            return not in_doubt and self.places.after_refusal(poll, budget)
        return self.places.before_reading(poll, budget)

    def _handle(self, run: FetchRun, poll: GroupPoll, result: ReadResult) -> Later | None:
        if result is None:
            self.unreadable.record_success(poll.group.id)
        match result:
            case ListingOverflow(load):
                log.info("more new items than the listing holds", **poll.log_fields)
                self._divide(run, poll, load)
            case Backlog():
                run.behind = True
            case FeedRefused():
                return self._handle_refusal(run, poll, result)
            case BudgetExhausted(slot=None):
                run.postponed = True
                delay = min(result.delay, planning.RETRY_MAX_SECONDS)
                log.info("no budget slot available", **poll.log_fields, seconds=round(delay, 1))
                self._postpone(run.message, poll, delay, refused_at=poll.progress.refused_at)
            case BudgetExhausted():
                resume = self.leases.extend(poll, result.delay)
                return Later.for_slot(result, msgspec.structs.replace(run.message, resume=resume))
            case RetryableError(delay=None) if self._is_to_blame(run, poll):
                return self._handle_refusal(run, poll, FeedRefused(UNREADABLE, poll.group.places))
            case RetryableError() if run.message.group_id is not None:
                # The plan asks again, and while the source is down only for a single group now and then.
                log.warning("planned reading failed", **poll.log_fields, exc_info=result)
                self.leases.release(poll)
            case RetryableError():
                run.postponed = True
                attempt = run.message.attempt
                delay = planning.retry_delay(result, attempt)
                log.warning("source postponed", **poll.log_fields, seconds=round(delay, 1), exc_info=result)
                self._postpone(msgspec.structs.replace(run.message, attempt=attempt + 1), poll, delay)
        return None

    def _is_to_blame(self, run: FetchRun, poll: GroupPoll) -> bool:
        source = poll.group.source
        # Elsewhere a request names one place only, whose server may be down.
        return source_type(source).merged and self.unreadable.is_to_blame(
            poll.group.id, source, lambda: self._probe(run, source)
        )

    def _divide(self, run: FetchRun, poll: GroupPoll, load: Mapping[str, int] | None = None) -> None:
        first, second = self.leases.divide(poll, load)
        self.unreadable.suspect(poll.group.id, (first, second))
        # No other group may join a half: it was divided to become smaller.
        run.queued.extendleft([(second, False), (first, False)])

    def _handle_refusal(self, run: FetchRun, poll: GroupPoll, refusal: FeedRefused) -> Later | None:
        source, refused_at = poll.group.source, poll.progress.refused_at
        # A feed that was never read has nothing to lose: most likely its name is wrong, or it is private.
        again = refused_at is not None or poll.group.cursor is None
        at = refused_at if refused_at is not None else self.clock()
        if self.health.refuses_all_feeds(source) and not (again and self._probe(run, source)):
            error = RetryableError(f"it refuses every feed ({refusal.reason})", delay=PROBE_SECONDS)
            self.health.record_failure(source, error)
            log.warning("source refuses all feeds", **poll.log_fields, seconds=PROBE_SECONDS)
            self._postpone(run.message, poll, PROBE_SECONDS, refused_at=at)
        elif len(poll.group.feeds) > 1:
            return self._reduce(run, poll, at)
        else:
            run.refused.append(RefusedFeed(poll, refusal, at, again))
        return None

    def _reduce(self, run: FetchRun, poll: GroupPoll, refused_at: float) -> Later | None:
        """Take out of a refused group what cannot be read, and queue the rest; halve it if that is unknown."""
        try:
            reduced = self.places.after_refusal(poll, run.budget)
        except BudgetExhausted as exhausted:
            # The slot that is reserved is used to ask, not to be refused again.
            poll.record_refusal(refused_at)
            return self._handle(run, poll, exhausted)
        if reduced:
            self.leases.release(poll)
            run.queued.appendleft((poll.group.id, False))
        else:
            # At once: a group must get smaller with each slot of the budget that it costs.
            self._divide(run, poll)
        return None

    def _decide_refused(self, run: FetchRun, *, probe: bool) -> None:
        """Decide whether feeds that were refused when requested alone are to blame, or their source is.

        If the source has served something since the refusal, the feed is to blame and backs off. Otherwise it is
        retried soon, and then the source is probed as well: an outage of seconds must not back off a feed for half
        an hour.
        """
        for refused in run.refused:
            source = refused.poll.group.source
            source_works = self.health.succeeded_since(source, refused.at)
            if not source_works and not (refused.again and probe and self._probe(run, source)):
                self._postpone(run.message, refused.poll, PROBE_SECONDS, refused_at=refused.at)
                continue
            (feed,), reason = refused.poll.group.feeds, refused.refusal.reason
            retry_at = feeds.back_off(
                self.db,
                feed,
                reason,
                now=self.clock(),
                longest=self.rules.longest_backoff,
                delay=refused.refusal.delay,
            )
            name = public_place(feed.source, feed.place)
            log.warning("feed refused", feed=name, kind=feed.kind, reason=reason, retry_at=retry_at)

    def _probe(self, run: FetchRun, source: str) -> bool:
        return self.health.probe(source, self.sources[source], run.budget)

    def _postpone(
        self, message: FetchWorkspace, poll: GroupPoll, delay: float, *, refused_at: float | None = None
    ) -> None:
        """Postpone the message for the whole group, whose lease keeps other messages off it until then."""
        progress = self.leases.postpone(poll, delay, refused_at)
        self.send(msgspec.structs.replace(message, resume=progress), delay=delay)
