"""Which groups this process reads: claimed by lease, joined, divided, put off, given back."""

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
    """Leases on groups. ``sources`` are those of the feeds, by name."""

    def __init__(self, *, db: Db, sources: Mapping[str, Source], clock: Clock, rules: FetchSettings) -> None:
        self.db = db
        self.sources = sources
        self.clock = clock
        self.rules = rules

    def claim(self, message: FetchWorkspace, group_id: int, *, joined: bool) -> GroupPoll | None:
        """Claim a group that is free: made smaller where it is too large, else ``joined`` by others that are due."""
        poll = uuid.uuid4().hex
        group = groups.claim(self.db, group_id, poll, now=self.clock(), lease=self.rules.lease)
        if group is None:
            return None
        if rest := planning.overflow_feeds(group, self._limit(group)):
            groups.divide(self.db, group, [feed.id for feed in rest])
            group = groups.load(self.db, [group_id])[0]
        elif joined:
            group = self._joined(message, group, poll)
        return GroupPoll(group, PollProgress(poll, group.id))

    def _joined(self, message: FetchWorkspace, group: Group, poll: str) -> Group:
        now, rules, limit = self.clock(), self.rules, self._limit(group)
        room = planning.room_of(group, limit.places) - len(group.feeds)
        if room <= 0:
            return group
        others = feeds.joinable(
            self.db,
            group,
            now=now,
            due_by=now + planning.READ_AHEAD_FRACTION * rules.fresh_for,
            fresh_for=rules.fresh_for,
            unread_since=planning.unread_since(message, rules.fresh_for),
            room=room,
        )
        chosen = planning.joinable(group, others, limit)
        if not chosen:
            return group
        join = self.sources[group.source].join
        return groups.join(self.db, group, chosen, poll, now=now, lease=rules.lease, cursor=join)

    def _limit(self, group: Group) -> GroupLimit:
        limit = self.sources[group.source].group_limit
        return msgspec.structs.replace(limit, places=min(limit.places, self.rules.group_size))

    def resume(self, progress: PollProgress) -> GroupPoll | None:
        """Go on with a poll; None when its lease ran out: the poll that took it over reads again from the cursor."""
        group = groups.of_poll(self.db, progress.group_id, progress.poll_id)
        if group is None:
            return None
        if not progress.pages:
            groups.restart(self.db, progress.poll_id, self.clock())
        return GroupPoll(group, progress)

    def hold(self, poll: GroupPoll, seconds: float) -> PollProgress:
        """Hold the group while its poll waits, so that no other message reserves a slot for the same reading."""
        groups.extend(self.db, poll.at.poll_id, self.clock() + seconds + self.rules.lease)
        return poll.at

    def put_off(self, poll: GroupPoll, seconds: float, refused_at: float | None) -> PollProgress:
        """Hold the group for another poll, which has yet to begin and reads from the newest page again.

        Workspaces that become due in between reuse that poll; if its message is lost, the sweep finds a lease that ran
        out.
        """
        later = uuid.uuid4().hex
        groups.postpone(self.db, poll.at.poll_id, later, until=self.clock() + seconds, lease=self.rules.lease)
        return PollProgress(later, poll.group.id, refused_at=refused_at)

    def divide(self, poll: GroupPoll, load: Mapping[str, int] | None = None) -> tuple[int, int]:
        """Give the group back as two, to be read one after the other; their ids.

        ``load``: it has more news than one listing holds, and stays divided for a while.
        """
        group = poll.group
        first, second = planning.halves(group, load or {})
        room = max(len(first), len(second)) if load is not None else None
        groups.release(self.db, poll.at.poll_id)
        return group.id, groups.divide(self.db, group, [feed.id for feed in second], room=room)

    def give_back(self, poll: GroupPoll) -> None:
        """Give the group back, if the database can be reached: a retry would find it taken, by this poll."""
        with suppress(Unavailable), self.db.session():
            groups.release(self.db, poll.at.poll_id)
