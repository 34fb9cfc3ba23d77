"""The strict envelope of messages on our queues: anything else is refused, with what is wrong and where.

Dramatiq trusts what it decodes: ``options: null`` stops a consumer, a wrong queue name kills a worker thread
(docs/dramatiq.md). So decoding validates everything, down to the stage's typed message.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Annotated, Any

import dramatiq
import msgspec
from dramatiq.common import q_name
from msgspec import UNSET, Meta, UnsetType

from overheard.errors import InvalidInput
from overheard.messages import Message
from overheard.stages import STAGES, Stage, recipient

ENVELOPE_MAX_BYTES = 4 * 1024 * 1024
MAX_DELAY_SECONDS = 300.0  # of a message on the bus; a longer wait is a due time in the database

Natural = Annotated[int, Meta(ge=0, le=2**53)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]


class Options(msgspec.Struct, forbid_unknown_fields=True):
    """The allowed options: Dramatiq's retries and eta, a reserved slot of a budget, and fields for the log.

    ``run`` is the same from the event to the last stage; ``workspace`` is the slug (or id) of the workspace served.
    ``traceback`` and ``requeue_timestamp`` are no longer sent, but retries and dead letters of earlier releases have
    them. A slot's time and key are two options because messages under way have them so.
    """

    retries: Natural | UnsetType = UNSET
    traceback: str | UnsetType = UNSET
    requeue_timestamp: Natural | UnsetType = UNSET
    eta: Natural | UnsetType = UNSET
    slot: float | UnsetType = UNSET
    slot_key: Name | UnsetType = UNSET
    run: Name | UnsetType = UNSET
    workspace: Name | Natural | UnsetType = UNSET

    def as_dict(self) -> dict[str, Any]:
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not UNSET}


class Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """Dramatiq's message on the wire."""

    queue_name: str
    actor_name: str
    args: tuple[msgspec.Raw]
    kwargs: Annotated[dict[str, msgspec.Raw], Meta(max_length=0)]  # we use none
    options: Options
    message_id: Name
    message_timestamp: Natural


class Payload:
    """A message as an actor's argument. Its repr is the type only, because Dramatiq logs arguments."""

    __slots__ = ("message",)

    def __init__(self, message: Message) -> None:
        self.message = message

    def __repr__(self) -> str:
        return f"<{type(self.message).__name__}>"


class StrictEncoder(dramatiq.Encoder):
    """Typed JSON. ``decode`` raises DecodeError for anything that this project did not write itself.

    ``stages`` add to the table in ``stages.py``, or override it.
    """

    def __init__(self, stages: Iterable[Stage] = ()) -> None:
        known = {**STAGES, **{stage.name: stage for stage in stages}}
        self._queues = {stage.queue: stage for stage in known.values()}
        self._encoder = msgspec.json.Encoder(enc_hook=_message_of)
        self._envelope = msgspec.json.Decoder(Envelope)
        self._payloads = {stage.queue: msgspec.json.Decoder(stage.takes) for stage in known.values()}

    def encode(self, data: dict[str, Any]) -> bytes:
        """Return the JSON. Raises InvalidInput if it is over 4 MiB."""
        body = self._encoder.encode(data)
        if len(body) > ENVELOPE_MAX_BYTES:
            raise InvalidInput(f"{data['actor_name']} message is {len(body)} bytes, the limit is {ENVELOPE_MAX_BYTES}")
        return body

    def decode(self, data: bytes) -> dict[str, Any]:
        if len(data) > ENVELOPE_MAX_BYTES:
            raise _refusal(f"{len(data)} bytes, the limit is {ENVELOPE_MAX_BYTES}", data)
        try:
            envelope = self._envelope.decode(data)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise _refusal(_error_text(error, "$"), data) from None
        stage = self._check(envelope, data)
        try:
            message = self._payloads[stage.queue].decode(envelope.args[0])
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise _refusal(_error_text(error, "$.args[0]"), data) from None
        return {
            "queue_name": envelope.queue_name,
            "actor_name": envelope.actor_name,
            "args": (Payload(message),),
            "kwargs": {},
            "options": envelope.options.as_dict(),
            "message_id": envelope.message_id,
            "message_timestamp": envelope.message_timestamp,
        }

    def _check(self, envelope: Envelope, data: bytes) -> Stage:
        name = envelope.queue_name
        stage = self._queues.get(name.removesuffix(".DQ"))
        if stage is None:
            raise _refusal(f"no stage has a queue {name[:80]!r} - at `$.queue_name`", data)
        if envelope.actor_name != stage.name:
            raise _refusal(f"want {stage.name!r}, got {envelope.actor_name[:80]!r} - at `$.actor_name`", data)
        # On the main queue Dramatiq would hold it unacknowledged until then, where each redelivery counts towards the
        # limit.
        if envelope.options.eta is not UNSET and not name.endswith(".DQ"):
            raise _refusal(f"only a message on {stage.queue}.DQ has one - at `$.options.eta`", data)
        return stage


def pack(
    message: Message,
    stage: Stage | None = None,
    *,
    message_id: str | None = None,
    options: dict[str, Any] | None = None,
) -> dramatiq.Message[Any]:
    """Return the message in an envelope for ``stage``, or for the first stage that takes it. Raises InvalidInput."""
    stage = stage or recipient(message, STAGES.values())
    return dramatiq.Message(
        queue_name=stage.queue,
        actor_name=stage.name,
        args=(Payload(message),),
        kwargs={},
        options=options or {},
        message_id=message_id or str(uuid.uuid4()),
    )


def problem(body: bytes, *, queue: str | None = None, encoder: StrictEncoder | None = None) -> str | None:
    """Return why ``body`` cannot be processed (from ``queue``, if given); None if it can."""
    try:
        fields = (encoder or StrictEncoder()).decode(body)
    except dramatiq.DecodeError as error:
        return str(error)
    if queue is not None and q_name(fields["queue_name"]) != q_name(queue):
        return f"addressed to {fields['queue_name']}, but found on {queue}"
    return None


def _message_of(value: object) -> Message:
    if isinstance(value, Payload):
        return value.message
    raise TypeError(f"{type(value).__name__} cannot be sent on the bus")


def _error_text(error: Exception, root: str) -> str:
    text = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    return text.replace("`$", f"`{root}") if "`$" in text else f"{text} - at `{root}`"


def _refusal(reason: str, data: bytes) -> Any:
    refusal: type[Any] = dramatiq.DecodeError  # untyped there
    return refusal(f"not an envelope of ours: {reason}", data, None)
