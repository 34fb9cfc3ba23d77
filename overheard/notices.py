"""What the world is told: mentions, digests, and alerts for the operator, in the shapes that receivers get as JSON."""

from __future__ import annotations

from typing import Literal

import msgspec

NoticeType = Literal["mention.created", "mentions.summary", "digest", "alert"]


class PublicMention(msgspec.Struct, frozen=True, kw_only=True):
    """A mention as the world sees it: the JSON of ``overheard mentions`` and of webhooks. New keys come last.

    ``item`` and ``thread`` are the source's own ids; a comment's ``title`` is its thread's. ``subreddit`` is None
    outside of Reddit. ``backfilled``: it is older than the watch, and was not sent. Times are RFC 3339 in UTC;
    ``highlights`` are (field, start, end) in code points of that field.
    """

    workspace: str
    item: str
    kind: str
    subreddit: str | None
    author: str | None
    title: str
    body: str
    permalink: str
    created_at: str
    stored_at: str
    queries: tuple[str, ...]
    highlights: tuple[tuple[str, int, int], ...]
    id: str
    source: str
    place: str
    thread: str | None
    thread_title: str
    url: str
    query_ids: tuple[int, ...]
    backfilled: bool


class AlertedIncident(msgspec.Struct, frozen=True):
    """What went wrong, ``count`` times, and where: stages, channels, feeds by name. ``do``: what to do about it."""

    kind: str
    count: int
    where: tuple[str, ...]
    last_at: str
    do: str


class Alert(msgspec.Struct, frozen=True):
    """What the operator of the Overheard on machine ``host`` is told."""

    host: str
    incidents: tuple[AlertedIncident, ...]


class Notice(msgspec.Struct, frozen=True):
    """What one delivery says. ``id`` stays the same over all tries: receivers drop repeats by it (I4)."""

    id: str
    type: NoticeType
    workspace: str
    mentions: tuple[PublicMention, ...]
    omitted: int = 0  # mentions that a summary or digest counts but does not show
    alert: Alert | None = None  # what one of type "alert" says, and no other
