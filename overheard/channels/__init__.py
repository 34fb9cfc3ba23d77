"""Channels: ways out into the world. A new kind of channel is one module here and one line in ``registry.py``."""

from __future__ import annotations

from typing import Protocol

import msgspec

from overheard.clock import Clock, system_clock
from overheard.notices import Notice


class ChannelOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator decided for all channels.

    ``allow_private`` lets channels reach this machine and its network; ``timeout`` bounds one try, in seconds;
    ``clock`` dates signatures.
    """

    allow_private: bool
    timeout: float
    user_agent: str
    clock: Clock = system_clock


class Channel(Protocol):
    """A ready way out. ``kind`` is a metric label: a fixed word, never anything a user wrote."""

    kind: str

    def send(self, notice: Notice) -> None:
        """Deliver, or raise: RetryableError (with the delay the receiver asked for), PermanentError, ChannelGone."""
