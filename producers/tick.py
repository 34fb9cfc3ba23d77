"""tick: finds in the database what is due or was left behind, and asks for it (I1)."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from overheard import schedule
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
from overheard.workspaces import DEFAULT_DIGEST
from producers.alerts import OperatorAlerts
from producers.canary import Canary
from producers.gauges import SystemGauges

log = get_logger(__name__)

BEAT = "tick"
CLAIM_WORKSPACES = 50  # workspaces claimed at once: what a crash between claim and publish leaves to the sweep
UNREADABLE_SCHEDULE = "1h"  # how often a workspace is looked at whose schedule cannot be read
BUSY_SWEEP_FACTOR = (
    5  # times [tick] sweep_after: what was left behind so long is asked for though the queues are not empty
)
BUSY_SWEEP_MAX = 10  # of them in a tick
MORE_DEAD_LETTERS = 200  # dead letters moved at once, after which the next tick looks for more
MAX_JITTER_SHARE = 0.1  # of the time between two runs


class TickReport(msgspec.Struct):
    """What one tick found and asked for."""

    due: int = 0
    digests: int = 0
    swept_workspaces: int = 0
    swept_polls: int = 0
    swept_channels: int = 0
    swept_digests: int = 0
    dead_letters: int = 0
    forgotten: int = 0
    rechecks: int = 0
    broken: int = 0  # steps that did not get to their end


Step = Callable[[TickReport], None]
Following = Callable[[DueWorkspace], float]
Claim = Callable[[Db, float, int, Following], Sequence[DueWorkspace]]


class Ticker:
    """What a tick works with.

    ``drain`` moves dead letters from the bus to the database and returns how many; ``waiting`` says how many messages
    between a demand and its mentions the bus still holds; ``recheck`` asks for due rechecks, and returns how many.
    """

    def __init__(
        self,
        *,
        db: Db,
        events: EventPublisher,
        sender: Sender,
        drain: Callable[[], int],
        waiting: Callable[[], int],
        clock: Clock,
        rules: TickSettings,
        ages: RetentionAges,
        metrics: ProcessMetrics,
        gauges: SystemGauges,
        recheck: Callable[[], int] = lambda: 0,
        canary: Canary | None = None,
        alerts: OperatorAlerts | None = None,
    ) -> None:
        self.db = db
        self.events = events
        self.sender = sender
        self.drain = drain
        self.waiting = waiting
        self.clock = clock
        self.rules = rules
        self.ages = ages
        self.metrics = metrics
        self.gauges = gauges
        self.recheck = recheck
        self.canary = canary
        self.alerts = alerts
        self.began = clock()
        self.last_success: float | None = None
        self.failing_since: float | None = None
        self.failure = ""  # of the last tick, where a server is away
        self._woken: dict[int, float] = {}  # channel → when the sweep last sent for it
        self._tidied = float("-inf")
        self._untidy = False
        self._quiet = False  # whether the bus held nothing as this tick began
        self._steps: tuple[Step, ...] = (
            *(self._canary, self._look_at_queues, self._due, self._digests),
            *(self._sweep_demands, self._sweep_digests, self._sweep_channels),
            *(self._recheck, self._tidy),
        )

    def tick(self) -> TickReport:
        """One round; several tick processes may run side by side, as everything is claimed by conditional UPDATE.

        1. due workspaces, claimed a few at a time and published with confirms;
        2. due digests;
        3. what was left behind: demands that nobody served, polls whose lease ran out, forgotten deliveries;
        4. stored items that Reddit is to be asked about again;
        5. now and then: dead letters that only the bus knows of; rows that are too old;
        6. the beat.

        A step that breaks keeps none of the others from its work (I6); the tick is no success then: no beat.
        Raises RetryableError when a server is away: what was claimed and not published is found by step 3 next time.
        """
        found = TickReport()
        with self.db.session():
            for step in self._steps:
                self._take(step, found)
            if not found.broken:
                self._report(found)
        return found

    def _take(self, step: Step, found: TickReport) -> None:
        try:
            with self.db.session():
                step(found)
        except (RetryableError, ConfigError):
            raise
        except Exception:  # a row of a kind that nobody has thought of: it would break each tick
            log.exception("tick step failed", stage=BEAT, step=step.__name__.strip("_"))
            found.broken += 1

    def _canary(self, found: TickReport) -> None:
        if self.canary is not None:
            self.canary.step()

    def _tidy(self, found: TickReport) -> None:
        """Now and then: neither dead letters (kept for days) nor old rows are in a hurry."""
        now = self.clock()
        if now - self._tidied < self.rules.sweep_after and not self._untidy:
            return
        self._tidied = now
        broken, self._untidy = found.broken, False
        with self.db.without_timeouts():  # they look through whole tables
            for step in (self._drain, self._forget):
                self._take(step, found)
        # What broke is tried again at once, and so is told of soon.
        self._untidy |= found.dead_letters >= MORE_DEAD_LETTERS or found.broken > broken

    def _drain(self, found: TickReport) -> None:
        found.dead_letters = self.drain()

    def _forget(self, found: TickReport) -> None:
        gone = retention.prune(self.db, self.ages, self.clock())
        self.metrics.items_erased.labels("old").inc(gone.items)
        if gone.unsent:
            log.warning("too old to be sent", stage=BEAT, deliveries=gone.unsent)
        found.forgotten = gone.rows
        self._untidy = gone.more

    def _recheck(self, found: TickReport) -> None:
        found.rechecks = self.recheck()

    def _publish(self, type: str, **body: Any) -> None:
        try:
            self.events.publish(type, body)
        except InvalidInput as error:  # nobody can have saved such a row; it must stop nobody else (I6)
            log.error("event cannot be published", stage=BEAT, type=type, workspace=body["workspace"], exc_info=error)

    def _claimed(self, claim: Claim, following: Following) -> Iterator[DueWorkspace]:
        """Yield the workspaces that are due, claimed a few at a time; ``batch`` of them or a little more."""
        count = 0
        while count < self.rules.batch:  # everybody's nine o'clock is the same
            claimed = claim(self.db, self.clock(), CLAIM_WORKSPACES, following)
            yield from claimed
            count += len(claimed)
            if len(claimed) < CLAIM_WORKSPACES:
                break

    def _due(self, found: TickReport) -> None:
        for workspace in self._claimed(schedules.claim_due, self._next_run):
            self._publish("workspace.due", workspace=workspace.id, reason="due")
            found.due += 1

    def _next_run(self, due: DueWorkspace) -> float:
        now = self.clock()
        following = self._following(due, due.every, UNREADABLE_SCHEDULE)
        # Everybody's */5 is the same second: spread them, a little, so that the budget's line stays short.
        return following + random.uniform(0, min(self.rules.jitter, MAX_JITTER_SHARE * (following - now)))

    def _digests(self, found: TickReport) -> None:
        for workspace in self._claimed(schedules.claim_digests, self._next_digest):
            self._publish("workspace.digest", workspace=workspace.id, period_end=workspace.digest_at)
            found.digests += 1

    def _next_digest(self, due: DueWorkspace) -> float:
        return self._following(due, due.digest or DEFAULT_DIGEST, DEFAULT_DIGEST)

    def _following(self, due: DueWorkspace, text: str, instead: str) -> float:
        try:
            return schedule.next_due(text, due.timezone, self.clock())
        except Exception as error:
            # Schedules are checked when they are saved; this one, or the zones of this machine, changed since.
            # It must stop nobody else (I6), whatever the libraries raise for it.
            log.error("schedule cannot be read", stage=BEAT, workspace=due.slug, exc_info=error)
            return schedule.next_due(instead, "UTC", self.clock())

    def _look_at_queues(self, found: TickReport) -> None:
        self._quiet = False
        self._quiet = not self.waiting()  # before this tick's own demands wait there

    def _sweep_demands(self, found: TickReport) -> None:
        now, patience, most = self.clock(), self.rules.sweep_after, self.rules.batch
        # What waits in a queue is not lost. Asked for again, it would make a long queue longer. But where the queues
        # never get empty, what is lost has to be found too: a little at a time, and only what was left long ago.
        spared, some = (0.0, most) if self._quiet else (BUSY_SWEEP_FACTOR * patience, BUSY_SWEEP_MAX)
        polls = feeds.sweep(self.db, now, spared, some)
        demands = refreshes.claim_lost(self.db, now, max(patience, spared), some)
        for workspace_id, source in dict.fromkeys([*polls, *demands]):
            self._publish("workspace.due", workspace=workspace_id, source=source, reason="sweep")
        found.swept_polls, found.swept_workspaces = len(polls), len(demands)

    def _sweep_digests(self, found: TickReport) -> None:
        digests = schedules.claim_lost_digests(self.db, self.clock(), self.rules.sweep_after, self.rules.batch)
        for workspace_id, period_end in digests:
            self._publish("workspace.digest", workspace=workspace_id, period_end=period_end)
        found.swept_digests = len(digests)

    def _sweep_channels(self, found: TickReport) -> None:
        now, patience = self.clock(), self.rules.sweep_after
        self._woken = {channel: at for channel, at in self._woken.items() if at > now - patience}
        overdue = delivery_backlog.waiting_channels(self.db, now, patience, self.rules.batch)
        channels = [channel_id for channel_id in overdue if channel_id not in self._woken]
        for channel_id in channels:
            with bound(workspace=overdue[channel_id]):
                self.sender.send(NotifyChannel(channel_id=channel_id))
            self._woken[channel_id] = now
        found.swept_channels = len(channels)

    def _report(self, found: TickReport) -> None:
        now = self.clock()
        heartbeats.record(self.db, BEAT, now)
        self.last_success = now
        self.metrics.tick_last_success.set(now)
        self.metrics.due_workspaces.set(found.due)


def run(ticker: Ticker, stop: threading.Event) -> None:
    """Tick until ``stop`` is set, every ``[tick] interval`` seconds; a tick that found much is followed at once."""
    while not stop.is_set():
        pause = ticker.rules.interval
        began, failed = time.monotonic(), False
        began_at = ticker.clock()
        try:
            found = ticker.tick()
            ticker.failing_since = None
            failed = found.broken > 0
            _told(found, began)
            if max(found.due, found.digests) >= ticker.rules.batch:
                pause = 0.0
        except RetryableError as error:
            failed = True
            ticker.failing_since, ticker.failure = ticker.failing_since or began_at, str(error)
            log.warning("tick failed", stage=BEAT, ms=_ms(began), exc_info=error)
        if ticker.alerts is not None:
            ticker.alerts.step(failed=failed)
        ticker.gauges.gather()
        stop.wait(pause)


def _told(found: TickReport, began: float) -> None:
    counts = {name: count for name, count in msgspec.structs.asdict(found).items() if count}
    # What had to be swept was lost by somebody. A tick that found nothing is for whoever looks closely.
    left_behind = any(name.startswith(("swept_", "broken")) for name in counts)
    level = log.warning if left_behind else log.info if counts else log.debug
    level("tick done", stage=BEAT, ms=_ms(began), **counts)


def _ms(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)
