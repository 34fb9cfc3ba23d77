"""The tick's steps that find lost work in the database, and request it again (I1)."""

from __future__ import annotations

from collections.abc import Callable

from overheard.bus.public_exchange import EventPublisher
from overheard.bus.sender import Sender
from overheard.clock import Clock
from overheard.config import TickSettings
from overheard.db import delivery_backlog, feeds, refreshes, schedules
from overheard.db.database import Db
from overheard.messages import NotifyChannel
from overheard.observability.log import bound
from producers.due_work import publish
from producers.tick_steps import TickReport

# While the queues are not empty, sweep only what was lost for this many times [tick] sweep_after, and few per tick.
# Both are chosen, not measured.
BUSY_SWEEP_FACTOR = 5
BUSY_SWEEP_MAX = 10


class Sweeps:
    """Unserved demands, polls with an expired lease, overdue digests and deliveries.

    ``waiting`` returns how many messages from ingress to store the bus holds.
    """

    def __init__(
        self,
        *,
        db: Db,
        events: EventPublisher,
        sender: Sender,
        waiting: Callable[[], int],
        clock: Clock,
        settings: TickSettings,
    ) -> None:
        self.db = db
        self.events = events
        self.sender = sender
        self.waiting = waiting
        self.clock = clock
        self.settings = settings
        self._queues_empty = False  # when this tick began
        self._notified_channels: dict[int, float] = {}  # channel → when the sweep last sent its message

    def check_queues(self) -> None:
        """Ask whether the queues are empty, before this tick's own demands are in them."""
        # Stays False if the question fails: then the sweep of this tick is a cautious one.
        self._queues_empty = False
        self._queues_empty = not self.waiting()

    def demands(self, report: TickReport) -> None:
        """Publish lost demands, and those of lost polls."""
        now, sweep_after = self.clock(), self.settings.sweep_after
        # A message in a queue is not lost, and a second one would make a long queue longer. But queues that never get
        # empty must not stop the sweep: then it takes few at a time, and only what was lost long ago.
        min_age, limit = (0.0, self.settings.batch)
        if not self._queues_empty:
            min_age, limit = BUSY_SWEEP_FACTOR * sweep_after, BUSY_SWEEP_MAX
        polls = feeds.sweep(self.db, now, min_age, limit)
        demands = refreshes.claim_lost(self.db, now, max(sweep_after, min_age), limit)
        # Once each: a lost poll and a lost demand of the same feeds are served by the same run.
        for workspace_id, source in dict.fromkeys([*polls, *demands]):
            publish(self.events, "workspace.due", workspace=workspace_id, source=source, reason="sweep")
        report.swept_polls, report.swept_workspaces = len(polls), len(demands)

    def digests(self) -> int:
        """Publish digests that were requested and not composed; return how many."""
        digests = schedules.claim_lost_digests(self.db, self.clock(), self.settings.sweep_after, self.settings.batch)
        for workspace_id, period_end in digests:
            publish(self.events, "workspace.digest", workspace=workspace_id, period_end=period_end)
        return len(digests)

    def channels(self) -> int:
        """Send a message for each channel with deliveries that are overdue or had to wait; return how many."""
        now, sweep_after = self.clock(), self.settings.sweep_after
        # A message may wait in its queue for many ticks: without this memory, each of them would send one more.
        notified = {channel: at for channel, at in self._notified_channels.items() if at > now - sweep_after}
        self._notified_channels = notified
        waiting = delivery_backlog.channels_to_prompt(self.db, now, sweep_after, self.settings.batch)
        channels = [channel_id for channel_id in waiting if channel_id not in self._notified_channels]
        for channel_id in channels:
            with bound(workspace=waiting[channel_id]):
                self.sender.send(NotifyChannel(channel_id=channel_id))
            self._notified_channels[channel_id] = now
        return len(channels)
