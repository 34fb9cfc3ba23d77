"""The installation's identity: a random number in its database, by which its processes recognize each other."""

from __future__ import annotations

import secrets

from overheard.db.database import Db
from overheard.db.models import Revision

NAME = "instance"


def ensure_id(db: Db) -> str:
    """Return the identity of this database's installation, making one first if it has none."""
    Revision.insert(name=NAME, value=secrets.randbits(63)).on_conflict_ignore().execute(db.peewee)
    return stored_id(db)


def stored_id(db: Db) -> str:
    """Return the identity as processes show it; empty while no process has run on this database."""
    value = Revision.select(Revision.value).where(Revision.name == NAME).scalar(db.peewee)
    return "" if value is None else f"{int(value):016x}"
