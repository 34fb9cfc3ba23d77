"""What the database knows about the system: the vital signs that the tick's gauges show, and the rest for `status`."""

from __future__ import annotations

import msgspec

from overheard.config import Config
from overheard.db import (
    canaries,
    channels,
    dead_letters,
    delivery_backlog,
    feeds,
    gaps,
    heartbeats,
    refreshes,
    schedules,
    source_health,
    workspaces,
)
from overheard.db.channels import FailingChannel
from overheard.db.database import Db
from overheard.db.delivery_backlog import DeliveryBacklog, DeliveryQueue
from overheard.db.feeds import FailingFeed
from overheard.operations import other_work, reading_plan, reddit_clients
from overheard.operations.reading_plan import SourcePlan
from overheard.operations.reddit_clients import ClientState
from overheard.operations.source_reports import SourceReport, source_reports
from overheard.sources.reddit.names import SOURCE
from overheard.sources.registry import is_internal, source_type

OVERDUE_SECONDS = 120.0  # unfinished work older than this is a problem; chosen, not measured
PLANNED_UNMET_SECONDS = 600.0  # after which a planned reading counts as demanded and not made; chosen
DAY_SECONDS = 86400.0
LOST_SHOWN_SECONDS = 3 * DAY_SECONDS  # since a gap was found; after two days without being filled it is lost
BACKLOG_SWEEPS = 5  # × [tick] sweep_after: the tick leaves work that is still queued alone for the same time
DETAILED_ROWS = 100  # failing feeds and channels listed in full; the others are only counted


class SourceVitals(msgspec.Struct, frozen=True):
    """A watched source. ``lag``: seconds since its least recently read healthy feed was read, None without one.

    ``overdue``: the same of the feeds for which a new reading has been demanded since; 0 if none waits for one.
    """

    state: source_health.SourceState
    lag: float | None
    overdue: float


class VitalSigns(msgspec.Struct, frozen=True):
    """The state of the database at ``at``, as far as the tick's gauges show it. Times are seconds since the epoch.

    ``oldest`` maps each kind of work (run, poll, delivery, digest) to the time since when its oldest unfinished piece
    has been waiting; None if there is none. ``remaining`` and ``booked`` are of all clients of Reddit together.
    ``sources``: those that an active workspace watches.
    """

    at: float
    waiting: schedules.WaitingWorkspace | None
    oldest: dict[str, float | None]
    feeds: dict[str, int]
    remaining: float | None
    booked: float
    reddit: source_health.SourceState
    clients: list[ClientState]
    sources: dict[str, SourceVitals]
    channels: dict[str, int]
    dead_letters: int

    @property
    def ages(self) -> dict[str, float | None]:
        """Return how many seconds the oldest work of each kind has waited."""
        return {work: None if since is None else max(self.at - since, 0.0) for work, since in self.oldest.items()}

    @property
    def lag(self) -> float | None:
        """Return the seconds since the least recently read healthy feed was read."""
        return max((source.lag for source in self.sources.values() if source.lag is not None), default=None)


class DatabaseState(VitalSigns, frozen=True, kw_only=True):
    """The vital signs and everything that is too expensive to query on every tick."""

    last_tick_at: float | None
    active: int
    paused: int
    refused: list[FailingFeed]
    gaps: int
    gaps_last_day: int  # the open gaps that were found in the last 24 hours
    gap_requests: int  # that are left to fill the open gaps
    gaps_lost: int  # those found in the last LOST_SHOWN_SECONDS
    unhealthy_channels: list[FailingChannel]
    deliveries: DeliveryQueue
    backlog: DeliveryBacklog | None
    canary: canaries.CanaryState | None
    unreadable_schedules: list[schedules.UnreadableSchedule]
    source_reports: list[SourceReport]
    overloaded: list[SourcePlan]

    @property
    def watched_sources(self) -> list[str]:
        """Return the sources that an active workspace watches."""
        return list(self.sources)

    @property
    def in_use(self) -> bool:
        """Return True if there is a workspace and a tick has run at least once."""
        return self.last_tick_at is not None and self.active + self.paused > 0


def vital_signs(db: Db, config: Config, now: float) -> VitalSigns:
    """Read what the gauges show."""
    clients = reddit_clients.clients(db, config)
    waiting = schedules.longest_waiting(db, now)
    return VitalSigns(
        at=now,
        waiting=waiting,
        oldest={
            "run": None if waiting is None else waiting.since,
            "poll": feeds.oldest_poll(db, now),
            "delivery": delivery_backlog.oldest_due(db, now),
            "digest": schedules.oldest_digest(db, now),
        },
        feeds=feeds.states(db),
        remaining=reddit_clients.remaining(clients),
        booked=reddit_clients.booked(clients),
        reddit=source_health.state(db, SOURCE),
        clients=clients,
        sources={
            source: _source_vitals(db, source, now, config.fetch.fresh_for)
            for source in refreshes.watched_sources(db)
            if not is_internal(source)
        },
        channels=channels.states(db),
        dead_letters=dead_letters.count(db),
    )


def _source_vitals(db: Db, source: str, now: float, fresh_for: float) -> SourceVitals:
    def age(at: float | None) -> float | None:
        return None if at is None else max(now - at, 0.0)

    # What is planned is read in time for its workspaces, and not at the moment when they demand it.
    unmet_after = PLANNED_UNMET_SECONDS if source_type(source).merged else fresh_for
    return SourceVitals(
        source_health.state(db, source),
        lag=age(feeds.oldest_fresh(db, now, source)),
        overdue=age(feeds.oldest_fresh(db, now, source, unmet_after=unmet_after)) or 0.0,
    )


def database_state(db: Db, config: Config, now: float) -> DatabaseState:
    """Read the vital signs and the details."""
    signs = vital_signs(db, config, now)
    active, paused = workspaces.count_active_and_paused(db)
    # Counted already; nearly always there are none, and the lists need not be queried.
    has_failing_feeds = signs.feeds["failing"] > 0
    has_unhealthy_channels = signs.channels["failing"] + signs.channels["disabled"] > 0
    return DatabaseState(
        **msgspec.structs.asdict(signs),
        last_tick_at=heartbeats.last_at(db, "tick"),
        active=active,
        paused=paused,
        refused=feeds.failing(db, DETAILED_ROWS) if has_failing_feeds else [],
        gaps=gaps.count_open(db),
        gaps_last_day=gaps.count_open(db, now - DAY_SECONDS),
        gap_requests=other_work.gap_requests(db),
        gaps_lost=gaps.count_lost(db, now - LOST_SHOWN_SECONDS),
        unhealthy_channels=channels.failing_or_disabled(db, DETAILED_ROWS) if has_unhealthy_channels else [],
        deliveries=delivery_backlog.waiting(db, now, OVERDUE_SECONDS),
        backlog=delivery_backlog.backlog(db, now, BACKLOG_SWEEPS * config.tick.sweep_after),
        canary=canaries.state(db),
        unreadable_schedules=schedules.unreadable_schedules(db),
        source_reports=source_reports(db, config, now),
        overloaded=[
            plan
            for source in reading_plan.planned_sources(config)
            if (plan := reading_plan.current(db, source, config, now)).overloaded
        ],
    )
