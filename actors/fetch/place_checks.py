"""Ask a source which places exist and can be read, many in one request, before they spoil the readings of others.

A place is asked for with its first reading, when its group is refused, when it is tried again after a refusal, and once
a day. A bad one is divided off its group, and backs off alone; the others are read at once. An answer is trusted as
far as it can be: one that shows no place at all says nothing about those that were read before, and a place that could
be read until now is first read alone. If a source cannot be asked, groups that it refuses are halved instead.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from actors.fetch.poll import GroupPoll
from actors.fetch.source_health import SourceHealth
from overheard.clock import Clock
from overheard.db import place_checks
from overheard.db.database import Db
from overheard.db.place_checks import ABSENT, MISSING, PlaceFeed
from overheard.errors import BudgetExhausted, PermanentError, RetryableError, Unavailable
from overheard.observability.log import get_logger
from overheard.sources import GroupLimit, PlaceAnswer, PlaceCheck, RequestTokens, Source
from overheard.sources.registry import public_place, source_type

log = get_logger(__name__)

PAUSE_SECONDS = 60.0  # after a check that the source did not answer; chosen, not measured
WORKING_SECONDS = 60.0  # a source that has served a request so recently works


class PlaceChecks:
    """Checks the places of groups that are about to be read. ``sources`` maps a source's name to the source."""

    def __init__(
        self, *, db: Db, sources: Mapping[str, Source], clock: Clock, health: SourceHealth, longest_backoff: float
    ) -> None:
        self.db = db
        self.sources = sources
        self.clock = clock
        self.health = health
        self.longest_backoff = longest_backoff
        self._paused_until: dict[str, float] = {}

    def may_read(self, poll: GroupPoll) -> bool:
        """Return False if the poll's feed backs off since its reading was queued: a check has found it to be bad."""
        refused = [feed.id for feed in poll.group.feeds if feed.failures]
        return len(refused) < len(poll.group.feeds) or not place_checks.all_back_off(self.db, refused, self.clock())

    def before_reading(self, poll: GroupPoll, budget: RequestTokens) -> bool:
        """Ask for places of the poll's group, if some are new or were refused; return True if one is bad.

        A single new feed is not asked for: its own reading says as much. Raises BudgetExhausted and Unavailable.
        """
        group = poll.group
        is_new = group.cursor is None and len(group.feeds) > 1
        if poll.progress.pages or not (is_new or any(feed.failures for feed in group.feeds)):
            return False
        if not self.can_ask(group.source):
            return False
        due = place_checks.due_of(self.db, [feed.id for feed in group.feeds], self.clock())
        return bool(due) and self._check(poll, due, budget)

    def after_refusal(self, poll: GroupPoll, budget: RequestTokens) -> bool:
        """Ask which places of a refused group are bad; return True if there is one. Raises as ``before_reading``."""
        source, places = poll.group.source, list(poll.group.places)
        while places and self.can_ask(source):
            some = self._limit(source).first(places)
            if self._check(poll, some, budget, refused=True):
                return True
            places = places[len(some) :]
        return False

    def can_ask(self, source: str) -> bool:
        """Return True if the source can be asked for places, and has not just failed to answer."""
        able = isinstance(self.sources[source], PlaceCheck) and source_type(source).places_size is not None
        return able and self._paused_until.get(source, -math.inf) <= self.clock()

    def _limit(self, source: str) -> GroupLimit:
        name_bytes = self.sources[source].group_limit.name_bytes
        return GroupLimit(source_type(source).places_size or 1, name_bytes)

    def _check(self, poll: GroupPoll, places: Sequence[str], budget: RequestTokens, *, refused: bool = False) -> bool:
        """Ask for places of the poll's group, and for others if there is room; return True if one of the group is bad.

        ``refused``: the group was, so that one of its places is bad for sure.
        """
        group = poll.group
        answers = self.ask(group.source, places, budget)
        if not answers:
            return False
        suspects = group.places if refused else ()
        bad = self.apply(group.source, answers, budget, holder=poll.progress.poll_id, refused=suspects)
        return any(feed.id in bad for feed in group.feeds)

    def ask(self, source: str, places: Sequence[str], budget: RequestTokens) -> dict[str, PlaceAnswer]:
        """Claim as many of the places as fit into one request, and others that fit, too; return the answers.

        None at all if they were asked for a moment ago, or the source does not answer. Raises BudgetExhausted and
        Unavailable.
        """
        now, limit, asked = self.clock(), self._limit(source), self.sources[source]
        claimed = place_checks.claim(self.db, source, limit.first(places), now)
        if not claimed or not isinstance(asked, PlaceCheck):
            return {}
        more = place_checks.others(self.db, source, claimed, now, limit.places - len(claimed))
        more = limit.first([*claimed, *more])[len(claimed) :]
        claimed += place_checks.claim(self.db, source, more, now)
        try:
            answers = asked.check_places(claimed, budget)
        except BudgetExhausted:
            place_checks.release(self.db, source, claimed)
            raise
        except Unavailable:
            raise  # our database, which holds the budget: not an error of the source
        except (RetryableError, PermanentError) as error:
            self.pause(source, error)
            return {}
        finally:
            self.health.record_clients(self.sources[source])
        found = {answer.place: answer for answer in answers}
        log.info("places checked", source=source, places=len(claimed), missing=_missing(found))
        return found

    def pause(self, source: str, error: Exception) -> None:
        """Ask for no places for a while: the source does not answer."""
        self._paused_until[source] = self.clock() + PAUSE_SECONDS
        log.warning("places not checked", source=source, seconds=PAUSE_SECONDS, exc_info=error)

    def apply(
        self,
        source: str,
        answers: Mapping[str, PlaceAnswer],
        budget: RequestTokens,
        *,
        holder: str | None = None,
        refused: Collection[str] = (),
    ) -> set[int]:
        """Take bad places out of their groups; return the ids of their feeds. ``holder``: a poll that takes part."""
        found = place_checks.feeds_of(self.db, source, answers, self.clock())
        known = {feed.row.place: feed.ref for feed in found}
        # A place of another id than before may be another one that has taken the name: the daily check looks into it.
        refs = {place: answer.ref for place, answer in answers.items() if answer.ref and not known.get(place)}
        place_checks.set_refs(self.db, source, refs)
        bad = [feed for feed in found if answers[feed.row.place].state != "ok"]
        if _missing(answers) == len(answers):
            bad = [feed for feed in bad if not feed.was_read] if self._works(source, budget) else []
        return {
            feed.row.id
            for feed in bad
            if self._take_out(feed, answers[feed.row.place], holder, refused=feed.row.place in refused)
        }

    def _works(self, source: str, budget: RequestTokens) -> bool:
        recently = self.clock() - WORKING_SECONDS
        return self.health.succeeded_since(source, recently) or self.health.probe(source, self.sources[source], budget)

    def _take_out(self, feed: PlaceFeed, answer: PlaceAnswer, holder: str | None, *, refused: bool) -> bool:
        """Let a bad feed back off; return False if that is not to be done, or not now."""
        now, row = self.clock(), feed.row
        if row.failures and feed.retry_at > now:
            return False  # it is left alone already
        reason = answer.state if answer.state != MISSING else _reason_of_absence(feed)
        if feed.was_read and not row.failures and not refused:
            place_checks.suspect(self.db, feed, reason, now)
        elif feed.poll not in (None, holder) and place_checks.is_alone(self.db, feed):
            return False  # another poll is about to find out
        else:
            place_checks.back_off(self.db, feed, reason, now=now, longest=self.longest_backoff)
        log.warning("place cannot be read", feed=public_place(row.source, row.place), kind=row.kind, reason=reason)
        return True


def _missing(answers: Mapping[str, PlaceAnswer]) -> int:
    return sum(answer.state == MISSING for answer in answers.values())


def _reason_of_absence(feed: PlaceFeed) -> str:
    """Return why a place that is not in an answer cannot be read: as before, if it was absent before."""
    return feed.reason if feed.row.failures and feed.reason in ("banned", MISSING) else ABSENT
