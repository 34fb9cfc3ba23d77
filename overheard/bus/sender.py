"""Sending a stage its message."""

from __future__ import annotations

import math
from typing import Protocol

import dramatiq

from overheard.bus.envelope import LONGEST_DELAY, Payload, StrictEncoder, pack
from overheard.errors import InvalidInput
from overheard.log import TRAVELS, about, trace
from overheard.messages import Message


class Sends(Protocol):
    """What handlers need of the bus."""

    def send(self, message: Message, *, delay: float | None = None, message_id: str | None = None) -> str:
        """Send to the stage of this message, ``delay`` seconds (≤ 300) from now; the message's id."""


class Sender:
    """Sends on a broker of ours. Thread-safe."""

    def __init__(self, broker: dramatiq.Broker) -> None:
        self._broker = broker

    def send(self, message: Message, *, delay: float | None = None, message_id: str | None = None) -> str:
        """Returns when the bus has it. Raises Unavailable when it cannot be reached, InvalidInput when too large."""
        if delay is not None and not 0 <= delay <= LONGEST_DELAY:
            raise InvalidInput(f"delay of {delay} s: the bus delays up to {LONGEST_DELAY:g} s")
        envelope = pack(message, message_id=message_id, options=trace())
        self._broker.enqueue(envelope, delay=None if delay is None else math.ceil(delay * 1000))
        return envelope.message_id

    def replay(self, body: bytes) -> str:
        """Send a dead letter again, as new: no retries used, no slot held; its id is kept.

        Raises InvalidInput for a body that was never a message of ours.
        """
        try:
            fields = StrictEncoder().decode(body)
        except dramatiq.DecodeError as error:
            raise InvalidInput(f"cannot be replayed: {error}") from None
        payload: Payload = fields["args"][0]
        with about(**{name: fields["options"][name] for name in TRAVELS if name in fields["options"]}):
            return self.send(payload.message, message_id=fields["message_id"])
