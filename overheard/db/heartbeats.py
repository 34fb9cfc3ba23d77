"""Heartbeats: when a process last did its work. The dead man's switch reads them."""

from __future__ import annotations

from overheard.db.database import Db
from overheard.db.models import Heartbeat


def record(db: Db, name: str, now: float) -> None:
    """Record that ``name`` did its work at ``now``."""
    Heartbeat.insert(name=name, at=now).on_conflict(
        conflict_target=[Heartbeat.name], update={Heartbeat.at: now}
    ).execute(db.peewee)


def record_once(db: Db, name: str, at: float) -> bool:
    """Record ``name`` at the time ``at``; return False if that time, or a later one, was recorded before."""
    recorded = (
        Heartbeat.insert(name=name, at=at)
        .on_conflict(conflict_target=[Heartbeat.name], update={Heartbeat.at: at}, where=(Heartbeat.at < at))
        .returning(Heartbeat.name)
        .tuples()
        .execute(db.peewee)
    )
    return bool(list(recorded))


def claim(db: Db, name: str, now: float, every: float) -> bool:
    """Record that ``name`` does its work now, unless it was recorded less than ``every`` seconds ago.

    Of several processes one gets True.
    """
    due = Heartbeat.at <= now - every
    claimed = (
        Heartbeat.insert(name=name, at=now)
        .on_conflict(conflict_target=[Heartbeat.name], update={Heartbeat.at: now}, where=due)
        .returning(Heartbeat.name)
        .tuples()
        .execute(db.peewee)
    )
    return bool(list(claimed))


def last_at(db: Db, name: str) -> float | None:
    """Return when ``name`` last did its work; None if never."""
    return db.scalar_time(Heartbeat.select(Heartbeat.at).where(Heartbeat.name == name))
