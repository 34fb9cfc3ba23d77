"""Read one leased group, and decide what happens to it: it is divided, postponed, resumed later, or backs off."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from actors.fetch import planning
from actors.fetch.fetch_run import FetchRun, RefusedFeed
from actors.fetch.group_leases import GroupLeases
from actors.fetch.place_checks import PlaceChecks
from actors.fetch.poll import GroupPoll
from actors.fetch.reader import Backlog, ListingOverflow, Reader, ReadResult
from actors.fetch.source_health import PROBE_SECONDS, SourceHealth
from actors.fetch.unreadable_groups import UNREADABLE, UnreadableGroups
from overheard.clock import Clock
from overheard.db import feeds
from overheard.db.database import Db
from overheard.errors import BudgetExhausted, FeedRefused, PermanentError, RetryableError
from overheard.messages import FetchWorkspace
from overheard.observability.log import get_logger
from overheard.outcomes import Later
from overheard.sending import Send
from overheard.sources import RequestTokens, Source
from overheard.sources.registry import public_place, source_type

log = get_logger(__name__)


class GroupReading:
    """Reads groups of one message's ``FetchRun``. ``sources`` maps a source's name to the source."""

    def __init__(
        self,
        *,
        db: Db,
        sources: Mapping[str, Source],
        send: Send,
        clock: Clock,
        longest_backoff: float,
        health: SourceHealth,
        leases: GroupLeases,
        places: PlaceChecks,
        reader: Reader,
    ) -> None:
        self.db = db
        self.sources = sources
        self.send = send
        self.clock = clock
        self.longest_backoff = longest_backoff
        self.health = health
        self.leases = leases
        self.places = places
        self.reader = reader
        self.unreadable = UnreadableGroups(health, clock)

    def read(self, run: FetchRun, poll: GroupPoll) -> Later | None:
        """Read the group, and deal with the result. Return Later if the message has to wait for the budget."""
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
        # Elsewhere a request names one place only, whose server may be down. Items' numbers are of no place.
        if not source_type(source).merged or poll.group.by_number:
            return False
        return self.unreadable.is_to_blame(poll.group.id, source, lambda: self._probe(run, source))

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

    def settle_refused(self, run: FetchRun, *, probe: bool) -> None:
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
                longest=self.longest_backoff,
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
