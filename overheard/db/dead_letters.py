"""Dead letters: what could not be done, kept with its reason until somebody looks at it."""

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

REPLAY_LEASE_SECONDS = (
    300.0  # seconds that somebody may take to send a few again; longer than RabbitMQ may hold up a publisher
)
PAGE_ROWS = 500  # rows of one DELETE, or one page of a listing


class DeadLetterSummary(msgspec.Struct, frozen=True):
    """``origin``: nack (a stage gave up), xq (found in a dead-letter queue), rejected (a public event was refused).

    ``routing_key`` is the type of a refused event; None where it is not known.
    """

    id: int
    message_id: str
    stage: str
    origin: str
    reason: str
    created_at: float
    routing_key: str | None


class DeadLetterRow(DeadLetterSummary, frozen=True):
    """One in full: the body of a refused event may be megabytes."""

    traceback: str | None
    body: str


class DeadLetterFilter(msgspec.Struct, frozen=True):
    """Which dead letters: those to which all of this applies. Times are seconds since the epoch.

    ``reason`` is a part of theirs, in any case; ``ids`` None is any; ``last_id`` leaves out what came later.
    """

    stage: str | None = None
    origin: str | None = None
    reason: str | None = None
    since: float | None = None
    before: float | None = None
    ids: tuple[int, ...] | None = None
    last_id: int | None = None


class ReasonCount(msgspec.Struct, frozen=True):
    """How many there are of a kind, and when the first and the last of them died."""

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
    """A dead letter to be kept, at ``now``."""

    message_id: str
    stage: str
    origin: str
    reason: str
    traceback: str | None
    body: str
    now: float
    routing_key: str | None = None


def record(db: Db, **fields: Any) -> None:
    """Keep a dead letter, with the fields of ``NewDeadLetter``. One a (message, stage).

    One that dies anew while somebody sends it again is a new one: it loses its lease, and so is not taken for sent.
    """
    letter = NewDeadLetter(**fields)
    _record(db, letter, found=letter.origin == "xq")


def record_found(db: Db, letters: Sequence[NewDeadLetter]) -> None:
    """Keep many that were found on the bus: they add nothing to what is there, as who saw them die said more."""
    with db.transaction():
        for letter in letters:
            _record(db, letter, found=True)


def _record(db: Db, letter: NewDeadLetter, *, found: bool) -> None:
    with db.transaction():
        row = _row(letter)
        if not _kept(db, row, found=found):
            # Another event of the same id: publishers may name theirs as they like, and nothing must be lost by it.
            row["message_id"] = hashlib.sha256(letter.body.encode("utf-8", "backslashreplace")).hexdigest()
            _kept(db, row, found=found)


def _row(letter: NewDeadLetter) -> dict[str, Any]:
    values = msgspec.structs.asdict(letter)
    row = {name: _storable(value) if isinstance(value, str) else value for name, value in values.items()}
    created_at = row.pop("now")
    return {**row, "created_at": created_at, "lease_until": 0.0}


def _kept(db: Db, row: dict[str, Any], *, found: bool) -> bool:
    """Whether the letter is in the table now: not when another event has its place."""
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


def _storable(text: str) -> str:
    """PostgreSQL stores no NUL, and neither database half a surrogate pair."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def listing(db: Db, which: DeadLetterFilter = ALL, *, limit: int | None = None) -> Iterator[DeadLetterSummary]:
    """The dead letters, newest first."""
    return islice(_newest_first(db, which), limit)


def _newest_first(db: Db, which: DeadLetterFilter) -> Iterator[DeadLetterSummary]:
    """In pages, as there may be very many after a bad night."""
    query = _chosen(DeadLetter.select(*SUMMARY_COLUMNS), which).order_by(DeadLetter.id.desc()).limit(PAGE_ROWS)
    below = sys.maxsize
    while rows := list(query.where(DeadLetter.id < below).tuples().execute(db.peewee)):
        yield from (DeadLetterSummary(*row) for row in rows)
        below = rows[-1][0]


def get(db: Db, letter_id: int) -> DeadLetterRow | None:
    """One dead letter in full, or None."""
    row = DeadLetter.select(*COLUMNS).where(DeadLetter.id == letter_id).tuples().first(db.peewee)
    return DeadLetterRow(*row) if row else None


def count(db: Db, which: DeadLetterFilter = ALL) -> int:
    """How many there are."""
    return int(_chosen(DeadLetter.select(fn.count(DeadLetter.id)), which).scalar(db.peewee))


def mentioning_workspace(db: Db, workspace_id: int, slug: str, channels: Iterable[int]) -> list[int]:
    """Return the ids of the dead letters that name a workspace, as a message or as a refused event, or its channels.

    Messages of ours are stored as our encoder writes them; events name the workspace by its slug.
    """
    ids = [("workspace_id", workspace_id), ("workspace", workspace_id), *(("channel_id", each) for each in channels)]
    texts = [f'"{slug}"', *(f'"{name}":{each}{end}' for name, each in ids for end in ",}")]
    # Each by itself: one condition of them all would be too deep for SQLite where there are very many channels.
    queries = (DeadLetter.select(DeadLetter.id).where(db.contains(DeadLetter.body, text)) for text in texts)
    return sorted({letter_id for query in queries for (letter_id,) in query.tuples().execute(db.peewee)})


def last_id(db: Db) -> int:
    """The newest one's id; 0 when there is none."""
    return int(DeadLetter.select(fn.max(DeadLetter.id)).scalar(db.peewee) or 0)


def reasons(db: Db, which: DeadLetterFilter = ALL) -> list[ReasonCount]:
    """How many of each (stage, origin, reason), the commonest first."""
    number, kind = fn.count(DeadLetter.id), (DeadLetter.stage, DeadLetter.origin, DeadLetter.reason)
    times = (fn.min(DeadLetter.created_at), fn.max(DeadLetter.created_at))
    query = _chosen(DeadLetter.select(*kind, number, *times), which).group_by(*kind).order_by(number.desc(), *kind)
    return [ReasonCount(*row) for row in query.tuples().execute(db.peewee)]


def drop(db: Db, which: DeadLetterFilter) -> int:
    """Forget them; returns how many. In batches, so that no lock is held for long."""
    gone, some = 0, _chosen(DeadLetter.select(DeadLetter.id), which).order_by(DeadLetter.id).limit(PAGE_ROWS)
    while batch := int(DeadLetter.delete().where(DeadLetter.id.in_(some)).execute(db.peewee)):
        gone += batch
    return gone


class ClaimedDeadLetter(msgspec.Struct, frozen=True):
    """A dead letter that is ours to send again, until ``lease_until``."""

    letter: DeadLetterRow
    lease_until: float


def claim(db: Db, which: DeadLetterFilter, *, after_id: int, limit: int) -> list[ClaimedDeadLetter]:
    """Claim up to ``limit`` of them with ids above ``after_id``, by id. Of two claimers one gets each."""
    free = DeadLetter.lease_until < db.now
    some = _chosen(DeadLetter.select(DeadLetter.id), which).where(DeadLetter.id > after_id, free)
    rows = (
        DeadLetter.update(lease_until=db.now + REPLAY_LEASE_SECONDS)
        .where(DeadLetter.id.in_(some.order_by(DeadLetter.id).limit(limit)), free)
        .returning(*COLUMNS, DeadLetter.lease_until)
        .tuples()
        .execute(db.peewee)
    )
    return [ClaimedDeadLetter(DeadLetterRow(*row[:-1]), row[-1]) for row in sorted(rows)]


def leased(db: Db, which: DeadLetterFilter) -> tuple[int, float]:
    """How many of them somebody has claimed, and in how many seconds the last of the claims runs out."""
    columns = (fn.count(DeadLetter.id), fn.max(DeadLetter.lease_until) - db.now)
    query = _chosen(DeadLetter.select(*columns), which).where(DeadLetter.lease_until >= db.now)
    ((number, seconds),) = query.tuples().execute(db.peewee)
    return int(number), float(seconds or 0.0)


def delete_replayed(db: Db, claimed: ClaimedDeadLetter) -> bool:
    """It was sent again: forget it, unless it has died anew meanwhile; says whether it went."""
    return bool(DeadLetter.delete().where(_ours(claimed)).execute(db.peewee))


def release(db: Db, claims: Iterable[ClaimedDeadLetter]) -> None:
    """Give back what was not sent."""
    for claimed in claims:
        DeadLetter.update(lease_until=0).where(_ours(claimed)).execute(db.peewee)


def _ours(claimed: ClaimedDeadLetter) -> Any:
    return (DeadLetter.id == claimed.letter.id) & (DeadLetter.lease_until == claimed.lease_until)


def _chosen(query: Any, which: DeadLetterFilter) -> Any:
    conditions = (
        (which.stage, DeadLetter.stage == which.stage),
        (which.origin, DeadLetter.origin == which.origin),
        (which.reason, DeadLetter.reason.contains(_storable(which.reason or ""))),
        (which.since, DeadLetter.created_at >= which.since),
        (which.before, DeadLetter.created_at < which.before),
        (which.ids, DeadLetter.id.in_(which.ids or ())),
        (which.last_id, DeadLetter.id <= which.last_id),
    )
    for given, condition in conditions:
        if given is not None:
            query = query.where(condition)
    return query
