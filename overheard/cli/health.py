"""How everything is: facts from the database and the bus. What they mean: ``troubles.py``."""

from __future__ import annotations

import msgspec

from actors.wiring import reddit_budget
from overheard import schedule
from overheard.bus import queues
from overheard.bus.queues import Door, Queue
from overheard.config import Config
from overheard.db import beats, budgets, canaries, channels, dead_letters, deliveries, feeds, workspaces
from overheard.db.channels import ChannelRow
from overheard.db.deliveries import Waiting
from overheard.db.feeds import Refused
from overheard.errors import Unavailable
from overheard.program import Program

LOOKED_AT = 1000  # workspaces that wait for a run


class Sick(msgspec.Struct, frozen=True):
    """A channel that takes nothing."""

    workspace: str
    name: str
    disabled: bool
    since: float
    reason: str


class Health(msgspec.Struct, frozen=True):
    """The facts at ``now``. Times are seconds since the epoch; ``queues`` and ``door`` are None without RabbitMQ."""

    now: float
    last_tick_at: float | None
    active: int
    paused: int
    late: tuple[str, float] | None  # the workspace whose run is the most overdue, and since when
    feeds: dict[str, int]
    failing_feeds: list[Refused]
    oldest_fresh_at: float | None
    gaps: int
    remaining: float | None
    booked: float
    queues: list[Queue] | None
    door: Door | None
    bus_fault: str | None
    channels: int
    sick: list[Sick]
    deliveries: Waiting
    dead_letters: int
    canary: canaries.State | None

    @property
    def lag(self) -> float | None:
        """Seconds since the least recently read healthy feed was read."""
        return None if self.oldest_fresh_at is None else max(self.now - self.oldest_fresh_at, 0.0)


def look(program: Program) -> Health:
    """The facts, now."""
    db, config, now = program.db, program.config, program.clock()
    active, paused = workspaces.tally(db)
    remaining, booked = budgets.state(db, reddit_budget(config))
    rows = channels.listing(db)
    found, door, fault = _bus(config)
    return Health(
        now=now,
        last_tick_at=beats.last(db, "tick"),
        active=active,
        paused=paused,
        late=_late(program, now),
        feeds=feeds.states(db),
        failing_feeds=feeds.failing(db),
        oldest_fresh_at=feeds.oldest_fresh(db),
        gaps=feeds.gaps(db),
        remaining=remaining,
        booked=booked,
        queues=found,
        door=door,
        bus_fault=fault,
        channels=len(rows),
        sick=[_sick(row) for row in rows if row.disabled_at or row.failing_since],
        deliveries=deliveries.waiting(db, now),
        dead_letters=dead_letters.count(db),
        canary=canaries.state(db),
    )


def _bus(config: Config) -> tuple[list[Queue] | None, Door | None, str | None]:
    if config.bus.embedded:
        return None, None, None
    try:
        found, door = queues.look(config.bus.address)
    except Unavailable as error:
        return None, None, str(error)
    return found, door, None


def _late(program: Program, now: float) -> tuple[str, float] | None:
    """Sweeps ask again and again for a run nobody takes up; how late it is, only its schedule says."""
    due = [
        (schedule.next_due(row.every, row.timezone, row.since), row.slug)
        for row in workspaces.waiting(program.db, LOOKED_AT)
    ]
    if not due or min(due)[0] > now:
        return None
    since, slug = min(due)
    return slug, since


def _sick(row: ChannelRow) -> Sick:
    since = row.disabled_at or row.failing_since or 0.0
    return Sick(row.workspace, row.name, row.disabled_at is not None, since, row.reason or "")
