"""What went wrong and the operator has not been told yet: noted by whoever sees it, told and taken away by the tick.

One row for each kind of thing and place, however often it happens. None holds an item's text or a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from overheard.db.database import Db
from overheard.db.models import Incident
from overheard.db.storable_text import storable

IncidentKind = Literal[
    "dead letter",
    "channel disabled",
    "feed refused",
    "process gave up",
    "tick failing",
    "canary late",
    "reddit away",
    "reddit login refused",
]

PLACE_MAX_CHARS = 200  # characters of a place


class IncidentCount(msgspec.Struct, frozen=True):
    """``count`` times ``kind``, the last time at ``last_at``.

    ``what`` is the place, or the reason: a stage, ``acme/team``, ``r/python``, how a source fails.
    """

    kind: str
    what: str
    count: int
    last_at: float


def record(db: Db, kind: IncidentKind, what: str, now: float) -> None:
    """It has happened once more."""
    Incident.insert(kind=kind, what=storable(what[:PLACE_MAX_CHARS]), count=1, last_at=now).on_conflict(
        conflict_target=[Incident.kind, Incident.what],
        update={Incident.count: Incident.count + 1, Incident.last_at: now},
    ).execute(db.peewee)


def unreported(db: Db) -> list[IncidentCount]:
    """What the operator has not been told, by kind, the latest first."""
    rows = Incident.select(Incident.kind, Incident.what, Incident.count, Incident.last_at)
    ordered = rows.order_by(Incident.kind, Incident.last_at.desc(), Incident.what)
    return [IncidentCount(*row) for row in ordered.tuples().execute(db.peewee)]


def mark_reported(db: Db, noted: Iterable[IncidentCount]) -> None:
    """The operator has been told of these; what has happened meanwhile stays to be told."""
    with db.transaction():
        for each in sorted(noted, key=lambda each: (each.kind, each.what)):  # one order of locks
            row = (Incident.kind == each.kind) & (Incident.what == each.what)
            Incident.update(count=Incident.count - each.count).where(row).execute(db.peewee)
            Incident.delete().where(row, Incident.count <= 0).execute(db.peewee)


def delete_before(db: Db, before: float) -> None:
    """Leave untold what happened before then: there is nobody to tell."""
    Incident.delete().where(Incident.last_at < before).execute(db.peewee)
