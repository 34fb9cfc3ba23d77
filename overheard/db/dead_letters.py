"""Dead letters: what could not be done, kept with its reason until somebody looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from peewee import fn

from overheard.db import incidents
from overheard.db.connect import Db
from overheard.db.models import DeadLetter


class DeadLetterRow(msgspec.Struct, frozen=True):
    """``origin``: nack (a stage gave up), xq (found in a dead-letter queue), rejected (a public event was refused)."""

    id: int
    message_id: str
    stage: str
    origin: str
    reason: str
    traceback: str | None
    body: str
    created_at: float


COLUMNS = tuple(getattr(DeadLetter, name) for name in DeadLetterRow.__struct_fields__)


def record(
    db: Db, *, message_id: str, stage: str, origin: str, reason: str, traceback: str | None, body: str, now: float
) -> None:
    """Keep a dead letter. One a (message, stage): what was found in ``.XQ`` adds nothing to what a stage said of it."""
    row = {
        "message_id": _storable(message_id),
        "stage": stage,
        "origin": origin,
        "reason": _storable(reason),
        "traceback": None if traceback is None else _storable(traceback),
        "body": _storable(body),
        "created_at": now,
    }
    insert = DeadLetter.insert(**row)
    if origin == "xq":
        insert = insert.on_conflict_ignore()
    else:
        insert = insert.on_conflict(
            conflict_target=[DeadLetter.message_id, DeadLetter.stage],
            update={key: row[key] for key in ("origin", "reason", "traceback", "body", "created_at")},
        )
    with db.transaction():
        if list(insert.returning(DeadLetter.id).tuples().execute(db.peewee)):
            incidents.note(db, "dead letter", stage, now)


def _storable(text: str) -> str:
    """PostgreSQL stores no NUL, and neither database half a surrogate pair."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def listing(db: Db, *, stage: str | None = None, limit: int | None = None) -> Iterator[DeadLetterRow]:
    """The dead letters, newest first."""
    query: Any = DeadLetter.select(*COLUMNS).order_by(DeadLetter.id.desc()).limit(limit)
    if stage is not None:
        query = query.where(DeadLetter.stage == stage)
    for row in query.tuples().execute(db.peewee):
        yield DeadLetterRow(*row)


def get(db: Db, letter_id: int) -> DeadLetterRow | None:
    """One dead letter, or None."""
    rows = list(DeadLetter.select(*COLUMNS).where(DeadLetter.id == letter_id).tuples().execute(db.peewee))
    return DeadLetterRow(*rows[0]) if rows else None


def drop(db: Db, letter_id: int) -> bool:
    """Forget one; says whether it was there."""
    return bool(DeadLetter.delete().where(DeadLetter.id == letter_id).execute(db.peewee))


def count(db: Db) -> int:
    """How many there are."""
    return int(DeadLetter.select(fn.count(DeadLetter.id)).scalar(db.peewee))


def reasons(db: Db, *, stage: str | None = None) -> list[tuple[str, str, int]]:
    """(stage, reason, how many), the commonest first."""
    number = fn.count(DeadLetter.id)
    query: Any = DeadLetter.select(DeadLetter.stage, DeadLetter.reason, number)
    if stage is not None:
        query = query.where(DeadLetter.stage == stage)
    query = query.group_by(DeadLetter.stage, DeadLetter.reason).order_by(number.desc(), DeadLetter.stage)
    return [(name, reason, int(count)) for name, reason, count in query.tuples().execute(db.peewee)]
