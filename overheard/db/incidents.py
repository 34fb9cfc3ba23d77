"""Incidents that are not reported to the operator yet: any process records them, the tick reports and deletes them.

One row for each kind and place, however often it happens. No row has an item's text or a secret.
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
    "channel failing",
    "feed refused",
    "place renamed",
    "process gave up",
    "tick failing",
    "canary late",
    "reddit away",
    "reddit login refused",
    "reddit client refused",
    "source away",
    "source login refused",
]

PLACE_MAX_CHARS = 200  # a reason may be long; chosen, not measured


class IncidentCount(msgspec.Struct, frozen=True):
    """``kind`` has happened ``count`` times, the last time at ``last_at``.

    ``what`` is the place or the reason: a stage, ``acme/team``, ``r/python``, how a source fails.
    """

    kind: str
    what: str
    count: int
    last_at: float


def record(db: Db, kind: IncidentKind, what: str, now: float) -> None:
    """Count one more incident."""
    Incident.insert(kind=kind, what=storable(what[:PLACE_MAX_CHARS]), count=1, last_at=now).on_conflict(
        conflict_target=[Incident.kind, Incident.what],
        update={Incident.count: Incident.count + 1, Incident.last_at: now},
    ).execute(db.peewee)


def unreported(db: Db) -> list[IncidentCount]:
    """Return the incidents that are not reported yet, by kind, the latest first."""
    rows = Incident.select(Incident.kind, Incident.what, Incident.count, Incident.last_at)
    ordered = rows.order_by(Incident.kind, Incident.last_at.desc(), Incident.what)
    return [IncidentCount(*row) for row in ordered.tuples().execute(db.peewee)]


def mark_reported(db: Db, reported: Iterable[IncidentCount]) -> None:
    """Subtract what was reported; what has happened since then stays unreported."""
    with db.transaction():
        for incident in sorted(reported, key=lambda incident: (incident.kind, incident.what)):  # one order of locks
            row = (Incident.kind == incident.kind) & (Incident.what == incident.what)
            Incident.update(count=Incident.count - incident.count).where(row).execute(db.peewee)
            Incident.delete().where(row, Incident.count <= 0).execute(db.peewee)


def delete_before(db: Db, before: float) -> None:
    """Delete incidents that happened before then: no alert address is configured to report them to."""
    Incident.delete().where(Incident.last_at < before).execute(db.peewee)
