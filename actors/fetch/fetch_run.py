"""The state of one fetch message's work."""

from __future__ import annotations

from collections import deque

import msgspec

from actors.fetch.poll import GroupPoll
from overheard.errors import FeedRefused
from overheard.messages import FetchWorkspace
from overheard.sources import RequestTokens


class RefusedFeed(msgspec.Struct, frozen=True):
    """A feed that was refused when requested alone, first at ``at``; ``again``: not for the first time."""

    poll: GroupPoll
    refusal: FeedRefused
    at: float
    again: bool


class FetchRun(msgspec.Struct):
    """The state of one message's work: queued (group id, may other groups join), and refused feeds to decide on.

    ``until``: when another message gets its turn. ``behind``: a source has more than the poll has read. ``postponed``:
    a copy of the message comes back for a group.
    """

    message: FetchWorkspace
    budget: RequestTokens
    queued: deque[tuple[int, bool]]
    until: float
    refused: list[RefusedFeed] = []
    behind: bool = False
    postponed: bool = False
