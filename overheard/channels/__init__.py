"""Channels: ways out into the world. A new kind of channel is one module here and one line in ``registry.py``."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from overheard.clock import Clock, system_clock

NoticeType = Literal["mention.created", "mentions.summary", "digest", "alert"]


class Mention(msgspec.Struct, frozen=True):
    """A mention as the world sees it: the JSON of ``overheard mentions`` and of webhooks (DESIGN §3).

    Times are RFC 3339 in UTC; ``highlights`` are (field, start, end) in code points of that field.
    """

    workspace: str
    item: str
    kind: str
    subreddit: str
    author: str | None
    title: str
    body: str
    permalink: str
    created_at: str
    stored_at: str
    queries: tuple[str, ...]
    highlights: tuple[tuple[str, int, int], ...]


class Incident(msgspec.Struct, frozen=True):
    """What went wrong, ``count`` times, and where: stages, channels, feeds by name. ``do``: what to do about it."""

    kind: str
    count: int
    where: tuple[str, ...]
    last_at: str
    do: str


class Alert(msgspec.Struct, frozen=True):
    """What the operator of the Overheard on machine ``host`` is told."""

    host: str
    incidents: tuple[Incident, ...]


class Notice(msgspec.Struct, frozen=True):
    """What one delivery says. ``id`` stays the same over all tries: receivers drop repeats by it (I4)."""

    id: str
    type: NoticeType
    workspace: str
    mentions: tuple[Mention, ...]
    omitted: int = 0  # mentions that a summary or digest counts but does not show
    alert: Alert | None = None  # what one of type "alert" says, and no other


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
        """Deliver, or raise: TryAgain (with the delay the receiver asked for), Permanent, ChannelGone."""
