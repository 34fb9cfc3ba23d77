"""How everything is: facts from the database, the bus and the processes. What they mean: ``troubles.py``."""

from __future__ import annotations

import msgspec

from overheard.bus.amqp import BusRefused
from overheard.bus.queues import Door, Looker, Queue
from overheard.cli import processes
from overheard.cli.processes import Process
from overheard.config import Config
from overheard.db import (
    beats,
    budgets,
    canaries,
    channels,
    dead_letters,
    deliveries,
    feeds,
    gaps,
    instance,
    sources,
    workspaces,
)
from overheard.db.channels import Sick
from overheard.db.connect import Db
from overheard.db.deliveries import Backlog, Waiting
from overheard.db.feeds import Refused
from overheard.errors import NoDatabase, Unavailable
from overheard.program import Program
from overheard.sources.reddit_items import SOURCE

LATE = 120.0  # seconds after which what should have been done by now is a trouble
DAY = 86400.0
BACKLOG_SWEEPS = 5  # times [tick] sweep_after: as long as the tick lets what is waiting in the queues wait
NAMED = 100  # refused feeds, and channels that take nothing; the others are counted


class Stored(msgspec.Struct, frozen=True):
    """What the database knows at ``at``. Times are seconds since the epoch; ``oldest`` is None where nothing waits."""

    at: float
    last_tick_at: float | None
    active: int
    paused: int
    waiting: workspaces.Waiting | None
    oldest: dict[str, float | None]  # run, poll, delivery, digest
    feeds: dict[str, int]
    refused: list[Refused]
    oldest_fresh_at: float | None
    gaps: int
    latest_gaps: int  # of them, found in the last 24 hours
    remaining: float | None
    booked: float
    reddit: sources.State
    channels: dict[str, int]
    sick: list[Sick]
    deliveries: Waiting
    backlog: Backlog | None
    dead_letters: int
    canary: canaries.State | None

    @property
    def in_use(self) -> bool:
        """Whether somebody listens for something, and it has ever been looked for."""
        return self.last_tick_at is not None and self.active + self.paused > 0

    @property
    def lag(self) -> float | None:
        """Seconds since the least recently read healthy feed was read."""
        return None if self.oldest_fresh_at is None else max(self.at - self.oldest_fresh_at, 0.0)


class Health(msgspec.Struct, frozen=True):
    """The facts at ``now``.

    ``stored`` is None, and ``database_fault`` says why, when the database does not answer; ``queues`` and ``door`` are
    None without RabbitMQ, and with ``bus_fault``; ``processes`` is None where nobody can know. ``strangers`` are ports
    of ours on which another Overheard's processes answer; ``database_missing``: it has not been made yet;
    ``bus_refuses``: RabbitMQ is there, and it is the login or the vhost that it does not take.
    """

    now: float
    stored: Stored | None
    database_fault: str | None
    queues: list[Queue] | None
    door: Door | None
    bus_fault: str | None
    processes: list[Process] | None
    strangers: tuple[int, ...] = ()
    database_missing: bool = False
    bus_refuses: bool = False


class Observer:
    """Looks at everything, again and again, on the connections that it has. For one thread."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._ready = self._missing = self._refused = False
        self._instance: str | None = None
        self._bus = None if program.config.bus.embedded else Looker(program.config.bus.address)

    def look(self) -> Health:
        """The facts, now. Raises ConfigError when the database's schema is another one."""
        now = self.program.clock()
        stored, database_fault = self._database(now)
        queues, door, bus_fault = self._look_at_bus()
        found = processes.look(self.program.config.metrics)
        ours = None if found is None else [process for process in found if process.belongs_to(self._instance)]
        return Health(
            now,
            stored,
            database_fault,
            queues,
            door,
            bus_fault,
            ours,
            strangers=tuple(process.port for process in found or () if process not in (ours or ())),
            database_missing=self._missing,
            bus_refuses=self._refused,
        )

    def close(self) -> None:
        if self._bus is not None:
            self._bus.close()
        self.program.db.release()

    def _database(self, now: float) -> tuple[Stored | None, str | None]:
        program = self.program
        try:
            if not self._ready:
                program.require_database()
                self._ready, self._missing = True, False
            with program.db.session():
                self._instance = instance.known(program.db)
                return stored(program.db, program.config, now), None
        except NoDatabase as error:
            self._missing, self._instance = True, ""
            return None, error.problems[0].partition("\n")[0]
        except Unavailable as error:
            return None, str(error)

    def _look_at_bus(self) -> tuple[list[Queue] | None, Door | None, str | None]:
        if self._bus is None:
            return None, None, None
        try:
            queues, door = self._bus.look()
            fault = None if self._bus.takes_messages() else ALARM
        except Unavailable as error:
            self._refused = isinstance(error, BusRefused)
            return None, None, str(error)
        self._refused = False
        return queues, door, fault


ALARM = "RabbitMQ takes no messages: it has run out of memory or disk (rabbitmq-diagnostics alarms)"


def stored(db: Db, config: Config, now: float) -> Stored:
    """What the database knows."""
    active, paused = workspaces.tally(db)
    remaining, booked = budgets.state(db, budgets.reddit_key(config.sources.reddit.client_in_use))
    waiting = workspaces.longest_waiting(db, now)
    of_feeds, of_channels = feeds.states(db), channels.states(db)
    return Stored(
        at=now,
        last_tick_at=beats.last(db, "tick"),
        active=active,
        paused=paused,
        waiting=waiting,
        oldest={
            "run": None if waiting is None else waiting.since,
            "poll": feeds.oldest_poll(db, now),
            "delivery": deliveries.oldest_due(db, now),
            "digest": workspaces.oldest_digest(db, now),
        },
        feeds=of_feeds,
        refused=feeds.failing(db, NAMED) if of_feeds["failing"] else [],
        oldest_fresh_at=feeds.oldest_fresh(db),
        gaps=gaps.count_open(db),
        latest_gaps=gaps.count_open(db, now - DAY),
        remaining=remaining,
        booked=booked,
        reddit=sources.state(db, SOURCE),
        channels=of_channels,
        sick=channels.sick(db, NAMED) if of_channels["failing"] + of_channels["disabled"] else [],
        deliveries=deliveries.waiting(db, now, LATE),
        backlog=deliveries.backlog(db, now, BACKLOG_SWEEPS * config.tick.sweep_after),
        dead_letters=dead_letters.count(db),
        canary=canaries.state(db),
    )
