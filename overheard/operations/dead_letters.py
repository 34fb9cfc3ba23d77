"""Dead letters: moved from the bus to the table, counted by kind, and sent again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import msgspec

from overheard.bus.broker import open_broker
from overheard.bus.dead_letter_collector import collect
from overheard.bus.public_exchange import RabbitEvents
from overheard.bus.sender import Sender
from overheard.db import dead_letters
from overheard.db.database import Db
from overheard.db.dead_letters import DeadLetterFilter, DeadLetterRow, ReasonCount
from overheard.errors import Conflict, InvalidInput, NotFound, Unavailable
from overheard.process import RunningProcess
from overheard.stages import STAGES

CLAIMED = 20  # dead letters claimed at once: an event may be 4 MiB
DRAIN_SECONDS = 30.0
MEMORY = (
    "nothing can be replayed on memory://, the bus inside `overheard run`\n"
    "its ticks ask anew for what was left undone: mend the cause, then `overheard dead drop` them"
)
VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|\b\d+(?:\.\d+)?\b")

Send = Callable[[DeadLetterRow], object]


class DeadLetterKind(msgspec.Struct, frozen=True):
    """How many dead letters there are of a kind. What is not told apart is None."""

    stage: str | None
    origin: str | None
    reason: str | None
    count: int
    oldest_at: float
    newest_at: float


class DeadLetterReplay(msgspec.Struct):
    """What became of a replay. ``held``: how many another process is sending, for ``held_for`` seconds at most.

    ``stay``: how many were not sent, by reason; ``fault``: why it ended before its time.
    """

    sent: int = 0
    stay: Counter[str] = msgspec.field(default_factory=Counter)
    held: int = 0
    held_for: float = 0.0
    fault: str | None = None


def kinds(db: Db, which: DeadLetterFilter, by: str) -> list[DeadLetterKind]:
    """Count by "stage", "origin" or "reason", the largest first. Names and numbers in a reason make no kind."""
    found: dict[tuple[str | None, str | None, str | None], list[ReasonCount]] = {}
    for each in dead_letters.reasons(db, which):
        stage = None if by == "origin" else each.stage
        origin = None if by == "stage" else each.origin
        found.setdefault((stage, origin, _alike(each.reason) if by == "reason" else None), []).append(each)
    return sorted((_kind(key, group) for key, group in found.items()), key=lambda kind: -kind.count)


def _kind(key: tuple[str | None, str | None, str | None], group: Iterable[ReasonCount]) -> DeadLetterKind:
    counts, oldest, newest = zip(*((each.count, each.oldest_at, each.newest_at) for each in group), strict=True)
    return DeadLetterKind(*key, count=sum(counts), oldest_at=min(oldest), newest_at=max(newest))


def _alike(reason: str) -> str:
    """Return the reason without what differs from one to the next: ``no workspace 17`` → ``no workspace …``."""
    return VARYING.sub("…", reason)


def get(db: Db, id: int) -> DeadLetterRow:
    """Return one in full. Raises NotFound."""
    row = dead_letters.get(db, id)
    if row is None:
        raise _missing(id)
    return row


def _missing(id: int) -> NotFound:
    return NotFound(f"no dead letter {id}; `overheard dead list` lists them")


def gather(program: RunningProcess) -> str | None:
    """Move what the bus's dead-letter queues hold to the table; return what may still be there, and why.

    A copy that the bus still holds would come back as a dead letter of its own.
    """
    if not program.config.bus.embedded:
        try:
            collect(program.config.bus.address, STAGES.values(), program.record_collected, seconds=DRAIN_SECONDS)
        except Unavailable as error:
            return f"{error}: what its dead-letter queues still hold is listed later"
    return None


def as_they_are(db: Db, which: DeadLetterFilter) -> DeadLetterFilter:
    """Return the filter of exactly what is there now: what dies from now on is not in it. Raises NotFound for an ID."""
    if which.ids is None:
        return msgspec.structs.replace(which, last_id=dead_letters.last_id(db))
    there = {row.id for row in dead_letters.listing(db, which)}
    if missing := [number for number in which.ids if number not in there]:
        raise _missing(missing[0])
    return which


def require_replayable(program: RunningProcess) -> None:
    """Raise Conflict where nothing can be sent again."""
    if program.config.bus.embedded:
        raise Conflict(MEMORY)


def replay(program: RunningProcess, which: DeadLetterFilter, advance: Callable[[], object]) -> DeadLetterReplay:
    """Claim some, send each, forget it once RabbitMQ has it; ``advance`` is called after each.

    A crash in between sends a dead letter twice, with its id.
    """
    db, after_id, outcome = program.db, 0, DeadLetterReplay()
    with _sending(program) as send:
        while claims := dead_letters.claim(db, which, after_id=after_id, limit=CLAIMED):
            after_id = claims[-1].letter.id
            left = list(claims)
            try:
                for claimed in claims:
                    if _send_one(claimed.letter, send, outcome):
                        dead_letters.delete_replayed(db, claimed)
                        left.remove(claimed)
                    advance()
            except Unavailable as error:
                outcome.fault = str(error)
                return outcome
            finally:
                dead_letters.release(db, left)
    outcome.held, outcome.held_for = dead_letters.leased(db, which)
    return outcome


@contextmanager
def _sending(program: RunningProcess) -> Iterator[Send]:
    url = program.config.bus.address
    broker = open_broker(
        url, stages=STAGES.values(), metrics=program.metrics, record_dead=program.record_dead, name="dead replay"
    )
    sender, events = Sender(broker), RabbitEvents(url, name="dead replay")

    def send(letter: DeadLetterRow) -> None:
        body = letter.body.encode()
        if letter.origin != "rejected":
            sender.replay(body)
        elif letter.routing_key is None:
            raise InvalidInput("it is an event whose type was not kept; publish it anew, then drop this")
        else:
            events.replay(letter.routing_key, body, letter.message_id)

    try:
        yield send
    finally:
        events.close()
        broker.close()


def _send_one(letter: DeadLetterRow, send: Send, outcome: DeadLetterReplay) -> bool:
    try:
        send(letter)
    except InvalidInput as error:
        again = "it would be refused again: " if letter.origin == "rejected" else ""
        outcome.stay[_alike(f"{again}{error}")] += 1
        return False
    outcome.sent += 1
    return True
