"""Dead letters: what was given up, with its reason.

RabbitMQ keeps every one in its queue's ``.XQ`` for seven days, silently; here they are recorded for people. A message
that fails in a worker is recorded at once (``DeadLetters``); what no worker could even decode is found by
``dead_letter_collector.py``. Both may see the same letter: the recorder ignores a (message_id, stage) that it has.

No text of an item gets into a dead letter: a part of a poll that is parked is read again from the cursor.
``redacted_body`` says what is stored of a body; reasons and tracebacks hold only our own words (``error_fields``).
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
from overheard.bus.republishing import ending_of
from overheard.error_fields import safe_text
from overheard.messages import ItemsFetched, ItemsMatched, MatchedItem
from overheard.observability.log import get_logger

# Why a body is not kept, in place of it.
OMITTED_READ_AGAIN = "its items are read again by the next reading: drop it"
OMITTED_FOREIGN = "it was never a message of ours: find out who publishes it, then drop it"

log = get_logger(__name__)


class DeadLetterRecord(msgspec.Struct, frozen=True):
    """``body`` is the envelope as it was delivered (an event's body when rejected); ``queue`` where it was parked.

    ``message_id`` is a hash of the body where that has none; ``routing_key`` a refused event's type.
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
    """The part that all stored bodies have in common that are not the message itself: ``not_kept`` says why."""

    not_kept: str


def digest(body: bytes) -> str:
    """Return what names a body that has no id of its own."""
    return hashlib.sha256(body).hexdigest()


def truncated(body: bytes) -> bytes:
    """Return what is kept of a refused event: RabbitMQ takes much larger ones than any of ours."""
    return body[:ENVELOPE_MAX_BYTES]


def redacted_body(letter: DeadLetterRecord) -> bytes:
    """Return what is stored of the body, decided by the type of its message. Pure.

    A refused event holds no item and is kept as it came; a message of ids is kept whole and can be replayed. Of a
    message of items their ids and the poll's are kept. What cannot be decoded may hold anything: of it nothing is.
    """
    if letter.origin == "rejected":
        return letter.body
    encoder = StrictEncoder()
    try:
        fields = encoder.decode(letter.body)
    except dramatiq.DecodeError:
        return msgspec.json.encode(
            {"not_kept": OMITTED_FOREIGN, "size": len(letter.body), "sha256": digest(letter.body)}
        )
    message = fields["args"][0].message
    if isinstance(message, ItemsFetched | ItemsMatched):
        ids = {"not_kept": OMITTED_READ_AGAIN, "message_id": fields["message_id"]}
        return msgspec.json.encode(ids | _without_texts(message))
    fields["options"].pop("traceback", None)  # the letter has its own
    return encoder.encode(fields)


def _without_texts(message: ItemsFetched | ItemsMatched) -> dict[str, Any]:
    items = [entry.item if isinstance(entry, MatchedItem) else entry for entry in message.items]
    groups = [target.group_id for target in message.part.targets]
    return {**message.gist, "groups": groups, "names": [item.id for item in items]}


def why_not_kept(body: bytes) -> str | None:
    """Return why a stored body is not the message itself; None when it is."""
    try:
        return msgspec.json.decode(body, type=OmittedBody).not_kept
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


RecordAll = Callable[[Sequence[DeadLetterRecord]], None]


class DeadLetters(Middleware):
    """Records each message that is rejected. When that fails the message is still in ``.XQ``."""

    def __init__(self, record: RecordAll) -> None:
        self._record = record

    def after_nack(self, broker: dramatiq.Broker, message: Any) -> None:
        try:
            self._record([dead_letter_of(message)])
        except Exception as error:  # whatever the recorder may raise
            log.error("dead letter not recorded", queue=message.queue_name, exc_info=error)


def dead_letter_of(message: Any) -> DeadLetterRecord:
    """The dead letter of a message that failed in a worker."""
    ending, error = ending_of(message), message._exception
    reason = ending.reason if ending else safe_text(error) if error else "rejected without a reason"
    return DeadLetterRecord(
        message_id=message.message_id,
        stage=message.actor_name,
        queue=xq_name(message.queue_name),
        body=message.encode(),
        reason=reason,
        traceback=ending.traceback if ending else "",
        origin="nack",
    )
