"""Run match, store, notify, digest and the tick over a day's items, on a clock that jumps from one event to the next.

The stages, the tick and the database's budgets are the real ones. In place of a bus there is a heap of messages by
their time, handled one after the other.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from actors import digest, notify
from actors.context import Context
from actors.match import Matcher
from actors.store import store
from actors.wiring import limiter
from overheard import schedule
from overheard.bus.queue_depths import PublicQueueDepths
from overheard.channels.registry import is_signed
from overheard.channels.signing import new_secret
from overheard.clock import Clock
from overheard.config import Config
from overheard.db import migrate, workspace_specs
from overheard.db.database import Db, open_database
from overheard.db.retention import configured_ages
from overheard.items import Item
from overheard.messages import ComposeDigest, ItemsFetched, ItemsMatched, Message, NotifyChannel, PollPart
from overheard.observability.metrics import ProcessMetrics
from overheard.outcomes import Later
from overheard.permits import Slot, permit_for
from overheard.workspaces import WorkspaceSpec
from producers.due_work import DueWork
from producers.gauges import SystemGauges
from producers.reports import WorkspaceReports
from producers.sweeps import Sweeps
from producers.tick import Ticker
from producers.tick_steps import TickStep, counted, uncounted
from producers.tidying import Tidying
from tests.messages.day.receivers import Received, Receivers

POLL_SECONDS = 30.0  # between two readings of what is new
TICK_SECONDS = 60.0


class SteppedClock:
    """The day's clock."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass, as a thread does that waits for a token."""
        self.now += max(seconds, 0.0)


class VirtualDay:
    """The stages on one database. ``run`` yields what the receivers got, in the order of time."""

    def __init__(self, folder: Path, clock: SteppedClock, receivers: Receivers) -> None:
        self._clock = clock
        self._receivers = receivers
        self._config = receivers.config()
        self._db = open_database(f"sqlite:///{folder}/day.db", clock)
        self._metrics = ProcessMetrics(CollectorRegistry())
        self._waiting: list[tuple[float, int, Message, Slot | None]] = []
        self._numbers = itertools.count()
        self._db.peewee.pragma("synchronous", 0, permanent=True)  # the day is not kept
        migrate.migrate(self._db)
        self._notify = notify.work(self._context())
        self._matcher = Matcher(db=self._db, send=self._store, metrics=self._metrics)
        self._limiter = limiter(self._config, self._db)
        self._ticker = _ticker(self._config, self._db, clock, self._metrics, self)

    def save(self, specs: Sequence[WorkspaceSpec]) -> None:
        """Save the workspaces as of now."""
        now = self._clock()
        for spec in specs:
            workspace_specs.save(
                self._db,
                spec,
                now,
                following=lambda text, zone: schedule.next_due(text, zone, now),
                secret=lambda channel: new_secret() if is_signed(channel.url) else None,
            )

    def run(self, items: Sequence[Item], seconds: float) -> Iterator[Received]:
        """Read the items as they become old enough, and deliver, for so many seconds."""
        began, position = self._clock(), 0
        next_poll, next_tick, ends = began + POLL_SECONDS, began, began + seconds
        with self._db.session():
            while (due := min(next_poll, next_tick, self._waiting[0][0] if self._waiting else ends)) < ends:
                self._clock.now = max(self._clock.now, due)
                if due == next_poll:
                    next_poll += POLL_SECONDS
                    end = next((n for n in range(position, len(items)) if items[n].created_at > due), len(items))
                    self._match(items[position:end])
                    position = end
                elif due == next_tick:
                    next_tick += TICK_SECONDS
                    self._ticker.tick()
                else:
                    _, _, message, slot = heapq.heappop(self._waiting)
                    self._handle(message, slot)
                    yield from self._receivers.collect()

    def send(self, message: Message, *, delay: float | None = None, message_id: str | None = None) -> str:
        """Send a message, as a bus does."""
        self._put(message, delay or 0.0, None)
        return ""

    def send_all(self, parcels: Sequence[Any], sender: str | None = None) -> None:
        """Send several messages."""
        for parcel in parcels:
            self.send(parcel.message)

    def publish(self, type: str, body: dict[str, Any]) -> str:
        """Publish an event: of those, digests are composed here; nothing is fetched."""
        if type == "workspace.digest":
            self.send(ComposeDigest(workspace_id=body["workspace"], period_end=body["period_end"]))
        return ""

    def _put(self, message: Message, delay: float, slot: Slot | None) -> None:
        heapq.heappush(self._waiting, (self._clock() + delay, next(self._numbers), message, slot))

    def _match(self, items: Sequence[Item]) -> None:
        if items:
            poll = f"poll{next(self._numbers)}"
            self._matcher.match(ItemsFetched(part=PollPart(poll=poll, part=0, parts=1), items=tuple(items)))

    def _store(self, message: Message, *, delay: float | None = None) -> str:
        assert isinstance(message, ItemsMatched)
        store(message, db=self._db, send_all=self.send_all, clock=self._clock, metrics=self._metrics)
        return ""

    def _handle(self, message: Message, slot: Slot | None) -> None:
        if isinstance(message, ComposeDigest):
            digest.compose(message, db=self._db, send=self.send, clock=self._clock)
            return
        assert isinstance(message, NotifyChannel)
        permit = permit_for(
            self._limiter, notify.need(message), slot, wait=self._clock.advance, on_wait=lambda kind, seconds: None
        )
        outcome = self._notify.handle(message, permit)
        if isinstance(outcome, Later):
            self._put(outcome.message or message, outcome.delay, outcome.slot or permit.held)

    def _context(self) -> Context:
        return Context(
            config=self._config,
            db=self._db,
            clock=self._clock,
            metrics=self._metrics,
            stop=threading.Event(),
            send=self.send,
            send_all=self.send_all,
            sources=dict,
        )


def _ticker(config: Config, db: Db, clock: Clock, metrics: ProcessMetrics, bus: VirtualDay) -> Ticker:
    gauges = SystemGauges(
        db=db, inspect_queues=lambda: ([], PublicQueueDepths(0, 0)), config=config, clock=clock, metrics=metrics
    )
    parts: dict[str, Any] = {"db": db, "clock": clock}
    due = DueWork(events=bus, settings=config.tick, **parts)
    sweeps = Sweeps(events=bus, sender=bus, waiting=lambda: 0, settings=config.tick, **parts)  # type: ignore[arg-type]
    ages = configured_ages(config.retention)
    tidying = Tidying(every=config.tick.sweep_after, collect=lambda: 0, ages=ages, metrics=metrics, **parts)
    reports = WorkspaceReports(send=bus.send, **parts)
    steps = (
        TickStep("check_queues", uncounted(sweeps.check_queues)),
        TickStep("due", due.workspaces),
        TickStep("digests", due.digests),
        TickStep("sweep_demands", sweeps.demands),
        TickStep("sweep_digests", counted("swept_digests", sweeps.digests)),
        TickStep("sweep_channels", counted("swept_channels", sweeps.channels)),
        TickStep("report", counted("reports", reports.step)),
        TickStep("prune", counted("pruned", tidying.prune)),
    )
    return Ticker(steps, db=db, clock=clock, settings=config.tick, metrics=metrics, gauges=gauges)
