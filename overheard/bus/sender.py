"""Sending a stage its message."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import dramatiq
import msgspec

from overheard.bus.broker import Broker
from overheard.bus.dead_letters import why_not_kept
from overheard.bus.envelope import MAX_DELAY_SECONDS, Payload, StrictEncoder, pack
from overheard.errors import InvalidInput
from overheard.messages import Message
from overheard.observability.log import PROPAGATED_FIELDS, bound, propagated
from overheard.sending import Send
from overheard.stages import STAGES, Stage, recipient


class OutgoingMessage(msgspec.Struct, frozen=True):
    """A message to be sent together with others. ``told``: what it takes along of the work that sends it."""

    message: Message
    message_id: str
    told: dict[str, Any]


class Sender:
    """Sends on a broker of ours, as the table says. Thread-safe."""

    def __init__(self, broker: Broker, table: Iterable[Stage] = STAGES.values()) -> None:
        self._broker = broker
        self._table = tuple(table)

    def send(self, message: Message, *, delay: float | None = None, message_id: str | None = None) -> str:
        """Send to the stage of this message, ``delay`` seconds (≤ 300) from now; the message's id.

        Returns when the bus has it. Raises Unavailable when it cannot be reached, InvalidInput when too large.
        """
        return self._send(message, recipient(message, self._table), delay, message_id)

    def of_stage(self, name: str) -> Send:
        """What a stage is given to send with."""

        def send(message: Message, *, delay: float | None = None) -> str:
            return self._send(message, recipient(message, self._table, name), delay)

        return send

    def _send(self, message: Message, stage: Stage, delay: float | None, message_id: str | None = None) -> str:
        if delay is not None and not 0 <= delay <= MAX_DELAY_SECONDS:
            raise InvalidInput(f"delay of {delay} s: the bus delays up to {MAX_DELAY_SECONDS:g} s")
        envelope = pack(message, stage, message_id=message_id, options=propagated())
        self._broker.enqueue(envelope, delay=None if delay is None else math.ceil(delay * 1000))
        return envelope.message_id

    def send_all(self, parcels: Sequence[OutgoingMessage]) -> None:
        """Returns when the bus has them all. Raises as ``send`` does: then it has some of them at most."""
        if parcels:
            envelopes = [
                pack(each.message, recipient(each.message, self._table), message_id=each.message_id, options=each.told)
                for each in parcels
            ]
            self._broker.enqueue_all(envelopes)

    def replay(self, body: bytes) -> str:
        """Send a dead letter again, as new: no retries used, no slot held; its id is kept.

        Raises InvalidInput for a body that was not kept, or cannot be read.
        """
        if why := why_not_kept(body):
            raise InvalidInput(f"nothing to replay: {why}")
        try:
            fields = StrictEncoder(self._table).decode(body)
        except dramatiq.DecodeError as error:
            raise InvalidInput(f"cannot be replayed: {error}") from None
        payload: Payload = fields["args"][0]
        with bound(**{name: fields["options"][name] for name in PROPAGATED_FIELDS if name in fields["options"]}):
            stage = next(stage for stage in (*self._table, *STAGES.values()) if stage.name == fields["actor_name"])
            return self._send(payload.message, stage, None, fields["message_id"])
