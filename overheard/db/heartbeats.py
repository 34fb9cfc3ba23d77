"""Beats: when a process last did what it is for. The dead man's switch reads them."""

from __future__ import annotations

from overheard.db.database import Db
from overheard.db.models import Beat


def beat(db: Db, name: str, now: float) -> None:
    """``name`` has done its work at ``now``."""
    Beat.insert(name=name, at=now).on_conflict(conflict_target=[Beat.name], update={Beat.at: now}).execute(db.peewee)


def first(db: Db, name: str, at: float) -> bool:
    """Note ``name`` for the time ``at``, unless it was noted for that time, or a later one, before; says which."""
    noted = (
        Beat.insert(name=name, at=at)
        .on_conflict(conflict_target=[Beat.name], update={Beat.at: at}, where=(Beat.at < at))
        .returning(Beat.name)
        .tuples()
        .execute(db.peewee)
    )
    return bool(list(noted))


def last(db: Db, name: str) -> float | None:
    """When ``name`` last did its work; None when never."""
    return db.moment(Beat.select(Beat.at).where(Beat.name == name))
