"""The tick: finds due and lost work in the database, and publishes events and messages for it (I1)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from overheard.bus.public_exchange import EventPublisher
from overheard.bus.sender import Sender
from overheard.clock import Clock
from overheard.config import TickSettings
from overheard.db import delivery_backlog, feeds, heartbeats, refreshes, retention, schedules
from overheard.db.database import Db
from overheard.db.retention import RetentionAges
from overheard.db.schedules import DueWorkspace
from overheard.errors import ConfigError, InvalidInput, RetryableError
from overheard.messages import NotifyChannel
from overheard.observability.log import bound, get_logger
from overheard.observability.metrics import ProcessMetrics
from producers.alerts import OperatorAlerts
from producers.canary import Canary
from producers.due_times import next_digest, next_run
from producers.gap_filling import GapRequests
from producers.gauges import SystemGauges
from producers.place_checks import PlaceChecker
from producers.reading import ReadingPlanner
from producers.reports import WorkspaceReports
from producers.sample import SampleKeeper

log = get_logger(__name__)

BEAT = "tick"
CLAIM_WORKSPACES = 50  # at a time; a crash between claim and publish leaves at most as many to the sweep
# While the queues are not empty, sweep only what was lost for this many times [tick] sweep_after, and few per tick.
# Both are chosen, not measured.
BUSY_SWEEP_FACTOR = 5
BUSY_SWEEP_MAX = 10
# After so many dead letters in one tick there are probably more: the next tick continues, without waiting for
# sweep_after. Chosen; unrelated to the collector's batches.
MORE_DEAD_LETTERS = 200


class TickReport(msgspec.Struct):
    """Counts of what one tick found; the fields of its log line."""

    due: int = 0
    digests: int = 0
    swept_workspaces: int = 0
    swept_polls: int = 0
    swept_channels: int = 0
    swept_digests: int = 0
    dead_letters: int = 0
    pruned: int = 0
    rechecks: int = 0
    readings: int = 0
    place_checks: int = 0
    gaps: int = 0  # messages to fill them
    reports: int = 0
    broken: int = 0  # steps that failed


Step = Callable[[TickReport], None]
Following = Callable[[DueWorkspace], float]
Claim = Callable[[Db, float, int, Following], Sequence[DueWorkspace]]


class Ticker:
    """The steps of a tick.

    ``collect_dead_letters`` moves dead letters from the bus to the database and returns how many; ``waiting`` returns
    how many messages from ingress to store the bus holds; ``recheck`` sends due rechecks and returns how many.
    """

    def __init__(
        self,
        *,
        db: Db,
        events: EventPublisher,
        sender: Sender,
        collect_dead_letters: Callable[[], int],
        waiting: Callable[[], int],
        clock: Clock,
        settings: TickSettings,
        ages: RetentionAges,
        metrics: ProcessMetrics,
        gauges: SystemGauges,
        recheck: Callable[[], int] = lambda: 0,
        canary: Canary | None = None,
        alerts: OperatorAlerts | None = None,
        sample: SampleKeeper | None = None,
        reading: ReadingPlanner | None = None,
        places: PlaceChecker | None = None,
        gaps: GapRequests | None = None,
        reports: WorkspaceReports | None = None,
    ) -> None:
        self.db = db
        self.events = events
        self.sender = sender
        self.collect_dead_letters = collect_dead_letters
        self.waiting = waiting
        self.clock = clock
        self.settings = settings
        self.ages = ages
        self.metrics = metrics
        self.gauges = gauges
        self.recheck = recheck
        self.canary = canary
        self.alerts = alerts
        self.sample = sample
        self.reading = reading
        self.places = places
        self.gaps = gaps
        self.reports = reports
        self.began = clock()
        self.last_success: float | None = None
        self.failing_since: float | None = None
        self.failure = ""  # the error of the last tick, if a server was away
        self._notified_channels: dict[int, float] = {}  # channel → when the sweep last sent its message
        self._tidied_at = float("-inf")
        self._tidy_again = False
        self._queues_empty = False  # when this tick began
        # Tidying comes last: it scans whole tables, and no due work should wait for that.
        self._steps: tuple[Step, ...] = (
            *(self._canary, self._check_queues, self._due, self._read, self._digests),
            *(self._sweep_demands, self._sweep_digests, self._sweep_channels),
            *(self._fill_gaps, self._check_places, self._recheck, self._sample, self._report, self._tidy),
        )

    def tick(self) -> TickReport:
        """Run all steps once. Several tick processes may run side by side: all work is claimed by conditional UPDATE.

        1. publish due workspaces, claimed a few at a time, with confirms;
        2. publish due digests;
        3. sweep lost work: unserved demands, polls with an expired lease, overdue deliveries and digests;
        4. ask for gaps to be filled, and send due rechecks, and checks of the watched places;
        5. now and then, keep the sample of recent items, report floods and failing channels to their workspaces,
           collect dead letters from the bus, and prune old rows;
        6. record the heartbeat.

        A failing step stops none of the others (I6), but the tick has failed then, and records no heartbeat.
        Raises RetryableError when a server is away: step 3 of a later tick finds what was claimed and not published.
        """
        report = TickReport()
        with self.db.session():
            for step in self._steps:
                self._run_step(step, report)
            if not report.broken:
                self._record_success(report)
        return report

    def _run_step(self, step: Step, report: TickReport) -> None:
        try:
            with self.db.session():
                step(report)
        # A server is away, or the schema is another version's: the other steps would fail as well.
        except (RetryableError, ConfigError):
            raise
        except Exception:  # an unforeseen row would fail every tick
            log.exception("tick step failed", stage=BEAT, step=step.__name__.strip("_"))
            report.broken += 1

    def _canary(self, report: TickReport) -> None:
        if self.canary is not None:
            self.canary.step()

    def _read(self, report: TickReport) -> None:
        if self.reading is not None:
            report.readings = self.reading.step()

    def _check_places(self, report: TickReport) -> None:
        if self.places is not None:
            report.place_checks = self.places.step()

    def _fill_gaps(self, report: TickReport) -> None:
        if self.gaps is not None:
            report.gaps = self.gaps.step()

    def _sample(self, report: TickReport) -> None:
        if self.sample is not None:
            self.sample.step()

    def _report(self, report: TickReport) -> None:
        if self.reports is not None:
            report.reports = self.reports.step()

    def _tidy(self, report: TickReport) -> None:
        """Collect dead letters and prune rows, every ``sweep_after`` seconds: both have days."""
        now = self.clock()
        if now - self._tidied_at < self.settings.sweep_after and not self._tidy_again:
            return
        # Before the work: if a server is away, whole tables must not be scanned again at every tick.
        self._tidied_at = now
        broken, self._tidy_again = report.broken, False
        with self.db.without_timeouts():  # these scan whole tables
            for step in (self._collect_dead_letters, self._prune):
                self._run_step(step, report)
        # Retry a failed step at the next tick, so that repeated failures become an incident soon.
        self._tidy_again |= report.dead_letters >= MORE_DEAD_LETTERS or report.broken > broken

    def _collect_dead_letters(self, report: TickReport) -> None:
        report.dead_letters = self.collect_dead_letters()

    def _prune(self, report: TickReport) -> None:
        pruned = retention.prune(self.db, self.ages, self.clock())
        self.metrics.items_erased.labels("old").inc(pruned.items)
        if pruned.unsent:
            log.warning("too old to be sent", stage=BEAT, deliveries=pruned.unsent)
        report.pruned = pruned.rows
        self._tidy_again = pruned.more

    def _recheck(self, report: TickReport) -> None:
        report.rechecks = self.recheck()

    def _publish(self, type: str, **body: Any) -> None:
        try:
            self.events.publish(type, body)
        except InvalidInput as error:  # a row that validation should have refused; it must not stop the others (I6)
            log.error("event cannot be published", stage=BEAT, type=type, workspace=body["workspace"], exc_info=error)

    def _claimed(self, claim: Claim, following: Following) -> Iterator[DueWorkspace]:
        """Yield due workspaces, claimed a few at a time, until ``batch`` is reached."""
        count = 0
        while count < self.settings.batch:  # many schedules are due in the same second, such as 9:00
            claimed = claim(self.db, self.clock(), CLAIM_WORKSPACES, following)
            yield from claimed
            count += len(claimed)
            if len(claimed) < CLAIM_WORKSPACES:
                break

    def _due(self, report: TickReport) -> None:
        for workspace in self._claimed(schedules.claim_due, self._next_run):
            self._publish("workspace.due", workspace=workspace.id, reason="due")
            report.due += 1

    def _next_run(self, due: DueWorkspace) -> float:
        return next_run(due, self.clock(), self.settings.jitter)

    def _digests(self, report: TickReport) -> None:
        for workspace in self._claimed(schedules.claim_digests, self._next_digest):
            self._publish("workspace.digest", workspace=workspace.id, period_end=workspace.digest_at)
            report.digests += 1

    def _next_digest(self, due: DueWorkspace) -> float:
        return next_digest(due, self.clock())

    def _check_queues(self, report: TickReport) -> None:
        # Stays False if the question fails: then the sweep of this tick is a cautious one.
        self._queues_empty = False
        self._queues_empty = not self.waiting()  # checked before this tick's own demands are queued

    def _sweep_demands(self, report: TickReport) -> None:
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
            self._publish("workspace.due", workspace=workspace_id, source=source, reason="sweep")
        report.swept_polls, report.swept_workspaces = len(polls), len(demands)

    def _sweep_digests(self, report: TickReport) -> None:
        digests = schedules.claim_lost_digests(self.db, self.clock(), self.settings.sweep_after, self.settings.batch)
        for workspace_id, period_end in digests:
            self._publish("workspace.digest", workspace=workspace_id, period_end=period_end)
        report.swept_digests = len(digests)

    def _sweep_channels(self, report: TickReport) -> None:
        now, sweep_after = self.clock(), self.settings.sweep_after
        # A message may wait in its queue for many ticks: without this memory, each of them would send one more.
        notified = {channel: at for channel, at in self._notified_channels.items() if at > now - sweep_after}
        self._notified_channels = notified
        overdue = delivery_backlog.waiting_channels(self.db, now, sweep_after, self.settings.batch)
        channels = [channel_id for channel_id in overdue if channel_id not in self._notified_channels]
        for channel_id in channels:
            with bound(workspace=overdue[channel_id]):
                self.sender.send(NotifyChannel(channel_id=channel_id))
            self._notified_channels[channel_id] = now
        report.swept_channels = len(channels)

    def _record_success(self, report: TickReport) -> None:
        now = self.clock()
        heartbeats.record(self.db, BEAT, now)
        self.last_success = now
        self.metrics.tick_last_success.set(now)
        self.metrics.due_workspaces.set(report.due)


def run(ticker: Ticker, stop: threading.Event) -> None:
    """Tick every ``[tick] interval`` seconds until ``stop`` is set; after a full batch, tick again at once."""
    while not stop.is_set():
        pause = ticker.settings.interval
        began, failed = time.monotonic(), False
        # Before the tick: it may wait out a timeout before it raises, and that belongs to the outage.
        began_at = ticker.clock()
        try:
            report = ticker.tick()
            ticker.failing_since = None
            failed = report.broken > 0
            _log_report(report, began)
            if max(report.due, report.digests) >= ticker.settings.batch:
                pause = 0.0
        except RetryableError as error:
            failed = True
            ticker.failing_since, ticker.failure = ticker.failing_since or began_at, str(error)
            log.warning("tick failed", stage=BEAT, ms=_ms(began), exc_info=error)
        if ticker.alerts is not None:
            ticker.alerts.step(failed=failed)
        ticker.gauges.gather()
        stop.wait(pause)


def _log_report(report: TickReport, began: float) -> None:
    counts = {name: count for name, count in msgspec.structs.asdict(report).items() if count}
    # Swept work was lost by a crash or an outage: a warning. A tick that found nothing is only logged at DEBUG.
    is_unusual = any(name.startswith(("swept_", "broken")) for name in counts)
    level = log.warning if is_unusual else log.info if counts else log.debug
    level("tick done", stage=BEAT, ms=_ms(began), **counts)


def _ms(began: float) -> float:
    # Monotonic: a clock that is set would make a duration negative or endless.
    return round((time.monotonic() - began) * 1000, 1)
