"""Leases on the groups that this process reads: claim, join, divide, postpone, release."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress

import msgspec

from actors.fetch import planning
from actors.fetch.poll import GroupPoll
from overheard.clock import Clock
from overheard.config import FetchSettings
from overheard.db import feeds, groups
from overheard.db.database import Db
from overheard.db.groups import Group
from overheard.errors import Unavailable
from overheard.messages import FetchWorkspace, PollProgress
from overheard.sources import GroupLimit, Source


class GroupLeases:
    """Claims groups by lease. ``sources`` maps a source's name to the source."""

    def __init__(self, *, db: Db, sources: Mapping[str, Source], clock: Clock, rules: FetchSettings) -> None:
        self.db = db
        self.sources = sources
        self.clock = clock
        self.rules = rules

    def claim(self, message: FetchWorkspace, group_id: int, *, may_grow: bool) -> GroupPoll | None:
        """Claim a group; return None if another poll holds it, or it no longer exists.

        A group that exceeds the source's limit is divided. If not, and if it ``may_grow``, other groups that are due
        join.
        """
        poll = uuid.uuid4().hex
        group = groups.claim(self.db, group_id, poll, now=self.clock(), lease=self.rules.lease)
        if group is None:
            return None
        if rest := planning.overflow_feeds(group, self._limit(group)):
            groups.divide(self.db, group, [feed.id for feed in rest])
            group = groups.load(self.db, [group_id])[0]
        elif may_grow:
            group = self._with_joining_groups(message, group, poll)
        return GroupPoll(group, PollProgress(poll, group.id))

    def _with_joining_groups(self, message: FetchWorkspace, group: Group, poll: str) -> Group:
        now, rules, limit = self.clock(), self.rules, self._limit(group)
        room = planning.room_of(group, limit.places) - len(group.feeds)
        if room <= 0:
            return group
        others = feeds.candidates(
            self.db,
            group,
            now=now,
            due_by=now + planning.READ_AHEAD_FRACTION * rules.fresh_for,
            fresh_for=rules.fresh_for,
            unread_since=planning.unread_since(message, rules.fresh_for),
            room=room,
        )
        chosen = planning.fitting(group, others, limit)
        if not chosen:
            return group
        join = self.sources[group.source].join
        return groups.join(self.db, group, chosen, poll, now=now, lease=rules.lease, cursor=join)

    def _limit(self, group: Group) -> GroupLimit:
        limit = self.sources[group.source].group_limit
        return msgspec.structs.replace(limit, places=min(limit.places, self.rules.group_size))

    def resume(self, progress: PollProgress) -> GroupPoll | None:
        """Resume a poll. Return None if its lease expired: the poll that took over reads again from the cursor."""
        group = groups.of_poll(self.db, progress.group_id, progress.poll_id)
        if group is None:
            return None
        # Demands compare their ``fresh_since`` with the poll's start. Before its first page a poll has read nothing,
        # so it may count as starting now and serve the demands that arrived while it waited.
        if not progress.pages:
            groups.restart(self.db, progress.poll_id, self.clock())
        return GroupPoll(group, progress)

    def extend(self, poll: GroupPoll, seconds: float) -> PollProgress:
        """Extend the lease by the ``seconds`` that the poll waits, so that no other message reserves a slot for it."""
        groups.extend(self.db, poll.progress.poll_id, self.clock() + seconds + self.rules.lease)
        return poll.progress

    def postpone(self, poll: GroupPoll, seconds: float, refused_at: float | None) -> PollProgress:
        """Pass the lease to a new poll that begins in ``seconds`` and reads from the newest page again.

        Workspaces that become due in between reuse that poll. If its message is lost, the sweep finds the expired
        lease.
        """
        later = uuid.uuid4().hex
        groups.postpone(self.db, poll.progress.poll_id, later, until=self.clock() + seconds, lease=self.rules.lease)
        return PollProgress(later, poll.group.id, refused_at=refused_at)

    def divide(self, poll: GroupPoll, load: Mapping[str, int] | None = None) -> tuple[int, int]:
        """Release the group as two groups, to be read one after the other; return their ids.

        With ``load`` (new items by place) the group has more of them than one listing holds: both halves keep a limit
        on their size, which grows again with short readings (``planning.next_room``).
        """
        group = poll.group
        first, second = planning.halves(group, load or {})
        room = max(len(first), len(second)) if load is not None else None
        groups.release(self.db, poll.progress.poll_id)
        return group.id, groups.divide(self.db, group, [feed.id for feed in second], room=room)

    def release(self, poll: GroupPoll) -> None:
        """Release the lease, if the database can be reached, so that a retry does not find it held by this poll."""
        # Not raised: the caller is already raising the error that ended the reading, and the lease expires anyway.
        with suppress(Unavailable), self.db.session():
            groups.release(self.db, poll.progress.poll_id)
