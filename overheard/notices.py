"""Notices to receivers: mentions, digests and the operator's alerts, in the form of their JSON."""

from __future__ import annotations

from typing import Literal

import msgspec

SHOWN_IN = {"title": "title", "thread": "title", "body": "body", "url": "url"}
NoticeType = Literal["mention.created", "mentions.summary", "digest", "alert"]


class MatchReason(msgspec.Struct, frozen=True):
    """A term of a query, and where it is found first: (start, end) in code points of a field."""

    query_id: int
    term: str
    field: str
    start: int
    end: int


class PublicMention(msgspec.Struct, frozen=True, kw_only=True):
    """A mention in the JSON of ``overheard mentions`` and of webhooks. New keys come last.

    ``item`` and ``thread`` are the source's own ids; a comment's ``title`` is its thread's. ``subreddit`` is None
    outside Reddit. ``backfilled``: the item is older than the watch, and was not sent. Times are RFC 3339 in UTC;
    ``highlights`` are (field, start, end) in code points of that field: ``title``, ``body``, ``url``, ``flair``, or
    ``thread``, the thread's title. ``why``: at most 20 terms of the queries.
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
    why: tuple[MatchReason, ...] = ()

    @property
    def shown_highlights(self) -> tuple[tuple[str, int, int], ...]:
        """Return the highlights in the title, which is the thread's, too, in the body and in ``url``."""
        return tuple((SHOWN_IN[field], start, end) for field, start, end in self.highlights if field in SHOWN_IN)


class AlertedIncident(msgspec.Struct, frozen=True):
    """A kind of incident, ``count`` times, ``where`` (stages, channels, feeds), and what to ``do`` about it."""

    kind: str
    count: int
    where: tuple[str, ...]
    last_at: str
    do: str


class Alert(msgspec.Struct, frozen=True):
    """An alert to the operator of the Overheard on the machine ``host``."""

    host: str
    incidents: tuple[AlertedIncident, ...]


class Notice(msgspec.Struct, frozen=True):
    """The content of one delivery. ``id`` is the same in all tries (I4).

    Receivers can drop repeats by it if the transport carries it: signed webhooks, mail, json://, xml:// and form:// do.
    """

    id: str
    type: NoticeType
    workspace: str
    mentions: tuple[PublicMention, ...]
    omitted: int = 0  # mentions that a summary or digest counts but does not show
    alert: Alert | None = None  # set if ``type`` is "alert"
