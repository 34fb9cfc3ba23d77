"""Serve a demand: read the groups of a workspace's stale feeds, or a planned group, in turns."""

from __future__ import annotations

from collections import deque

import msgspec

from actors.fetch import planning
from actors.fetch.fetch_run import FetchRun
from actors.fetch.group_leases import GroupLeases
from actors.fetch.group_reading import GroupReading
from overheard.clock import Clock
from overheard.db import feeds, reading, refreshes, source_health
from overheard.db.database import Db
from overheard.messages import ON_SCHEDULE, FetchWorkspace
from overheard.outcomes import Later
from overheard.sending import Send
from overheard.sources import RequestTokens

# Of one message's work: a run by hand waits for so long if all threads work on longer ones, and wait for tokens.
TURN_SECONDS = 3.0
# Until the next turn. Messages that found the source's share full come back at most 0.25 s apart (thread_shares), so
# one of them gets the thread first.
TURN_GAP_SECONDS = 0.5
PASSING_FAULT_SECONDS = 1.0  # a source that has failed for longer is down


class DemandReading:
    """Decides which groups a message reads, one after the other, and marks its demand as served."""

    def __init__(self, *, db: Db, send: Send, clock: Clock, leases: GroupLeases, groups: GroupReading) -> None:
        self.db = db
        self.send = send
        self.clock = clock
        self.leases = leases
        self.groups = groups

    def read(self, message: FetchWorkspace, budget: RequestTokens) -> Later | None:
        """Read the group that the message names, or the groups of its workspace's stale feeds."""
        run = FetchRun(message, budget, deque(), until=self.clock() + TURN_SECONDS)
        began, workspace, source = self.clock(), message.workspace_id, message.source
        if workspace is None:
            return self._read_group(run)
        later = self._resume(run) or self._refresh(run, workspace, began)
        if later is None:
            self.groups.settle_refused(run, probe=True)
            refreshes.mark_served(self.db, workspace, source, began)
            return None
        # The demand waits for its slot, so the sweep must not count it as lost before. One second less, because a
        # demand is served only by a run that begins after it: the resumed message may arrive a little early.
        refreshes.demand(self.db, [workspace], began + max(later.delay - 1.0, 0.0), source=source)
        self.groups.settle_refused(run, probe=False)
        return later

    def _read_group(self, run: FetchRun) -> Later | None:
        """Read the group that the message names. If the message is lost, the next plan asks for it again."""
        message = run.message
        if message.resume is None and message.group_id is not None:
            if self._is_withdrawn(message.source, message.group_id):
                return None
            run.queued.append((message.group_id, True))
        later = self._resume(run) or self._read_queued(run)
        self.groups.settle_refused(run, probe=later is None)
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
        return None if poll is None else self.groups.read(run, poll) or self._read_queued(run)

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
            if poll is not None and (later := self.groups.read(run, poll)) is not None:
                return later
        return None
