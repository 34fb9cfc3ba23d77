"""Polls that hold no lease and move no cursor: second looks, and items that were looked up again."""

from __future__ import annotations

from overheard.db.database import Db
from overheard.db.models import Poll


def begin(db: Db, poll: str, now: float) -> None:
    """Record that such a poll begins to read: its parts name it, and mentions have its time."""
    Poll.insert(id=poll, started_at=now).on_conflict_ignore().execute(db.peewee)
