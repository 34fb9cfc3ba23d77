"""Dead letters: moved from the bus to the database, looked up, and counted by kind."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from overheard.bus.dead_letter_collector import collect
from overheard.db import dead_letters
from overheard.db.database import Db
from overheard.db.dead_letters import DeadLetterFilter, DeadLetterRow, ReasonCount
from overheard.errors import NotFound, Unavailable
from overheard.process import RunningProcess
from overheard.stages import STAGES

# A command waits for it; what is left is collected by the next ticks. Chosen, not measured.
DRAIN_SECONDS = 30.0
VARIABLE_PARTS = re.compile(r"'[^']*'|\"[^\"]*\"|\b\d+(?:\.\d+)?\b")


class DeadLetterKind(msgspec.Struct, frozen=True):
    """The number of dead letters of one kind. A field that does not distinguish the kinds is None."""

    stage: str | None
    origin: str | None
    reason: str | None
    count: int
    oldest_at: float
    newest_at: float


def count_kinds(db: Db, which: DeadLetterFilter, by: str) -> list[DeadLetterKind]:
    """Count by "stage", "origin" or "reason", largest first. Reasons that differ only in names or numbers are one."""
    groups: dict[tuple[str | None, str | None, str | None], list[ReasonCount]] = {}
    for row in dead_letters.reasons(db, which):
        stage = None if by == "origin" else row.stage
        origin = None if by == "stage" else row.origin
        reason = normalized_reason(row.reason) if by == "reason" else None
        groups.setdefault((stage, origin, reason), []).append(row)
    return sorted((_kind(key, group) for key, group in groups.items()), key=lambda kind: -kind.count)


def _kind(key: tuple[str | None, str | None, str | None], group: Iterable[ReasonCount]) -> DeadLetterKind:
    counts, oldest, newest = zip(*((row.count, row.oldest_at, row.newest_at) for row in group), strict=True)
    return DeadLetterKind(*key, count=sum(counts), oldest_at=min(oldest), newest_at=max(newest))


def normalized_reason(reason: str) -> str:
    """Return the reason without its names and numbers: ``no workspace 17`` → ``no workspace …``."""
    return VARIABLE_PARTS.sub("…", reason)


def get(db: Db, id: int) -> DeadLetterRow:
    """Return a dead letter in full. Raises NotFound."""
    row = dead_letters.get(db, id)
    if row is None:
        raise _missing(id)
    return row


def _missing(id: int) -> NotFound:
    return NotFound(f"no dead letter {id}; `overheard dead-letters list` lists them")


def drain_bus(running: RunningProcess) -> str | None:
    """Move dead letters from the bus's dead-letter queues to the database; return why some may remain, or None.

    A copy that stayed on the bus would be recorded as a new dead letter after its replay.
    """
    if not running.config.bus.embedded:
        try:
            collect(running.config.bus.address, STAGES.values(), running.record_collected, seconds=DRAIN_SECONDS)
        except Unavailable as error:
            return f"{error}: dead letters still in its queues will be listed later"
    return None


def frozen(db: Db, which: DeadLetterFilter) -> DeadLetterFilter:
    """Return a filter of what matches now, without later arrivals. Raises NotFound for a missing ID."""
    if which.ids is None:
        # What arrives while the user reads and confirms must not be dropped or sent unseen.
        return msgspec.structs.replace(which, last_id=dead_letters.last_id(db))
    existing = {row.id for row in dead_letters.listing(db, which)}
    if missing := [number for number in which.ids if number not in existing]:
        raise _missing(missing[0])
    return which
