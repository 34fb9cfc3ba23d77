"""Send messages to the stages that take them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import dramatiq

from overheard.bus.broker import Broker
from overheard.bus.dead_letters import why_not_kept
from overheard.bus.envelope import MAX_DELAY_SECONDS, Payload, StrictEncoder, pack
from overheard.errors import InvalidInput
from overheard.messages import Message
from overheard.observability.log import PROPAGATED_FIELDS, bound, propagated
from overheard.sending import OutgoingMessage, Send
from overheard.stages import STAGES, Stage, recipient


class Sender:
    """Sends messages to the stages of ``table``. Thread-safe."""

    def __init__(self, broker: Broker, table: Iterable[Stage] = STAGES.values()) -> None:
        self._broker = broker
        self._table = tuple(table)

    def send(self, message: Message, *, delay: float | None = None, message_id: str | None = None) -> str:
        """Send a message to the stage that takes it, with a ``delay`` of up to 300 seconds; return its id.

        Returns when the send is confirmed. Raises Unavailable, or InvalidInput if the message is too large.
        """
        return self._send(message, recipient(message, self._table), delay, message_id)

    def for_stage(self, name: str) -> Send:
        """Return the function with which the stage ``name`` sends: the table says to which stages it may."""

        def send(message: Message, *, delay: float | None = None) -> str:
            return self._send(message, recipient(message, self._table, name), delay)

        return send

    def _send(self, message: Message, stage: Stage, delay: float | None, message_id: str | None = None) -> str:
        if delay is not None and not 0 <= delay <= MAX_DELAY_SECONDS:
            raise InvalidInput(f"delay of {delay} s: the bus delays up to {MAX_DELAY_SECONDS:g} s")
        envelope = pack(message, stage, message_id=message_id, options=propagated())
        self._broker.enqueue(envelope, delay=None if delay is None else math.ceil(delay * 1000))
        return envelope.message_id

    def send_all(self, messages: Sequence[OutgoingMessage], sender: str | None = None) -> None:
        """Send the messages together, from the stage ``sender`` or from elsewhere, and wait until all are confirmed.

        Raises as ``send`` does; any part of them may be sent then.
        """
        if messages:
            envelopes = [
                pack(
                    outgoing.message,
                    recipient(outgoing.message, self._table, sender),
                    message_id=outgoing.message_id,
                    options=dict(outgoing.log_context),
                )
                for outgoing in messages
            ]
            self._broker.enqueue_all(envelopes)

    def replay(self, body: bytes) -> str:
        """Send a dead letter's message again under its own id, with no retries used and no slot held.

        Raises InvalidInput for a body that was not stored or cannot be decoded.
        """
        if reason := why_not_kept(body):
            raise InvalidInput(f"nothing to replay: {reason}")
        try:
            fields = StrictEncoder(self._table).decode(body)
        except dramatiq.DecodeError as error:
            raise InvalidInput(f"cannot be replayed: {error}") from None
        payload: Payload = fields["args"][0]
        with bound(**{name: fields["options"][name] for name in PROPAGATED_FIELDS if name in fields["options"]}):
            stage = next(stage for stage in (*self._table, *STAGES.values()) if stage.name == fields["actor_name"])
            return self._send(payload.message, stage, None, fields["message_id"])
