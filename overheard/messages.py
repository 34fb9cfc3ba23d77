"""What travels between the stages: frozen, typed, versioned. Decoding is the validation.

Ids travel after store; the text of items travels only from fetch to store.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from overheard.items import Item

Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]
Count = Annotated[int, Meta(ge=0, le=100_000)]
Cursor = Annotated[str, Meta(max_length=200_000)]  # a source's own text


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all messages. ``v`` is the version of the form; an unknown one is refused, not guessed at."""

    v: Literal[2] = 2

    @property
    def log_fields(self) -> dict[str, str | int | float]:
        """What log lines say of it: ids and counts, never a text."""
        return {}


class GapBounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a reading could not reach: from behind ``since`` (item and time) to before ``until``."""

    reason: Text
    since: tuple[str, float] | None = None
    until: tuple[str, float] | None = None


class PollTarget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a poll has read: these feeds of a group, whose next reading begins with ``cursor``.

    ``read_at``: when the first page was there. ``room``: how many feeds the group may have (None: as configured).
    ``missed`` is set when the reading of a single feed leaves a gap.
    """

    group_id: Id
    feed_ids: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=1000)]
    cursor: Cursor
    read_at: float
    room: Count | None = None
    missed: GapBounds | None = None


class PollProgress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a poll goes on that had to wait for the API budget between two pages, or begins that was put off.

    ``position`` is the source's own; None: the first page. ``refused_at``: when the source first refused the feed, and
    it is not known yet whether it refuses everybody.
    """

    poll_id: Text
    group_id: Id
    position: Cursor | None = None
    pages: Count = 0
    parts: Count = 0
    read_at: float = 0.0
    refused_at: float | None = None


ON_SCHEDULE = ("due", "sweep")  # reasons of demands that can wait for the next tick; all others are somebody's wish


class FetchWorkspace(Message, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Make a workspace's feeds of one source fresh: each read by a poll that began at or after ``fresh_since``.

    ``resume`` carries on a poll that waited for its turn at the budget, or was put off; ``attempt`` counts the passing
    faults of the source that this demand has met.
    """

    workspace_id: Id
    source: Text
    fresh_since: Annotated[float, Meta(ge=0)]
    reason: Text = "due"
    attempt: Count = 0
    resume: PollProgress | None = None

    @property
    def log_fields(self) -> dict[str, str | int | float]:
        return {"workspace": self.workspace_id, "source": self.source, "demand": self.reason}


class PollPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which part of a poll a message carries: stages between fetch and store hand it on as it is.

    The last part bears ``parts`` (how many there are) and the ``targets``. Where a part is too much for one message it
    goes on in several ``pieces``, of which this is number ``piece``.
    """

    poll: Text
    part: Count
    parts: Count | None = None
    targets: tuple[PollTarget, ...] = ()
    piece: Count = 0
    pieces: Annotated[int, Meta(ge=1, le=100_000)] = 1


Key = tuple[Text, Text]  # of an item: its source, and the source's own id


class ItemsFetched(Message, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One part of what a poll read; ``gone`` are items of which the source said meanwhile that they were deleted."""

    part: PollPart
    items: tuple[Item, ...]
    gone: tuple[Key, ...] = ()

    @property
    def log_fields(self) -> dict[str, str | int | float]:
        return {"poll": self.part.poll, "part": self.part.part, "items": len(self.items)}


class WorkspaceMatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One workspace's interest in an item. ``highlights`` are (field, start, end) in code points of the original."""

    workspace_id: Id
    query_ids: tuple[Id, ...]
    highlights: tuple[tuple[str, int, int], ...] = ()


class MatchedItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An item with everybody who wants to hear of it."""

    item: Item
    matches: tuple[WorkspaceMatch, ...]


class ItemsMatched(Message, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One part of a poll after matching: only the items that somebody wants, and what is ``gone``."""

    part: PollPart
    items: tuple[MatchedItem, ...]
    gone: tuple[Key, ...] = ()

    @property
    def log_fields(self) -> dict[str, str | int | float]:
        return {"poll": self.part.poll, "part": self.part.part, "items": len(self.items)}


class NotifyChannel(Message, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Send what is pending for this channel.

    ``lease``: go on with the round whose claim ends then, which waited for its turn at the channel's budget.
    """

    channel_id: Id
    lease: Annotated[float, Meta(ge=0)] = 0.0

    @property
    def log_fields(self) -> dict[str, str | int | float]:
        return {"channel": self.channel_id}


class RecheckItems(Message, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Ask their source whether these stored items of it are still there.

    ``lease`` is the claim under which they were taken: whoever comes second with it has nothing to do. Without ids:
    claim what is due, and go on until nothing is.
    """

    source: Text
    item_ids: Annotated[tuple[Id, ...], Meta(max_length=100)] = ()
    lease: Annotated[float, Meta(ge=0)] = 0.0


class ComposeDigest(Message, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Compose the digest of the period that ended at ``period_end`` (seconds since the epoch)."""

    workspace_id: Id
    period_end: Annotated[float, Meta(ge=0)]

    @property
    def log_fields(self) -> dict[str, str | int | float]:
        return {"workspace": self.workspace_id, "period_end": self.period_end}
