"""The messages between stages: frozen, typed, versioned. Decoding validates them.

The text of items is in messages from fetch to store only; after store, messages hold ids.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from overheard.items import FeedKind, Item
from overheard.reading.packing import BY_NUMBER_MAX_FEEDS

Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]
Count = Annotated[int, Meta(ge=0, le=100_000)]
Cursor = Annotated[str, Meta(max_length=200_000)]  # a source's own text


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all messages. ``v`` is the version of the schema; an unknown one is refused."""

    v: Literal[2] = 2

    @property
    def log_fields(self) -> dict[str, str | int | float]:
        """Return the message's fields for log lines: ids and counts, never a text."""
        return {}


class GapBounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bounds of what a poll could not read: after ``since`` (item, time) and before ``until``."""

    reason: Text
    since: tuple[str, float] | None = None
    until: tuple[str, float] | None = None


class PollTarget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The feeds of a group that a poll has read, and the ``cursor`` of their next poll.

    ``read_at``: when the first page was received. ``room``: how many feeds the group may have (None: as configured).
    ``missed`` is set if the poll leaves a gap below what it has read; ``gaps`` are further ones that it has found.
    ``behind``: the source has more, so that the feeds are not fresh; ``lag``: the seconds before the poll until which
    they are read nevertheless, if that is known. ``retry_at``: the source wants no earlier poll.
    ``new`` counts the new items of the last ``seconds``, for each of ``feed_ids`` in their order; () if unknown.
    ``pace``: how many items a second the source numbers, if the poll shows it. ``look``: the poll was a second look: it
    is recorded as one, and moves no cursor.
    """

    group_id: Id
    feed_ids: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=BY_NUMBER_MAX_FEEDS)]
    cursor: Cursor
    read_at: float
    room: Count | None = None
    missed: GapBounds | None = None
    gaps: Annotated[tuple[GapBounds, ...], Meta(max_length=10_000)] = ()
    behind: bool = False
    lag: Annotated[float, Meta(ge=0)] | None = None
    retry_at: float = 0.0
    new: Annotated[tuple[int, ...], Meta(max_length=BY_NUMBER_MAX_FEEDS)] = ()
    seconds: float = 0.0
    pace: Annotated[float, Meta(ge=0)] | None = None
    look: bool = False


class PollProgress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to resume a poll that waits for the API budget, before its first page or between two.

    ``position`` is the source's own; None: the first page. ``refused_at``: when the source first refused the feed,
    while it is unknown whether it refuses all feeds. ``feeds``: those that a second look reads, whatever happens to
    their group meanwhile.
    """

    poll_id: Text
    group_id: Id
    position: Cursor | None = None
    pages: Count = 0
    parts: Count = 0
    read_at: float = 0.0
    refused_at: float | None = None
    feeds: Annotated[tuple[Id, ...], Meta(max_length=1000)] = ()


NumberRanges = Annotated[tuple[tuple[int, int], ...], Meta(max_length=10_000)]  # both ends included


class FillProgress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to resume a poll that fills gaps: the first ``looked_up`` of the numbers in ``ranges`` are, in their order.

    ``parts`` are sent; no request begins after ``until``. ``empty``: the numbers of requests that found no item at all.
    """

    poll_id: Text
    ranges: NumberRanges
    until: float
    looked_up: Count = 0
    parts: Count = 0
    empty: NumberRanges = ()


ON_SCHEDULE = ("due", "sweep")  # reasons of the tick's own demands; any other is a request by hand


class FetchWorkspace(Message, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Read a workspace's feeds of one source: each by a poll that began at or after ``fresh_since``.

    Or, with ``group_id``, read that group of feeds, because it is planned now; ``workspace_id`` is None then.
    ``resume`` continues a poll that was postponed; ``attempt`` counts the source's passing faults met by this demand.
    ``behind``: the last poll has left a backlog; the next one begins when that poll is stored. ``back_to``: read the
    group's listing at least back to this time, past what is known, as a second look. With ``fill``, instead of reading
    feeds, fill the source's gaps of that kind (``filling`` continues that); with ``places``, ask the source for these
    places.
    """

    workspace_id: Id | None = None
    source: Text
    fresh_since: Annotated[float, Meta(ge=0)] = 0.0
    reason: Text = "due"
    group_id: Id | None = None
    attempt: Count = 0
    resume: PollProgress | None = None
    behind: bool = False
    back_to: Annotated[float, Meta(ge=0)] = 0.0
    fill: FeedKind | None = None
    filling: FillProgress | None = None
    places: Annotated[tuple[Text, ...], Meta(max_length=100)] = ()

    @property
    def log_fields(self) -> dict[str, str | int | float]:
        if self.fill is not None:
            return {"source": self.source, "kind": self.fill, "demand": self.reason}
        asked = {"workspace": self.workspace_id} if self.workspace_id is not None else {"group": self.group_id or 0}
        return {**asked, "source": self.source, "demand": self.reason}


class NumbersRead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The numbers of a source's items that a poll has looked up: ranges, both ends included.

    ``empty``: those of requests that found no item at all.
    """

    source: Text
    kind: FeedKind
    ranges: NumberRanges
    empty: NumberRanges = ()


class PollPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which part of a poll a message carries; the stages between fetch and store pass it on unchanged.

    The last part has ``parts`` (how many there are) and the ``targets``, or the ``numbers`` that were looked up to fill
    gaps. A part that is too large for one message is split into ``pieces``, of which this is number ``piece``.
    """

    poll: Text
    part: Count
    parts: Count | None = None
    targets: tuple[PollTarget, ...] = ()
    numbers: NumbersRead | None = None
    piece: Count = 0
    pieces: Annotated[int, Meta(ge=1, le=100_000)] = 1


Key = tuple[Text, Text]  # of an item: its source, and the source's own id
GoneAuthor = tuple[Text, Text, float]  # a source, an account that is gone there, and when it was reported


class ItemsFetched(Message, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One part of a poll's items; ``gone`` are items that the source reported as deleted meanwhile.

    ``gone_authors`` are accounts that are gone: everything that they wrote until then is.
    """

    part: PollPart
    items: tuple[Item, ...]
    gone: tuple[Key, ...] = ()
    gone_authors: tuple[GoneAuthor, ...] = ()

    @property
    def log_fields(self) -> dict[str, str | int | float]:
        return {"poll": self.part.poll, "part": self.part.part, "items": len(self.items)}


WHY_MAX = 20  # of one workspace and item
TERM_MAX_CHARS = 200  # a longer one is cut
Why = tuple[Id, Annotated[str, Meta(max_length=TERM_MAX_CHARS)], str, int, int]  # query, term, field, start, end


class WorkspaceMatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The queries of one workspace that match an item. ``highlights``: (field, start, end) in code points.

    ``why``: a term of one of the queries, as the query has it, and where it is found first.
    """

    workspace_id: Id
    query_ids: tuple[Id, ...]
    highlights: tuple[tuple[str, int, int], ...] = ()
    why: Annotated[tuple[Why, ...], Meta(max_length=WHY_MAX)] = ()


class SampleDraw(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why an item is to be in the sample: its ``priority`` is below the ``share`` that is taken of its source."""

    priority: Annotated[float, Meta(ge=0, lt=1)]
    share: Annotated[float, Meta(gt=0, le=1)]


class MatchedItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An item with the workspaces that it matches; ``sample`` is set if it is to be in the sample of recent items."""

    item: Item
    matches: tuple[WorkspaceMatch, ...]
    sample: SampleDraw | None = None


class ItemsMatched(Message, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One part of a poll after matching: the items that match a query or are to be sampled, and what is ``gone``."""

    part: PollPart
    items: tuple[MatchedItem, ...]
    gone: tuple[Key, ...] = ()
    gone_authors: tuple[GoneAuthor, ...] = ()

    @property
    def log_fields(self) -> dict[str, str | int | float]:
        return {"poll": self.part.poll, "part": self.part.part, "items": len(self.items)}


class NotifyChannel(Message, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Send the pending deliveries of a channel.

    With ``lease`` the message continues the batch whose claim ends then; it was postponed for the channel's budget.
    """

    channel_id: Id
    # The end of the held lease, seconds since the epoch; 0: none is held. Messages under way have this name.
    lease: Annotated[float, Meta(ge=0)] = 0.0

    @property
    def log_fields(self) -> dict[str, str | int | float]:
        return {"channel": self.channel_id}


class RecheckItems(Message, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Check at their source whether these stored items still exist.

    ``lease`` is their claim: a repeated message finds it used and does nothing. Without ids: claim due items, until
    none are left.
    """

    source: Text
    item_ids: Annotated[tuple[Id, ...], Meta(max_length=100)] = ()
    # The end of the held lease, seconds since the epoch; 0: none is held. Messages under way have this name.
    lease: Annotated[float, Meta(ge=0)] = 0.0


class ComposeDigest(Message, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Compose the digest of the period that ended at ``period_end`` (seconds since the epoch)."""

    workspace_id: Id
    period_end: Annotated[float, Meta(ge=0)]

    @property
    def log_fields(self) -> dict[str, str | int | float]:
        return {"workspace": self.workspace_id, "period_end": self.period_end}
