"""Replay of dead letters: claimed in batches, sent again, and deleted once RabbitMQ has confirmed them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from overheard.bus.broker import open_broker
from overheard.bus.public_exchange import RabbitEvents
from overheard.bus.sender import Sender
from overheard.db import dead_letters
from overheard.db.dead_letters import DeadLetterFilter, DeadLetterRow
from overheard.errors import Conflict, InvalidInput, Unavailable
from overheard.operations.dead_letters import normalized_reason
from overheard.process import RunningProcess
from overheard.stages import STAGES

CLAIM_BATCH = 20  # small, as each may be an event of up to 4 MiB
MEMORY_BUS_MESSAGE = (
    "nothing can be replayed on memory://, the bus inside `overheard run`\n"
    "unfinished work is requested again by its ticks: fix the cause, then `overheard dead-letters drop` them"
)

Send = Callable[[DeadLetterRow], object]


class DeadLetterReplay(msgspec.Struct):
    """The result of a replay.

    ``unsent`` counts the rejected ones by reason; ``leased`` are those that another process is sending, for at most
    ``lease_seconds`` more; ``error`` is why the replay ended early.
    """

    sent: int = 0
    unsent: Counter[str] = msgspec.field(default_factory=Counter)
    leased: int = 0
    lease_seconds: float = 0.0
    error: str | None = None


def require_replayable(running: RunningProcess) -> None:
    """Raise Conflict if there is no bus that a replay could send on."""
    if running.config.bus.embedded:
        raise Conflict(MEMORY_BUS_MESSAGE)


def replay(running: RunningProcess, which: DeadLetterFilter, advance: Callable[[], object]) -> DeadLetterReplay:
    """Send dead letters again; call ``advance`` after each.

    1. Claim a batch.
    2. Send each, and delete it once RabbitMQ has confirmed it. A crash in between sends it twice, with the same id.
    3. Release the leases of those that could not be sent.
    """
    db, after_id, outcome = running.db, 0, DeadLetterReplay()
    with _sending(running) as send:
        while claims := dead_letters.claim(db, which, after_id=after_id, limit=CLAIM_BATCH):
            # Step 3 releases the unsent ones: without this bound, the next batch would claim them again, without end.
            after_id = claims[-1].dead_letter.id
            # What is left in it is released below, also after an error: else it would stay leased.
            remaining = list(claims)
            try:
                for claimed in claims:
                    if _send_one(claimed.dead_letter, send, outcome):
                        dead_letters.delete_replayed(db, claimed)
                        remaining.remove(claimed)
                    advance()
            except Unavailable as error:
                # Returned instead of raised: the counts of what was sent until then must reach the user.
                outcome.error = str(error)
                return outcome
            finally:
                dead_letters.release(db, remaining)
    outcome.leased, outcome.lease_seconds = dead_letters.leased(db, which)
    return outcome


@contextmanager
def _sending(running: RunningProcess) -> Iterator[Send]:
    url = running.config.bus.address
    broker = open_broker(
        url,
        stages=STAGES.values(),
        metrics=running.metrics,
        record_dead=running.record_dead,
        name="dead-letters replay",
    )
    sender, events = Sender(broker), RabbitEvents(url, name="dead-letters replay")

    def send(row: DeadLetterRow) -> None:
        body = row.body.encode()
        # A rejected event never became a message of a stage: it has to enter by the public exchange again.
        if row.origin != "rejected":
            sender.replay(body)
        elif row.routing_key is None:
            raise InvalidInput("it is an event whose type was not recorded; publish it again, then drop this one")
        else:
            events.replay(row.routing_key, body, row.message_id)

    try:
        yield send
    finally:
        events.close()
        broker.close()


def _send_one(row: DeadLetterRow, send: Send, outcome: DeadLetterReplay) -> bool:
    try:
        send(row)
    except InvalidInput as error:
        prefix = "it would be rejected again: " if row.origin == "rejected" else ""
        outcome.unsent[normalized_reason(f"{prefix}{error}")] += 1
        return False
    outcome.sent += 1
    return True
