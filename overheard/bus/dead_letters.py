"""Dead letters: messages that were given up, each with its reason.

RabbitMQ keeps each one in its queue's ``.XQ`` for seven days and then discards it; the table keeps them for people. A
message that fails in a worker is recorded at once (``DeadLetters``); one that no worker could decode is recorded by
``dead_letter_collector.py``. Both may see the same one: the recorder ignores a known (message_id, stage).

No text of an item is stored in a dead letter, and none is lost: a parked part of a poll is read again from the cursor.
``redacted_body`` decides what is stored of a body; reasons and tracebacks hold only our own texts (``error_fields``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Literal

import dramatiq
import msgspec
from dramatiq.common import xq_name
from dramatiq.middleware import Middleware

from overheard.bus.envelope import ENVELOPE_MAX_BYTES, StrictEncoder
from overheard.bus.republishing import result_of
from overheard.error_fields import safe_text
from overheard.messages import ItemsFetched, ItemsMatched, MatchedItem
from overheard.observability.log import get_logger

# Stored in place of a body.
OMITTED_READ_AGAIN = "its items are read again by the next reading: drop it"
OMITTED_FOREIGN = "it was never a message of ours: find out who publishes it, then drop it"

log = get_logger(__name__)


class DeadLetterRecord(msgspec.Struct, frozen=True):
    """A dead letter to record.

    ``body`` is the envelope as it was delivered, or the body of a rejected event; ``queue`` is where it was parked.
    ``message_id`` is a hash of the body if that has no id; ``routing_key`` is a rejected event's type.
    """

    message_id: str
    stage: str
    queue: str
    body: bytes
    reason: str
    traceback: str
    origin: Literal["nack", "xq", "rejected"]
    routing_key: str | None = None


class OmittedBody(msgspec.Struct, frozen=True):
    """The common part of all stored bodies that are not the message itself; ``not_kept`` says why."""

    not_kept: str


_OMITTED_BODY = msgspec.json.Decoder(OmittedBody)


def body_hash(body: bytes) -> str:
    """Return an id for a body that has none."""
    return hashlib.sha256(body).hexdigest()


def truncated(body: bytes) -> bytes:
    """Return the part of a rejected event's body to keep: RabbitMQ accepts much larger ones than our limit."""
    return body[:ENVELOPE_MAX_BYTES]


def redacted_body(dead_letter: DeadLetterRecord) -> bytes:
    """Return what is stored of the body, by the type of its message. Pure.

    A rejected event holds no item and is stored as it came. A message of ids is stored whole and can be replayed. Of a
    message of items, the ids of the items and of the poll are stored. A body that cannot be decoded may hold anything:
    only its size and hash are stored.
    """
    if dead_letter.origin == "rejected":
        return dead_letter.body
    encoder = StrictEncoder()
    try:
        fields = encoder.decode(dead_letter.body)
    except dramatiq.DecodeError:
        return msgspec.json.encode(
            {"not_kept": OMITTED_FOREIGN, "size": len(dead_letter.body), "sha256": body_hash(dead_letter.body)}
        )
    message = fields["args"][0].message
    if isinstance(message, ItemsFetched | ItemsMatched):
        ids = {"not_kept": OMITTED_READ_AGAIN, "message_id": fields["message_id"]}
        return msgspec.json.encode(ids | _without_texts(message))
    fields["options"].pop("traceback", None)  # the dead letter has a field of its own for it
    return encoder.encode(fields)


def _without_texts(message: ItemsFetched | ItemsMatched) -> dict[str, Any]:
    items = [entry.item if isinstance(entry, MatchedItem) else entry for entry in message.items]
    groups = [target.group_id for target in message.part.targets]
    return {**message.log_fields, "groups": groups, "names": [item.id for item in items]}


def why_not_kept(body: bytes) -> str | None:
    """Return why a stored body is not the message itself; None if it is."""
    try:
        return _OMITTED_BODY.decode(body).not_kept
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


RecordAll = Callable[[Sequence[DeadLetterRecord]], None]


class DeadLetters(Middleware):
    """Records each rejected message. If that fails, the message is still in ``.XQ``."""

    def __init__(self, record: RecordAll) -> None:
        self._record = record

    def after_nack(self, broker: dramatiq.Broker, message: Any) -> None:
        try:
            self._record([dead_letter_of(message)])
        except Exception as error:  # any error of the recorder: the collector finds the message in .XQ
            log.error("dead letter not recorded", queue=message.queue_name, exc_info=error)


def dead_letter_of(message: Any) -> DeadLetterRecord:
    """Return the dead letter of a message that failed in a worker."""
    result, error = result_of(message), message._exception
    reason = result.reason if result else safe_text(error) if error else "rejected without a reason"
    return DeadLetterRecord(
        message_id=message.message_id,
        stage=message.actor_name,
        queue=xq_name(message.queue_name),
        body=message.encode(),
        reason=reason,
        traceback=result.traceback if result else "",
        origin="nack",
    )
