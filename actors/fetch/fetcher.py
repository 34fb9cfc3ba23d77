"""One message's work: claim the groups of the workspace's stale feeds, read each, decide what becomes of it."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Mapping
from contextlib import suppress

import msgspec

from actors.fetch import planning
from actors.fetch.health import PROBE_SECONDS, SourceHealth
from actors.fetch.poll import GroupPoll
from actors.fetch.reading import GroupRefused, Interrupted, Reader, ReadingEnd, ReadToEnd, SourceFailed, TooMuch
from actors.shares import ThreadShares
from overheard.clock import Clock
from overheard.config import Fetch as Rules
from overheard.db import feeds, groups, workspaces
from overheard.db.connect import Db
from overheard.db.groups import Group
from overheard.errors import FeedRefused, TryAgain, Unavailable
from overheard.log import get_logger
from overheard.messages import ON_SCHEDULE, FetchWorkspace, Progress
from overheard.metrics import Metrics
from overheard.outcomes import Later, Outcome, Rejected
from overheard.sending import Send
from overheard.sources import Budget, Source

log = get_logger(__name__)

BY_SOURCE = False  # whether a message is about the feeds of its source only: the ingress has to send one for each


class RefusedAlone(msgspec.Struct, frozen=True):
    """A feed that was refused when asked for alone, first at ``at``; ``again``: not for the first time."""

    poll: GroupPoll
    refusal: FeedRefused
    at: float
    again: bool


class Run(msgspec.Struct):
    """One message's work. ``todo`` are group ids, each with whether others may join, and a poll to go on with.

    ``refused``: feeds to be decided about when it ends.
    """

    message: FetchWorkspace
    budget: Budget
    todo: deque[tuple[int, bool]] = msgspec.field(default_factory=deque)
    refused: list[RefusedAlone] = msgspec.field(default_factory=list)


class Fetcher:
    """What the stage works with. ``sources`` are those of the feeds, by name."""

    def __init__(
        self,
        *,
        db: Db,
        sources: Mapping[str, Source],
        send: Send,
        clock: Clock,
        rules: Rules,
        metrics: Metrics,
    ) -> None:
        self.db = db
        self.sources = sources
        self.send = send
        self.clock = clock
        self.rules = rules
        self.health = SourceHealth(db, clock)
        self.reader = Reader(sources=sources, send=send, clock=clock, rules=rules, metrics=metrics, health=self.health)
        self.shares = ThreadShares(("source",))

    def fetch(self, message: FetchWorkspace, budget: Budget) -> Outcome:
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
        database) and Permanent.
        """
        if message.source not in self.sources:
            return Rejected(f"there is no source {message.source}")
        half = max(1, self.rules.threads // 2)
        with self.shares.held(lambda now: {("source", message.source): half}) as later:
            return self._fetch(message, budget) if later is None else Later(later)

    def _fetch(self, message: FetchWorkspace, budget: Budget) -> Outcome:
        began, run = self.clock(), Run(message, budget)
        later = self._resume(run, message.resume) if message.resume is not None else None
        if later is None:
            later = self._refresh(run, began)
        if later is not None:
            # The demand is queued for its slot: it counts as lost only some time after that.
            workspaces.demand(self.db, message.workspace_id, began + max(later.delay - 1.0, 0.0))
        self._settle(run, probe=later is None)
        if later is None:
            workspaces.served(self.db, message.workspace_id, began)
        return later

    def _resume(self, run: Run, progress: Progress) -> Later | None:
        group = groups.held(self.db, progress.group_id, progress.poll_id)
        if group is None:
            return None  # the lease ran out meanwhile: the poll that took it over reads again from the cursor
        if not progress.pages:
            groups.begin(self.db, progress.poll_id, self.clock())
        later = self._after(run, GroupPoll.resumed(progress, group), progress.refused_at)
        return later or self._work_off(run)

    def _refresh(self, run: Run, now: float) -> Later | None:
        message = run.message
        workspace, fresh_since = message.workspace_id, message.fresh_since
        source = message.source if BY_SOURCE else None
        stale = feeds.stale_of(self.db, workspace, now=now, fresh_since=fresh_since, source=source)
        run.todo.extend((group_id, True) for group_id in dict.fromkeys(feed.group_id for feed in stale))
        if (later := self._work_off(run)) is not None:
            return later
        wish = message.reason not in ON_SCHEDULE
        if wish and feeds.still_stale(self.db, workspace, now=self.clock(), fresh_since=fresh_since, source=source):
            again = msgspec.structs.replace(message, resume=None, attempt=message.attempt + 1)
            self.send(again, delay=planning.look_again_delay(message.attempt))
        return None

    def _work_off(self, run: Run) -> Later | None:
        """Read the groups that are to be read, and what they are divided into, until one has to wait for the budget."""
        while run.todo:
            group_id, joined = run.todo.popleft()
            poll = self._claim(run, group_id, joined=joined)
            if poll is not None and (later := self._after(run, poll)) is not None:
                return later
        return None

    def _claim(self, run: Run, group_id: int, *, joined: bool) -> GroupPoll | None:
        """A poll of a group that is free, smaller than it was when it is too large, or with others that are due."""
        poll = uuid.uuid4().hex
        group = groups.claim(self.db, group_id, poll, now=self.clock(), lease=self.rules.lease)
        if group is None:
            return None
        if rest := planning.excess(group, self.rules.group_size):
            groups.divide(self.db, group, [feed.id for feed in rest])
            group = groups.load(self.db, [group_id])[0]
        elif joined:
            group = self._joined(run.message, group, poll)
        return GroupPoll(poll, group)

    def _joined(self, message: FetchWorkspace, group: Group, poll: str) -> Group:
        now = self.clock()
        wanted = planning.joinable(message, group, self.rules, now)
        if wanted is None:
            return group
        others = feeds.also_due(
            self.db,
            group,
            now=now,
            due_by=wanted.due_by,
            fresh_for=self.rules.fresh_for,
            unread_since=wanted.unread_since,
            room=wanted.room,
        )
        chosen = planning.joining(group, others, self.rules.group_size)
        if not chosen:
            return group
        join = self.sources[group.source].join
        return groups.join(self.db, group, chosen, poll, now=now, lease=self.rules.lease, cursor=join)

    def _after(self, run: Run, poll: GroupPoll, refused_at: float | None = None) -> Later | None:
        """Read the group and do what its end asks for. ``refused_at``: it was refused before, first at that moment."""
        match self._read(run, poll):
            case ReadToEnd():
                return None
            case TooMuch(load):
                log.info("more news than a listing holds", **poll.gist)
                self._divide(run, poll, load)
            case GroupRefused(refusal):
                self._refused(run, poll, refusal, refused_at)
            case SourceFailed(fault):
                self._put_off_for(run.message, poll, fault)
            case Interrupted(wait) if wait.slot is None:
                log.info("no place in line", **poll.gist, seconds=planning.LONGEST_RETRY)
                self._put_off(run.message, poll, planning.LONGEST_RETRY)
            case Interrupted(wait):
                # The feeds stay ours, so that no other message reserves a slot for the same reading.
                groups.extend(self.db, poll.id, self.clock() + wait.delay + self.rules.lease)
                return Later.for_slot(wait, msgspec.structs.replace(run.message, resume=poll.progress()))
        return None

    def _read(self, run: Run, poll: GroupPoll) -> ReadingEnd:
        try:
            return self.reader.read(poll, run.budget)
        except TryAgain:  # the bus or the database
            with suppress(Unavailable), self.db.session():
                groups.release(self.db, poll.id)  # or the retry would find them taken, by this poll
            raise

    def _divide(self, run: Run, poll: GroupPoll, load: Mapping[str, int] | None = None) -> None:
        """Let the group be read in two parts, next.

        ``load``: it has more news than one listing holds, and stays divided for a while.
        """
        group = poll.group
        first, second = planning.halves(group, load or {})
        room = max(len(first), len(second)) if load is not None else None
        groups.release(self.db, poll.id)
        other = groups.divide(self.db, group, [feed.id for feed in second], room=room)
        run.todo.extendleft([(other, False), (group.id, False)])

    def _refused(self, run: Run, poll: GroupPoll, refusal: FeedRefused, refused_at: float | None) -> None:
        source = poll.group.source
        # A feed that was never read has nothing to lose: most likely its name is wrong, or it is private.
        again = refused_at is not None or poll.group.cursor is None
        at = refused_at if refused_at is not None else self.clock()
        if self.health.refuses_everybody(source) and not (again and self._answers(source, run.budget)):
            self.health.refusing(source, refusal.reason)
            log.warning("source refuses everybody", **poll.gist, seconds=PROBE_SECONDS)
            self._put_off(run.message, poll, PROBE_SECONDS, refused_at=at)
        elif len(poll.group.feeds) > 1:
            # At once: a group must get smaller with each slot of the budget that it costs.
            self._divide(run, poll)
        else:
            run.refused.append(RefusedAlone(poll, refusal, at, again))

    def _answers(self, source: str, budget: Budget) -> bool:
        return self.health.probe(source, self.sources[source], budget)

    def _put_off_for(self, message: FetchWorkspace, poll: GroupPoll, fault: TryAgain) -> None:
        delay = planning.retry_delay(fault, message.attempt)
        log.warning("source put off", **poll.gist, seconds=round(delay, 1), exc_info=fault)
        self._put_off(msgspec.structs.replace(message, attempt=message.attempt + 1), poll, delay)

    def _put_off(
        self, message: FetchWorkspace, poll: GroupPoll, delay: float, *, refused_at: float | None = None
    ) -> None:
        """Let the message come back for the whole group, which is then read from its newest page again.

        The feeds stay leased until then, to a poll that has yet to begin. Workspaces that become due in between reuse
        this poll; if the message is lost, the sweep finds a lease that ran out.
        """
        later = poll.anew()
        groups.put_off(self.db, poll.id, later.id, until=self.clock() + delay, lease=self.rules.lease)
        progress = msgspec.structs.replace(later.progress(), refused_at=refused_at)
        self.send(msgspec.structs.replace(message, resume=progress), delay=delay)

    def _settle(self, run: Run, *, probe: bool) -> None:
        """Decide about feeds that were refused when asked for alone: is it them, or is it everybody?

        When the source has answered something since, it is them. Else they are tried again soon, and then something
        that is always there is asked for as well: what lasts for seconds must put no feed away for half an hour.
        """
        for each in run.refused:
            group = each.poll.group
            known = self.health.answered_since(group.source, each.at)
            if not known and not (each.again and probe and self._answers(group.source, run.budget)):
                self._put_off(run.message, each.poll, PROBE_SECONDS, refused_at=each.at)
                continue
            (feed,), reason = group.feeds, each.refusal.reason
            again = feeds.refuse(self.db, feed, reason, now=self.clock(), longest=self.rules.longest_backoff)
            log.warning("feed refused", feed=feed.place, kind=feed.kind, reason=reason, retry_at=again)
