"""Beats: when a process last did what it is for. The dead man's switch reads them."""

from __future__ import annotations

from overheard.db.database import Db
from overheard.db.models import Heartbeat


def record(db: Db, name: str, now: float) -> None:
    """``name`` has done its work at ``now``."""
    Heartbeat.insert(name=name, at=now).on_conflict(
        conflict_target=[Heartbeat.name], update={Heartbeat.at: now}
    ).execute(db.peewee)


def record_once(db: Db, name: str, at: float) -> bool:
    """Note ``name`` for the time ``at``, unless it was noted for that time, or a later one, before; says which."""
    noted = (
        Heartbeat.insert(name=name, at=at)
        .on_conflict(conflict_target=[Heartbeat.name], update={Heartbeat.at: at}, where=(Heartbeat.at < at))
        .returning(Heartbeat.name)
        .tuples()
        .execute(db.peewee)
    )
    return bool(list(noted))


def last_at(db: Db, name: str) -> float | None:
    """When ``name`` last did its work; None when never."""
    return db.moment(Heartbeat.select(Heartbeat.at).where(Heartbeat.name == name))
