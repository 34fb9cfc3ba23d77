"""Channels: where a workspace hears of its mentions. A new transport is one module here and one line in ``registry``.

A *channel* is the row in the database: a name, a URL, a mode. A *transport* sends to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import msgspec

from overheard.channels.preview import MessagePreview
from overheard.clock import Clock, system_clock
from overheard.notices import Notice


class ChannelOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's settings for all channels.

    ``allow_private`` permits connections to this machine and to private networks; ``timeout`` bounds one attempt, in
    seconds; ``clock`` dates signatures and ages. ``services``: where each chat service is, if not at its own address
    (slack, slack api, discord, telegram, ntfy). ``files_dir``: file:// channels write below it; empty: there are none.
    """

    allow_private: bool
    timeout: float
    user_agent: str
    clock: Clock = system_clock
    services: Mapping[str, str] = {}
    files_dir: str = ""


class Pace(NamedTuple):
    """How fast a receiver takes messages: ``burst`` at once, and ``per_minute`` on average.

    All channels with the same ``key`` share it. The key is stored, so it holds no secret (``redact.fingerprint``).
    """

    key: str
    per_minute: float
    burst: int


class Transport(Protocol):
    """Sends notices to one channel. ``kind`` is a metric label: a fixed word, never anything that a user wrote.

    ``pace``: how fast the service takes messages; None if only the operator's own limit counts.
    """

    kind: str
    pace: Pace | None

    def preview(self, notice: Notice) -> MessagePreview:
        """Return what ``send`` would send, and send nothing."""

    def send(self, notice: Notice) -> None:
        """Deliver once. Raise RetryableError (with the requested delay), PermanentError or ChannelGone on failure."""
