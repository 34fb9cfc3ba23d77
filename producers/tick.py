"""tick: finds in the database what is due or was left behind, and asks for it (I1)."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import msgspec

from overheard import schedule
from overheard.bus.door import Publishes
from overheard.bus.sender import Sends
from overheard.clock import Clock
from overheard.config import Tick as Rules
from overheard.db import beats, deliveries, feeds, retention, workspaces
from overheard.db.connect import Db
from overheard.db.retention import Ages
from overheard.db.workspaces import Due
from overheard.errors import InvalidInput, TryAgain
from overheard.log import about, get_logger
from overheard.messages import NotifyChannel
from overheard.metrics import Metrics
from overheard.workspace_file import DEFAULT_DIGEST
from producers.alerts import Alerts
from producers.canary import Canary
from producers.gauges import Gauges

log = get_logger(__name__)

BEAT = "tick"
CLAIM = 50  # workspaces claimed at once: what a crash between claim and publish leaves to the sweep
SPOILT = 3600.0  # seconds until a workspace is due again whose schedule cannot be read
MANY = 200  # dead letters moved at once, after which the next tick looks for more
AHEAD = 60.0  # seconds that the last beat may be in the future: clocks of several machines differ a little
MOST_JITTER = 0.1  # of the time between two runs


class Found(msgspec.Struct):
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


class Ticker:
    """What a tick works with.

    ``drain`` moves dead letters from the bus to the database and returns how many; ``waiting`` says how many messages
    between a demand and its mentions the bus still holds; ``recheck`` asks for due rechecks, and returns how many.
    """

    def __init__(
        self,
        *,
        db: Db,
        events: Publishes,
        sender: Sends,
        drain: Callable[[], int],
        waiting: Callable[[], int],
        clock: Clock,
        rules: Rules,
        ages: Ages,
        metrics: Metrics,
        gauges: Gauges,
        recheck: Callable[[], int] = lambda: 0,
        canary: Canary | None = None,
        alerts: Alerts | None = None,
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
        self._woken: dict[int, float] = {}  # channel → when the sweep last sent for it
        self._tidied = float("-inf")
        self._untidy = False

    def tick(self) -> Found:
        """One round; several tick processes may run side by side, as everything is claimed by conditional UPDATE.

        0. due times that a wrong clock has put too far into the future;
        1. due workspaces, claimed a few at a time and published with confirms;
        2. due digests;
        3. what was left behind: demands that nobody served, polls whose lease ran out, forgotten deliveries;
        4. stored items that Reddit is to be asked about again;
        5. now and then: dead letters that only the bus knows of; rows that are too old;
        6. the beat.

        Raises TryAgain when a server is away: what was claimed and not published is found by step 3 next time.
        """
        found = Found()
        with self.db.session():
            if self.canary is not None:
                self.canary.step()
            self._mend_times()
            found.due = self._due()
            found.digests = self._digests()
            self._sweep(found)
            found.rechecks = self.recheck()
            self._tidy(found)
            self._report(found)
        return found

    def _mend_times(self) -> None:
        """A clock that was ahead has put due times where nobody would look for as long as it was ahead."""
        last, now = beats.last(self.db, BEAT), self.clock()
        if last is None or last <= now + AHEAD:
            return
        mended = workspaces.mend_times(self.db, now, AHEAD, self._next_run, self._next_digest)
        log.warning("the clock went back", stage=BEAT, seconds=round(last - now), workspaces=mended)

    def _tidy(self, found: Found) -> None:
        """Now and then: neither dead letters (kept for days) nor old rows are in a hurry."""
        now = self.clock()
        if now - self._tidied < self.rules.sweep_after and not self._untidy:
            return
        self._tidied = now
        feeds.mend_times(self.db, now)
        found.dead_letters = self.drain()
        gone = retention.forget(self.db, self.ages, now)
        self.metrics.items_erased.labels("old").inc(gone.items)
        if gone.unsent:
            log.warning("too old to be sent", stage=BEAT, deliveries=gone.unsent)
        found.forgotten = gone.rows
        self._untidy = found.forgotten >= retention.BATCH or found.dead_letters >= MANY  # there may be more

    def _due(self) -> int:
        count = 0
        while count < self.rules.batch:
            claimed = workspaces.claim_due(self.db, self.clock(), CLAIM, self._next_run)
            for workspace in claimed:
                self.events.publish("workspace.due", {"workspace": workspace.id, "reason": "due"})
            count += len(claimed)
            if len(claimed) < CLAIM:
                break
        return count

    def _next_run(self, due: Due) -> float:
        now = self.clock()
        following = self._following(due, due.every)
        # Everybody's */5 is the same second: spread them, a little, so that the budget's line stays short.
        return following + random.uniform(0, min(self.rules.jitter, MOST_JITTER * (following - now)))

    def _digests(self) -> int:
        count = 0
        while count < self.rules.batch:  # everybody's nine o'clock is the same
            claimed = workspaces.claim_digests(self.db, self.clock(), CLAIM, self._next_digest)
            for workspace in claimed:
                body = {"workspace": workspace.id, "period_end": workspace.digest_at}
                self.events.publish("workspace.digest", body)
            count += len(claimed)
            if len(claimed) < CLAIM:
                break
        return count

    def _next_digest(self, due: Due) -> float:
        return self._following(due, due.digest or DEFAULT_DIGEST)

    def _following(self, due: Due, text: str) -> float:
        try:
            return schedule.next_due(text, due.timezone, self.clock())
        except InvalidInput as error:
            # Schedules are checked when they are saved; this one, or the zones of this machine, changed since.
            # It must stop nobody else (I6).
            log.error("schedule cannot be read", stage=BEAT, workspace=due.slug, exc_info=error)
            return self.clock() + SPOILT

    def _sweep(self, found: Found) -> None:
        now, patience, most = self.clock(), self.rules.sweep_after, self.rules.batch
        # What waits in a queue is not lost. Asked for again, it would make a long queue longer.
        quiet = not self.waiting()
        polls = feeds.sweep(self.db, now) if quiet else []
        demands = workspaces.unserved(self.db, now, patience, most) if quiet else []
        for workspace_id in dict.fromkeys([*polls, *demands]):
            self.events.publish("workspace.due", {"workspace": workspace_id, "reason": "sweep"})
        digests = workspaces.undigested(self.db, now, patience, most)
        for workspace_id, period_end in digests:
            self.events.publish("workspace.digest", {"workspace": workspace_id, "period_end": period_end})
        self._woken = {channel: at for channel, at in self._woken.items() if at > now - patience}
        overdue = deliveries.waiting_channels(self.db, now, patience, most)
        channels = [channel_id for channel_id in overdue if channel_id not in self._woken]
        for channel_id in channels:
            with about(workspace=overdue[channel_id]):
                self.sender.send(NotifyChannel(channel_id=channel_id))
            self._woken[channel_id] = now
        found.swept_polls, found.swept_workspaces, found.swept_channels = len(polls), len(demands), len(channels)
        found.swept_digests = len(digests)

    def _report(self, found: Found) -> None:
        now = self.clock()
        beats.beat(self.db, BEAT, now)
        self.last_success = now
        self.metrics.tick_last_success.set(now)
        self.metrics.due_workspaces.set(found.due)


def run(ticker: Ticker, stop: threading.Event) -> None:
    """Tick until ``stop`` is set, every ``[tick] interval`` seconds; a tick that found much is followed at once."""
    while not stop.is_set():
        pause = ticker.rules.interval
        began, failed = time.monotonic(), False
        try:
            found = ticker.tick()
            _told(found, began)
            if max(found.due, found.digests) >= ticker.rules.batch:
                pause = 0.0
        except TryAgain as error:
            failed = True
            log.warning("tick failed", stage=BEAT, ms=_ms(began), exc_info=error)
        if ticker.alerts is not None:
            ticker.alerts.step(failed=failed)
        ticker.gauges.gather()
        stop.wait(pause)


def _told(found: Found, began: float) -> None:
    counts = {name: count for name, count in msgspec.structs.asdict(found).items() if count}
    # What had to be swept was lost by somebody. A tick that found nothing is for whoever looks closely.
    left_behind = any(name.startswith("swept_") for name in counts)
    level = log.warning if left_behind else log.info if counts else log.debug
    level("tick done", stage=BEAT, ms=_ms(began), **counts)


def _ms(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)
