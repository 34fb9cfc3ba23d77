"""What is known of the system now, read once: database, bus and processes. What it means: ``problems.py``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from overheard import supervisord
from overheard.bus.amqp import BusRefused
from overheard.bus.queue_depths import PublicQueueDepths, QueueDepth, QueueInspector
from overheard.config import Config
from overheard.db import (
    budgets,
    canaries,
    channels,
    dead_letters,
    delivery_backlog,
    feeds,
    gaps,
    heartbeats,
    instance,
    refreshes,
    schedules,
    source_health,
    workspaces,
)
from overheard.db.channels import FailingChannel
from overheard.db.database import Db
from overheard.db.delivery_backlog import DeliveryBacklog, DeliveryQueue
from overheard.db.feeds import FailingFeed
from overheard.errors import DatabaseMissing, Unavailable
from overheard.operations import processes
from overheard.operations.processes import Process
from overheard.process import RunningProcess
from overheard.sources.reddit.names import SOURCE, budget_key
from overheard.supervisord import SupervisedProcess

T = TypeVar("T")

OVERDUE_SECONDS = 120.0  # after which it is a problem that something is not done yet
DAY_SECONDS = 86400.0
BACKLOG_SWEEPS = 5  # times [tick] sweep_after: as long as the tick lets what is waiting in the queues wait
ALARM = "RabbitMQ takes no messages: it has run out of memory or disk (rabbitmq-diagnostics alarms)"
BUS_REFUSES = (
    "RabbitMQ runs: correct user, password and vhost in [bus] url, or give them to it "
    "(rabbitmqctl list_users, list_vhosts, change_password, set_permissions)"
)
# Written by deploy/backup for the node exporter: its time is that of the last backup of this server.
BACKUP_MARK = Path("/var/lib/prometheus/node-exporter/overheard.prom")
DETAILED_ROWS = 100  # refused feeds, and channels that take nothing; the others are counted


class Vitals(msgspec.Struct, frozen=True):
    """What the database knows at ``at``, and the tick's gauges show. Times are seconds since the epoch.

    ``oldest`` is since when the oldest work of each kind waits (run, poll, delivery, digest); None where nothing does.
    """

    at: float
    waiting: schedules.WaitingWorkspace | None
    oldest: dict[str, float | None]
    feeds: dict[str, int]
    oldest_fresh_at: float | None
    remaining: float | None
    booked: float
    reddit: source_health.SourceState
    channels: dict[str, int]
    dead_letters: int

    @property
    def ages(self) -> dict[str, float | None]:
        """Return for how many seconds the oldest work of each kind has waited."""
        return {work: None if since is None else max(self.at - since, 0.0) for work, since in self.oldest.items()}

    @property
    def lag(self) -> float | None:
        """Return the seconds since the least recently read healthy feed was read."""
        return None if self.oldest_fresh_at is None else max(self.at - self.oldest_fresh_at, 0.0)


class StoredFacts(Vitals, frozen=True, kw_only=True):
    """All that the database knows, the more costly facts included."""

    last_tick_at: float | None
    active: int
    paused: int
    refused: list[FailingFeed]
    gaps: int
    latest_gaps: int  # of them, found in the last 24 hours
    sick: list[FailingChannel]
    deliveries: DeliveryQueue
    backlog: DeliveryBacklog | None
    canary: canaries.CanaryState | None
    unreadable: list[schedules.UnreadableSchedule]
    watched_sources: list[str]

    @property
    def in_use(self) -> bool:
        """Return True if there is a workspace, and a tick has ever run."""
        return self.last_tick_at is not None and self.active + self.paused > 0


class Facts(msgspec.Struct, frozen=True):
    """The facts at ``now``.

    ``stored`` is None, and ``database_fault`` says why, when the database does not answer; ``queues`` and ``door`` are
    None without RabbitMQ, and with ``bus_fault``; ``processes`` is None where they cannot be known. ``strangers`` are
    ports of ours on which another Overheard's processes answer; ``database_missing``: it has not been made yet;
    ``bus_refuses``: RabbitMQ is there, and it is the login or the vhost that it does not take. ``supervised`` are
    supervisord's processes, on a server; None elsewhere, and with ``supervisor_fault``. ``backed_up`` is when the last
    backup was made, or backups were set up (Unix time); None where there are none.
    """

    now: float
    stored: StoredFacts | None
    database_fault: str | None
    queues: list[QueueDepth] | None
    door: PublicQueueDepths | None
    bus_fault: str | None
    processes: list[Process] | None
    strangers: tuple[int, ...] = ()
    database_missing: bool = False
    bus_refuses: bool = False
    supervised: list[SupervisedProcess] | None = None
    supervisor_fault: str | None = None
    backed_up: float | None = None


class Observer:
    """Reads all facts, again and again, on the same connections. For one thread.

    ``server`` is the URL of this server's supervisord, None where there is no server; ``backup_mark`` is read there.
    """

    def __init__(self, program: RunningProcess, *, server: str | None = None, backup_mark: Path = BACKUP_MARK) -> None:
        self.program = program
        self._server = server
        self._backup_mark = backup_mark
        self._ready = False
        self._instance: str | None = None
        self._bus = None if program.config.bus.embedded else QueueInspector(program.config.bus.address)

    def look(self) -> Facts:
        """Return the facts of now. Raises ConfigError when the database's schema is another one."""
        now = self.program.clock()
        stored, no_database = _tried(self._database)
        if isinstance(no_database, DatabaseMissing):
            self._instance = ""
        bus, no_bus = _tried(self._look_at_bus)
        queues, door, alarm = bus or (None, None, None)
        supervised, no_supervisor = _tried(self._look_at_supervisord)
        found = processes.look(self.program.config.metrics)
        ours = None if found is None else [process for process in found if process.belongs_to(self._instance)]
        return Facts(
            now,
            stored,
            _said(no_database),
            queues,
            door,
            alarm or _said(no_bus),
            ours,
            strangers=tuple(process.port for process in found or () if process not in (ours or ())),
            database_missing=isinstance(no_database, DatabaseMissing),
            bus_refuses=isinstance(no_bus, BusRefused),
            supervised=supervised,
            supervisor_fault=_said(no_supervisor),
            backed_up=self._last_backup(),
        )

    def close(self) -> None:
        if self._bus is not None:
            self._bus.close()
        self.program.db.release()

    def _database(self) -> StoredFacts:
        program = self.program
        if not self._ready:
            program.require_database()
            self._ready = True
        with program.db.session():
            self._instance = instance.stored_id(program.db)
            return stored(program.db, program.config, program.clock())

    def _look_at_supervisord(self) -> list[SupervisedProcess] | None:
        return None if self._server is None else supervisord.processes(self._server)

    def _last_backup(self) -> float | None:
        if self._server is None or not self._backup_mark.exists():
            return None
        return self._backup_mark.stat().st_mtime

    def _look_at_bus(self) -> tuple[list[QueueDepth], PublicQueueDepths, str | None] | None:
        if self._bus is None:
            return None
        return *self._bus.inspect(), None if self._bus.takes_messages() else ALARM


def _tried(read: Callable[[], T]) -> tuple[T | None, DatabaseMissing | Unavailable | None]:
    try:
        return read(), None
    except (DatabaseMissing, Unavailable) as error:
        return None, error


def _said(error: DatabaseMissing | Unavailable | None) -> str | None:
    """Return what is wrong; what to do is the problems' business."""
    if isinstance(error, DatabaseMissing):
        return error.problems[0].partition("\n")[0]
    return None if error is None else str(error)


def vitals(db: Db, budget: str, now: float) -> Vitals:
    """Read what the gauges show. ``budget`` is the key of Reddit's."""
    remaining, booked = budgets.usage(db, budget)
    waiting = schedules.longest_waiting(db, now)
    return Vitals(
        at=now,
        waiting=waiting,
        oldest={
            "run": None if waiting is None else waiting.since,
            "poll": feeds.oldest_poll(db, now),
            "delivery": delivery_backlog.oldest_due(db, now),
            "digest": schedules.oldest_digest(db, now),
        },
        feeds=feeds.states(db),
        oldest_fresh_at=feeds.oldest_fresh(db),
        remaining=remaining,
        booked=booked,
        reddit=source_health.state(db, SOURCE),
        channels=channels.states(db),
        dead_letters=dead_letters.count(db),
    )


def stored(db: Db, config: Config, now: float) -> StoredFacts:
    """Read what the database knows."""
    known = vitals(db, budget_key(config.sources.reddit.client_in_use), now)
    active, paused = workspaces.count_active_and_paused(db)
    return StoredFacts(
        **msgspec.structs.asdict(known),
        last_tick_at=heartbeats.last_at(db, "tick"),
        active=active,
        paused=paused,
        refused=feeds.failing(db, DETAILED_ROWS) if known.feeds["failing"] else [],
        gaps=gaps.count_open(db),
        latest_gaps=gaps.count_open(db, now - DAY_SECONDS),
        sick=channels.failing_or_disabled(db, DETAILED_ROWS)
        if known.channels["failing"] + known.channels["disabled"]
        else [],
        deliveries=delivery_backlog.waiting(db, now, OVERDUE_SECONDS),
        backlog=delivery_backlog.backlog(db, now, BACKLOG_SWEEPS * config.tick.sweep_after),
        canary=canaries.state(db),
        unreadable=schedules.unreadable_schedules(db),
        watched_sources=refreshes.watched_sources(db),
    )
