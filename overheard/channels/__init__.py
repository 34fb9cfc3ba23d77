"""Channels: where a workspace hears of its mentions. A new transport is one module here and one line in ``registry``.

A *channel* is the row in the database: a name, a URL, a mode. A *transport* sends to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

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


class Transport(Protocol):
    """Sends notices to one channel. ``kind`` is a metric label: a fixed word, never anything that a user wrote.

    It may have a ``pace: tuple[str, float, int] | None``, if its service limits the rate for several channels together:
    the budget's key, which must not contain a secret, messages a minute, and how many of them may come at once.
    """

    kind: str

    def send(self, notice: Notice) -> None:
        """Deliver once. Raise RetryableError (with the requested delay), PermanentError or ChannelGone on failure."""
