"""Notices to receivers: mentions, summaries, digests, reports and the operator's alerts, in the form of their JSON."""

from __future__ import annotations

from typing import Literal

import msgspec

from overheard.items import SEARCHED_TEXTS

# Where a field's highlights are shown; those of other fields are not.
SHOWN_IN = {"title": "title", "thread": "title", "body": "body", "url": "url"} | {name: name for name in SEARCHED_TEXTS}
NoticeType = Literal["mention.created", "mentions.summary", "digest", "workspace.report", "alert"]
ReportKind = Literal["query flooding", "channel failing", "channel disabled"]


class MatchReason(msgspec.Struct, frozen=True):
    """A term of a query, and where it is found first: (start, end) in code points of a field."""

    query_id: int
    term: str
    field: str
    start: int
    end: int


class PublicMention(msgspec.Struct, frozen=True, kw_only=True):
    """A mention in the JSON of ``overheard mentions`` and of webhooks. New keys come last; times are UTC (RFC 3339)."""

    workspace: str
    item: str  # the source's own id, like ``thread``
    kind: str
    subreddit: str | None  # None outside Reddit
    author: str | None
    title: str  # of a comment: its thread's
    body: str
    permalink: str
    created_at: str
    stored_at: str
    queries: tuple[str, ...]
    # (field, start, end) in code points of that field: ``title``, ``body``, ``url``, ``thread`` (the thread's title) or
    # one of ``texts``.
    highlights: tuple[tuple[str, int, int], ...]
    id: str
    source: str
    place: str
    thread: str | None
    thread_title: str
    url: str
    query_ids: tuple[int, ...]
    backfilled: bool  # the item is older than the watch, and was not sent
    why: tuple[MatchReason, ...] = ()  # at most 20 terms of the queries
    texts: dict[str, str] = {}

    @property
    def shown_highlights(self) -> tuple[tuple[str, int, int], ...]:
        """Return the highlights in the title, which is the thread's, too, the body, ``url`` and what else is searched.

        ``text_of`` returns the texts that they are in.
        """
        return tuple((SHOWN_IN[field], start, end) for field, start, end in self.highlights if field in SHOWN_IN)

    @property
    def excerpt_field(self) -> str:
        """Return the field that shows, beside the title, why it matched: the body, unless only another one does."""
        fields = {field for field, _, _ in self.shown_highlights}
        if "body" in fields:
            return "body"
        others = [*SEARCHED_TEXTS, *(() if "title" in fields else ("url",))]
        return next((field for field in others if field in fields), "body")

    def text_of(self, field: str) -> str:
        """Return a field's text; "" if there is none."""
        if field in SEARCHED_TEXTS:
            return self.texts.get(field, "")
        text: str = getattr(self, field)
        return text


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


class PlaceCount(msgspec.Struct, frozen=True):
    """How many mentions a place of a source has."""

    source: str
    place: str
    count: int


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The true numbers of a summary or digest: of all its mentions, whether they are shown or not."""

    total: int
    by_query: dict[str, int]  # the largest first, like ``by_place``; a mention of two queries counts for both
    by_place: tuple[PlaceCount, ...]
    by_day: tuple[tuple[str, int], ...] = ()  # (2026-11-27, count) for each day of the period in the workspace's zone
    since: str | None = None  # RFC 3339 in UTC, like ``until``
    until: str | None = None
    before: int | None = None  # the total of the period before, which is as long; None if it is unknown
    places_of: dict[str, tuple[PlaceCount, ...]] = {}  # the places of each query
    at_once: int = 0  # those of ``total`` that were messages of their own …
    at_once_of: dict[str, int] = {}  # … and by query
    muted: int = 0  # on top of ``total``


class WorkspaceReport(msgspec.Struct, frozen=True):
    """What a workspace should know about itself, in sentences. ``name``: of the query or channel that it is about."""

    kind: ReportKind
    name: str
    title: str
    lines: tuple[str, ...]


class NoticeLinks(msgspec.Struct, frozen=True):
    """Addresses of the web page, for buttons: open, judge as useful or noise, mute. None while there is none."""

    open: str | None = None
    useful: str | None = None
    noise: str | None = None
    mute: str | None = None


class Notice(msgspec.Struct, frozen=True):
    """The content of one delivery. ``id`` is the same in all tries (I4).

    Receivers can drop repeats by it if the transport carries it: signed webhooks, mail, json://, xml:// and form:// do.
    A ``mention.created`` has one mention; further ones are others that link to the same address. ``mentions`` of a
    summary or digest are oldest first; ``totals`` counts all of them.
    """

    id: str
    type: NoticeType
    workspace: str
    mentions: tuple[PublicMention, ...]
    omitted: int = 0  # mentions that a summary or digest counts but does not show
    alert: Alert | None = None  # set if ``type`` is "alert"
    totals: Totals | None = None  # set if ``type`` is "mentions.summary" or "digest"
    report: WorkspaceReport | None = None  # set if ``type`` is "workspace.report"
    name: str = ""  # of the workspace; empty: its slug
    timezone: str = "UTC"  # of the workspace, for the times that people read
    links: NoticeLinks = NoticeLinks()
