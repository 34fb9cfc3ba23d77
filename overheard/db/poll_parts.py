"""The stored parts of polls. When all parts of one are stored, its cursors and gaps move (I2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from peewee import fn

from overheard.db import cursors, gap_filling
from overheard.db.compiled import compiled, inserted
from overheard.db.database import Db
from overheard.db.models import Poll, StoredPart
from overheard.messages import NumbersRead, PollPart, PollTarget

UNKNOWN_START = 0.0  # of a poll whose row is gone: it makes no feed fresh
_TARGETS = msgspec.json.Decoder(list[PollTarget])
_NUMBERS = msgspec.json.Decoder(NumbersRead | None)


def started_at(db: Db, poll: str) -> float:
    """Return when a poll began; 0 if its row is gone."""
    row = list(_started(db, poll=poll))
    return float(row[0][0]) if row else UNKNOWN_START


@compiled
def _started(db: Db, poll: Any) -> Any:
    return Poll.select(Poll.started_at).where(Poll.id == poll)


def record(db: Db, part: PollPart, now: float) -> tuple[list[tuple[str, str]], Mapping[str, int]]:
    """Record the part. If it ends its poll, return the gaps (source, reason) that it leaves, and how many it fills."""
    # Lock the poll's row first: two workers that store its last two parts at once would each see the other's part
    # missing, and neither would finish the poll.
    key = {"poll": part.poll, "unknown": UNKNOWN_START}
    if part.parts is None:
        [row] = _touch_poll(db, **key)
    else:
        targets, numbers = (msgspec.json.encode(each).decode() for each in (part.targets, part.numbers))
        [row] = _end_poll(db, **key, parts=part.parts, targets=targets, numbers=numbers)
    started_at, parts, targets, numbers, finished_at = row
    _add_part(db, rows=[{"poll": part.poll, "part": part.part, "pieces": part.pieces, "piece": part.piece}])
    if parts is None or finished_at is not None:
        return [], {}
    # A part that was matched twice may have been cut into different pieces each time.
    if len(set(_whole_parts(db, poll=part.poll, parts=parts))) < parts:
        return [], {}
    gaps = cursors.advance(db, part.poll, started_at, _TARGETS.decode(targets), now)
    read = _NUMBERS.decode(numbers) if numbers is not None else None  # a poll from before there was such a column
    filled = {read.source: gap_filling.advance(db, part.poll, read, now)} if read is not None else {}
    _finish_poll(db, poll=part.poll, now=now)
    return gaps, filled


POLL = (Poll.started_at, Poll.parts, Poll.targets, Poll.numbers, Poll.finished_at)


@compiled
def _touch_poll(db: Db, poll: Any, unknown: Any) -> Any:
    same = {Poll.started_at: Poll.started_at}  # an update, for its lock; a poll that was released gets a new row
    return Poll.insert(id=poll, started_at=unknown).on_conflict(conflict_target=[Poll.id], update=same).returning(*POLL)


@compiled
def _end_poll(db: Db, poll: Any, unknown: Any, parts: Any, targets: Any, numbers: Any) -> Any:
    last = {"parts": parts, "targets": targets, "numbers": numbers}
    made = Poll.insert(id=poll, started_at=unknown, **last)
    return made.on_conflict(conflict_target=[Poll.id], update=last).returning(*POLL)


@compiled
def _add_part(db: Db, rows: Any) -> Any:
    return inserted(StoredPart, rows).on_conflict_ignore()


@compiled
def _finish_poll(db: Db, poll: Any, now: Any) -> Any:
    # Nothing reads its targets any more. They may name thousands of feeds, every few seconds, and the row stays a day.
    return Poll.update(finished_at=now, targets=None).where(Poll.id == poll)


@compiled
def _whole_parts(db: Db, poll: Any, parts: Any) -> Any:
    return (
        StoredPart.select(StoredPart.part)
        .where(StoredPart.poll == poll, StoredPart.part < parts, StoredPart.piece < StoredPart.pieces)
        .group_by(StoredPart.part, StoredPart.pieces)
        .having(fn.count(StoredPart.piece) == StoredPart.pieces)
    )
