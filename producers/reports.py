"""The tick's step for reports: what a workspace should know about its queries and channels, each told once.

A query that floods is reported once in seven days, to a channel that hears of it: to one that gets only digests,
together with the next. A channel that has failed for six
hours, and again one that was disabled, is reported to another channel of its workspace, if one works, and to the
operator as an incident. When it works again nothing is said: what waited for it arrives.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from overheard.clock import Clock
from overheard.db import incidents, reports
from overheard.db.database import Db
from overheard.db.reports import FloodingQuery, UnreportedChannel
from overheard.messages import NotifyChannel
from overheard.notices import WorkspaceReport
from overheard.observability.log import get_logger
from overheard.operations.query_health import FLOOD_PER_DAY
from overheard.operations.workspace_reports import DAY_SECONDS, channel_report, flood_report
from overheard.sending import Send

log = get_logger(__name__)

STEP_SECONDS = 300.0  # between two steps that do something; all of them are for states that last for hours
FAILING_SECONDS = 6 * 3600.0
FLOOD_REPORT_SECONDS = 7 * 86400.0  # between two reports of the same query
MAX_CHANNELS, MAX_QUERIES = 50, 5  # of one step; the next ones are told by the next step


class WorkspaceReports:
    """Stores reports as deliveries and prompts their channels. Several ticks may do so at once: each claims first."""

    def __init__(self, *, db: Db, send: Send, clock: Clock) -> None:
        self.db = db
        self.send = send
        self.clock = clock
        self._looked_at = float("-inf")

    def step(self) -> int:
        """Report what is new; return how many reports there were. Raises Unavailable."""
        now = self.clock()
        if 0 <= now - self._looked_at < STEP_SECONDS:  # a negative age: the clock was set back
            return 0
        self._looked_at = now
        channels = [*self._channels(now), *self._queries(now)]
        for channel_id in channels:  # after the commit; the sweep finds those whose message is lost
            self.send(NotifyChannel(channel_id=channel_id))
        return len(channels)

    def _channels(self, now: float) -> Iterator[int]:
        for channel in reports.unreported_channels(self.db, now - FAILING_SECONDS, MAX_CHANNELS):
            receiver = reports.receiver(self.db, channel.workspace_id)
            report = channel_report(self.db, channel, now)
            if self._report_channel(channel, report, receiver, now) and receiver is not None:
                yield receiver

    def _report_channel(
        self, channel: UnreportedChannel, report: WorkspaceReport, receiver: int | None, now: float
    ) -> bool:
        with self.db.transaction():
            if not reports.claim_channel(self.db, channel, now):
                return False
            if receiver is not None:
                reports.add(self.db, receiver, report, now)
            if not channel.disabled:  # a disabled one is an incident since it was disabled
                incidents.record(self.db, "channel failing", f"{channel.workspace}/{channel.name}", now)
        log.info("channel reported", stage="tick", workspace=channel.workspace, channel=channel.name, kind=report.kind)
        return True

    def _queries(self, now: float) -> Iterator[int]:
        before = now - FLOOD_REPORT_SECONDS
        found = reports.flooding(self.db, since=now - DAY_SECONDS, least=FLOOD_PER_DAY, reported_before=before, now=now)
        heard = ((query, reports.receiver(self.db, query.workspace_id, query.name)) for query in found)
        for query, receiver in islice(((query, to) for query, to in heard if to is not None), MAX_QUERIES):
            if self._report_query(query, receiver, before, now):
                yield receiver

    def _report_query(self, query: FloodingQuery, receiver: int, before: float, now: float) -> bool:
        report = flood_report(self.db, query, now)
        with self.db.transaction():
            if not reports.claim_query(self.db, query.id, reported_before=before, now=now):
                return False
            reports.add(self.db, receiver, report, now, with_digest=True)
        log.info("flood reported", stage="tick", query=query.id, mentions=query.hits)
        return True
