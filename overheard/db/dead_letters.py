"""Dead letters: messages and events that could not be processed, with the reason, until an operator handles them."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec
from peewee import fn

from overheard.db import incidents
from overheard.db.database import Db
from overheard.db.models import DeadLetter

REPLAY_LEASE_SECONDS = 300.0  # for replaying a few; longer than RabbitMQ may hold up a publisher
PAGE_ROWS = 500  # of one DELETE, or of one page of a listing


class DeadLetterSummary(msgspec.Struct, frozen=True):
    """``origin``: nack (a stage gave up), xq (found in a dead-letter queue), rejected (a public event was refused).

    ``routing_key`` is the type of a refused event; None where it is unknown.
    """

    id: int
    message_id: str
    stage: str
    origin: str
    reason: str
    created_at: float
    routing_key: str | None


class DeadLetterRow(DeadLetterSummary, frozen=True):
    """A dead letter in full: the body of a refused event may be megabytes."""

    traceback: str | None
    body: str


class DeadLetterFilter(msgspec.Struct, frozen=True):
    """Select dead letters that meet all of these conditions. Times are seconds since the epoch.

    ``reason``: a substring, in any case; ``ids``: None selects any; ``last_id`` leaves out later ones.
    """

    stage: str | None = None
    origin: str | None = None
    reason: str | None = None
    since: float | None = None
    before: float | None = None
    ids: tuple[int, ...] | None = None
    last_id: int | None = None


class ReasonCount(msgspec.Struct, frozen=True):
    """How many dead letters of one kind there are, and when the first and the last were recorded."""

    stage: str
    origin: str
    reason: str
    count: int
    oldest_at: float
    newest_at: float


COLUMNS = tuple(getattr(DeadLetter, name) for name in DeadLetterRow.__struct_fields__)
SUMMARY_COLUMNS = tuple(getattr(DeadLetter, name) for name in DeadLetterSummary.__struct_fields__)
ALL = DeadLetterFilter()


class NewDeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter to record, at the time ``now``."""

    message_id: str
    stage: str
    origin: str
    reason: str
    traceback: str | None
    body: str
    now: float
    routing_key: str | None = None


def record(db: Db, **fields: Any) -> None:
    """Record a dead letter, with the fields of ``NewDeadLetter``; one for each (message, stage).

    A message that fails again during its replay becomes a new one: it loses its lease, and so the replay does not
    delete it.
    """
    dead_letter = NewDeadLetter(**fields)
    _record(db, dead_letter, found=dead_letter.origin == "xq")


def record_found(db: Db, dead_letters: Sequence[NewDeadLetter]) -> None:
    """Record dead letters that were found on the bus.

    They replace nothing that is recorded already: the stage that gave up knew more about the failure.
    """
    with db.transaction():
        for dead_letter in dead_letters:
            _record(db, dead_letter, found=True)


def _record(db: Db, dead_letter: NewDeadLetter, *, found: bool) -> None:
    with db.transaction():
        row = _row(dead_letter)
        if not _insert(db, row, found=found):
            # Another event has the same id: publishers choose their ids, and none of the two may be lost.
            row["message_id"] = hashlib.sha256(dead_letter.body.encode("utf-8", "backslashreplace")).hexdigest()
            _insert(db, row, found=found)


def _row(dead_letter: NewDeadLetter) -> dict[str, Any]:
    values = msgspec.structs.asdict(dead_letter)
    row = {name: _escaped(value) if isinstance(value, str) else value for name, value in values.items()}
    created_at = row.pop("now")
    return {**row, "created_at": created_at, "lease_until": 0.0}


def _insert(db: Db, row: dict[str, Any], *, found: bool) -> bool:
    """Insert or update; return False if another event has its place."""
    same = DeadLetter.body == row["body"]
    insert = DeadLetter.insert(**row)
    if found:
        insert = insert.on_conflict_ignore()
    else:
        where = same if row["origin"] == "rejected" else None
        insert = insert.on_conflict(conflict_target=[DeadLetter.message_id, DeadLetter.stage], update=row, where=where)
    if list(insert.returning(DeadLetter.id).tuples().execute(db.peewee)):
        incidents.record(db, "dead letter", row["stage"], row["created_at"])
        return True
    this = (DeadLetter.message_id == row["message_id"]) & (DeadLetter.stage == row["stage"])
    return row["origin"] == "xq" or (found and bool(DeadLetter.select().where(this, same).exists(db.peewee)))


def _escaped(text: str) -> str:
    """Escape what cannot be stored: NUL in PostgreSQL, half a surrogate pair in both.

    Unlike ``storable``, which replaces it: an operator may need to see what was there.
    """
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def listing(db: Db, criteria: DeadLetterFilter = ALL, *, limit: int | None = None) -> Iterator[DeadLetterSummary]:
    """Yield the dead letters, newest first."""
    return islice(_newest_first(db, criteria), limit)


def _newest_first(db: Db, criteria: DeadLetterFilter) -> Iterator[DeadLetterSummary]:
    """Yield them page by page, as there may be very many after a bad night."""
    page = _filtered(DeadLetter.select(*SUMMARY_COLUMNS), criteria).order_by(DeadLetter.id.desc()).limit(PAGE_ROWS)
    below = sys.maxsize
    while rows := list(page.where(DeadLetter.id < below).tuples().execute(db.peewee)):
        yield from (DeadLetterSummary(*row) for row in rows)
        below = rows[-1][0]


def get(db: Db, letter_id: int) -> DeadLetterRow | None:
    """Return one dead letter in full; None if there is none with this id."""
    row = DeadLetter.select(*COLUMNS).where(DeadLetter.id == letter_id).tuples().first(db.peewee)
    return DeadLetterRow(*row) if row else None


def count(db: Db, criteria: DeadLetterFilter = ALL) -> int:
    """Return how many there are."""
    return int(_filtered(DeadLetter.select(fn.count(DeadLetter.id)), criteria).scalar(db.peewee))


def mentioning_workspace(db: Db, workspace_id: int, slug: str, channels: Iterable[int]) -> list[int]:
    """Return the ids of the dead letters that name a workspace or its channels, as a message or as a refused event.

    Our own messages are stored as our encoder writes them; events name the workspace by its slug.
    """
    ids = [
        ("workspace_id", workspace_id),
        ("workspace", workspace_id),
        *(("channel_id", number) for number in channels),
    ]
    texts = [f'"{slug}"', *(f'"{name}":{number}{end}' for name, number in ids for end in ",}")]
    # One query each: with very many channels, one condition of all would be too deep for SQLite.
    queries = (DeadLetter.select(DeadLetter.id).where(db.contains(DeadLetter.body, text)) for text in texts)
    return sorted({letter_id for query in queries for (letter_id,) in query.tuples().execute(db.peewee)})


def last_id(db: Db) -> int:
    """Return the newest id; 0 if there is none."""
    return int(DeadLetter.select(fn.max(DeadLetter.id)).scalar(db.peewee) or 0)


def reasons(db: Db, criteria: DeadLetterFilter = ALL) -> list[ReasonCount]:
    """Count them by (stage, origin, reason), the most frequent first."""
    number, kind = fn.count(DeadLetter.id), (DeadLetter.stage, DeadLetter.origin, DeadLetter.reason)
    times = (fn.min(DeadLetter.created_at), fn.max(DeadLetter.created_at))
    counts = _filtered(DeadLetter.select(*kind, number, *times), criteria).group_by(*kind)
    query = counts.order_by(number.desc(), *kind)
    return [ReasonCount(*row) for row in query.tuples().execute(db.peewee)]


def drop(db: Db, criteria: DeadLetterFilter) -> int:
    """Delete them; return how many. In batches, so that no lock is held for long."""
    batch = _filtered(DeadLetter.select(DeadLetter.id), criteria).order_by(DeadLetter.id).limit(PAGE_ROWS)
    total = 0
    while deleted := int(DeadLetter.delete().where(DeadLetter.id.in_(batch)).execute(db.peewee)):
        total += deleted
    return total


class ClaimedDeadLetter(msgspec.Struct, frozen=True):
    """A dead letter that this process has claimed for a replay, until ``lease_until``."""

    dead_letter: DeadLetterRow
    lease_until: float


def claim(db: Db, criteria: DeadLetterFilter, *, after_id: int, limit: int) -> list[ClaimedDeadLetter]:
    """Claim up to ``limit`` of them with ids above ``after_id``, by id. Of two concurrent claims one gets each."""
    free = DeadLetter.lease_until < db.now
    unclaimed = _filtered(DeadLetter.select(DeadLetter.id), criteria).where(DeadLetter.id > after_id, free)
    rows = (
        DeadLetter.update(lease_until=db.now + REPLAY_LEASE_SECONDS)
        .where(DeadLetter.id.in_(unclaimed.order_by(DeadLetter.id).limit(limit)), free)
        .returning(*COLUMNS, DeadLetter.lease_until)
        .tuples()
        .execute(db.peewee)
    )
    return [ClaimedDeadLetter(DeadLetterRow(*row[:-1]), row[-1]) for row in sorted(rows)]


def leased(db: Db, criteria: DeadLetterFilter) -> tuple[int, float]:
    """Return how many of them are claimed, and in how many seconds the last of the claims runs out."""
    columns = (fn.count(DeadLetter.id), fn.max(DeadLetter.lease_until) - db.now)
    query = _filtered(DeadLetter.select(*columns), criteria).where(DeadLetter.lease_until >= db.now)
    ((number, seconds),) = query.tuples().execute(db.peewee)
    return int(number), float(seconds or 0.0)


def delete_replayed(db: Db, claimed: ClaimedDeadLetter) -> bool:
    """Delete a dead letter that was replayed, unless it was recorded anew meanwhile; return True if it was deleted."""
    return bool(DeadLetter.delete().where(_still_claimed(claimed)).execute(db.peewee))


def release(db: Db, claims: Iterable[ClaimedDeadLetter]) -> None:
    """Give back dead letters that were not replayed."""
    for claimed in claims:
        DeadLetter.update(lease_until=0).where(_still_claimed(claimed)).execute(db.peewee)


def _still_claimed(claimed: ClaimedDeadLetter) -> Any:
    return (DeadLetter.id == claimed.dead_letter.id) & (DeadLetter.lease_until == claimed.lease_until)


def _filtered(query: Any, criteria: DeadLetterFilter) -> Any:
    conditions = (
        (criteria.stage, DeadLetter.stage == criteria.stage),
        (criteria.origin, DeadLetter.origin == criteria.origin),
        (criteria.reason, DeadLetter.reason.contains(_escaped(criteria.reason or ""))),
        (criteria.since, DeadLetter.created_at >= criteria.since),
        (criteria.before, DeadLetter.created_at < criteria.before),
        (criteria.ids, DeadLetter.id.in_(criteria.ids or ())),
        (criteria.last_id, DeadLetter.id <= criteria.last_id),
    )
    for value, condition in conditions:
        if value is not None:
            query = query.where(condition)
    return query
