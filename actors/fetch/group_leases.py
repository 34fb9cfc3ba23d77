"""Leases on the groups that this process reads: claim, join, divide, postpone, release."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from actors.fetch import planning
from actors.fetch.poll import GroupPoll
from overheard.clock import Clock
from overheard.config import FetchSettings
from overheard.db import feeds, groups, leases, reading, regrouping
from overheard.db.database import Db
from overheard.db.groups import Group
from overheard.errors import Unavailable
from overheard.messages import PollProgress
from overheard.reading.packing import BY_NUMBER_BIN, BY_NUMBER_MAX_FEEDS
from overheard.sources import GroupLimit, Source

# At a first reading, another thread may take the same feeds that were never read, and leave the group nearly alone:
# then it looks for others. Chosen, not measured.
FIRST_JOIN_TRIES = 4


class GroupLeases:
    """Claims groups by lease. ``sources`` maps a source's name to the source."""

    def __init__(self, *, db: Db, sources: Mapping[str, Source], clock: Clock, rules: FetchSettings) -> None:
        self.db = db
        self.sources = sources
        self.clock = clock
        self.rules = rules

    def claim(self, group_id: int, *, may_grow: bool) -> GroupPoll | None:
        """Claim a group; return None if another poll holds it, or it no longer exists.

        A group that exceeds the source's limit is divided. If not, and if it ``may_grow``, it becomes what the plan
        wants to be read together.
        """
        poll = uuid.uuid4().hex
        group = leases.claim(self.db, group_id, poll, now=self.clock(), lease=self.rules.lease)
        if group is None:
            return None
        # One that is no longer to be read by numbers has many more feeds: they are divided by their bins.
        rest = [] if group.chosen and may_grow else planning.overflow_feeds(group, self._limit(group))
        if rest:
            groups.divide(self.db, group, [feed.id for feed in rest])
            group = groups.load(self.db, [group_id])[0]
        elif may_grow:
            group = self._regrouped(group, poll)
        return GroupPoll(group, PollProgress(poll, group.id))

    def _regrouped(self, group: Group, poll: str) -> Group:
        """Return the group as the plan wants it: without feeds of other bins, and with the groups of its own."""
        now = self.clock()
        if group.cursor is not None:
            group, others = self._of_one_bin(group, now)
            chosen = planning.fitting(group, others, self._limit(group))
            return self._joined(group, chosen, poll, now) if chosen else group
        for _ in range(FIRST_JOIN_TRIES):
            chosen = planning.fitting(group, self._never_read(group, now), self._limit(group))
            if not chosen:
                break
            group = self._joined(group, chosen, poll, now)
        return group

    def _joined(self, group: Group, chosen: Sequence[Group], poll: str, now: float) -> Group:
        join = self.sources[group.source].join
        return regrouping.join(self.db, group, chosen, poll, now=now, lease=self.rules.lease, cursor=join)

    def _never_read(self, group: Group, now: float) -> list[Group]:
        room = planning.room_of(group, self._limit(group).places) - len(group.feeds)
        if room <= 0 or group.by_number:  # by number, they join when all are read
            return []
        return feeds.never_read(self.db, group, now=now, room=room)

    def _of_one_bin(self, group: Group, now: float) -> tuple[Group, list[Group]]:
        """Divide off what belongs elsewhere, and return what may join: groups that were read more recently."""
        bins = {feed.id: feed.bin for feed in group.feeds}
        number, _ = Counter(bins.values()).most_common(1)[0]
        others = {each for each in bins.values() if each != number}
        for other in sorted(others, key=lambda each: (each is None, each)):
            groups.divide(self.db, group, [feed for feed, each in bins.items() if each == other])
        if group.chosen and number != BY_NUMBER_BIN:
            regrouping.read_as_listing(self.db, group.id)
        if others:
            group = groups.load(self.db, [group.id])[0]
        if number is None or (number == BY_NUMBER_BIN and not group.by_number):
            return group, []  # of the latter, the chosen group of the bin takes in all others
        ids = reading.groups_of_bin(
            self.db, number, group.source, group.kind, besides=group.id, read_since=group.read_at, now=now
        )
        # Some may have other feeds, too: those are divided off when it is their turn.
        return group, [each for each in groups.load(self.db, ids) if {feed.bin for feed in each.feeds} == {number}]

    def _limit(self, group: Group) -> GroupLimit:
        if group.by_number:
            return GroupLimit(BY_NUMBER_MAX_FEEDS)
        limit = self.sources[group.source].group_limit
        return msgspec.structs.replace(limit, places=min(limit.places, self.rules.group_size))

    def resume(self, progress: PollProgress) -> GroupPoll | None:
        """Resume a poll. Return None if its lease expired: the poll that took over reads again from the cursor."""
        group = leases.of_poll(self.db, progress.group_id, progress.poll_id)
        if group is None:
            return None
        # Demands compare their ``fresh_since`` with the poll's start. Before its first page a poll has read nothing,
        # so it may count as starting now and serve the demands that arrived while it waited.
        if not progress.pages:
            leases.restart(self.db, progress.poll_id, self.clock())
        return GroupPoll(group, progress)

    def reload(self, poll: GroupPoll) -> bool:
        """Give the poll its group as it is now; return False if the poll no longer holds one."""
        group = leases.of_poll(self.db, poll.group.id, poll.progress.poll_id)
        if group is None or not group.feeds:
            self.leave(poll)
            return False
        poll.group = group
        return True

    def leave(self, poll: GroupPoll) -> None:
        """Give up the lease of a group in which nothing is to be read now."""
        leases.leave(self.db, poll.progress.poll_id)

    def extend(self, poll: GroupPoll, seconds: float) -> PollProgress:
        """Extend the lease by the ``seconds`` that the poll waits, so that no other message reserves a slot for it."""
        leases.extend(self.db, poll.progress.poll_id, self.clock() + seconds + self.rules.lease)
        return poll.progress

    def postpone(self, poll: GroupPoll, seconds: float, refused_at: float | None) -> PollProgress:
        """Pass the lease to a new poll that begins in ``seconds`` and reads from the newest page again.

        Workspaces that become due in between reuse that poll. If its message is lost, the sweep finds the expired
        lease.
        """
        later = uuid.uuid4().hex
        leases.postpone(self.db, poll.progress.poll_id, later, until=self.clock() + seconds, lease=self.rules.lease)
        return PollProgress(later, poll.group.id, refused_at=refused_at)

    def divide(self, poll: GroupPoll, load: Mapping[str, int] | None = None) -> tuple[int, int]:
        """Release the group as two groups, to be read one after the other; return their ids.

        With ``load`` (new items by place) the group has more of them than one listing holds: both halves keep a limit
        on their size, which grows again with short readings (``planning.next_room``).
        """
        group = poll.group
        first, second = planning.halves(group, load or {})
        room = max(len(first), len(second)) if load is not None else None
        leases.release(self.db, poll.progress.poll_id)
        return group.id, groups.divide(self.db, group, [feed.id for feed in second], room=room)

    def release(self, poll: GroupPoll) -> None:
        """Release the lease, if the database can be reached, so that a retry does not find it held by this poll."""
        # Not raised: the caller is already raising the error that ended the reading, and the lease expires anyway.
        with suppress(Unavailable), self.db.session():
            leases.release(self.db, poll.progress.poll_id)
