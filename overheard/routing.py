"""Decide which channels get a mention, in which state and from when on, and which to prompt at once. Pure.

``quiet_hours`` decides when a channel may be sent to, ``folding`` what becomes a message of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

NEWS_MAX_AGE_SECONDS = 30 * 86400.0  # older items are not news: they are stored and not sent
# A channel postponed for longer is prompted again after this transaction has committed, and then finds the mention.
STORE_MAX_SECONDS = 5.0

HELD_BY_DIGEST = "digest"
HELD_BY_QUIET_HOURS = "quiet hours"
HELD_BY_DISABLED = "channel disabled"
HELD_BY_LIMIT = "limit"  # more than a channel wants as single messages: folded, or kept for its digest

DeliveryState = Literal["pending", "held", "muted"]


class NewMention(msgspec.Struct, frozen=True, kw_only=True):
    """A mention that was just stored. ``backfilled``: its item is older than the watch, or not news any more.

    ``queries`` are ids; ``known_queries`` are those that had found it before an edit. ``place`` is the place's key,
    ``author`` in lower case; ``link``: ``link_key`` of what the item links to.
    """

    id: int
    workspace_id: int
    item_id: int
    backfilled: bool
    queries: tuple[int, ...] = ()
    known_queries: tuple[int, ...] = ()
    source: str = ""
    place: str = ""
    author: str = ""
    thread: str = ""
    link: str | None = None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A channel's routing data. It is postponed until ``not_before``; ``queries``: those it hears of, None for all."""

    channel_id: int
    workspace_id: int
    workspace: str
    mode: str
    disabled: bool
    not_before: float
    queries: frozenset[int] | None = None


class MuteRule(msgspec.Struct, frozen=True, kw_only=True):
    """What is not sent: mentions that fit all conditions; those that are None or empty fit everything.

    ``workspace_id``: None for the operator's rules, which are for all. ``text`` says in words what is muted;
    ``until``: when the rule ends, None for never.
    """

    text: str
    workspace_id: int | None = None
    query: int | None = None
    source: str = ""
    author: str = ""
    place: str = ""
    thread: str = ""
    until: float | None = None

    @property
    def mutes_whole_query(self) -> bool:
        """Return True if it mutes a query and has no other condition."""
        return self.query is not None and not (self.source or self.author or self.place or self.thread)

    def fits(self, mention: NewMention, query: int) -> bool:
        """Return True if the mention, as found by this query, fits all conditions."""
        return (
            self.workspace_id in (None, mention.workspace_id)
            and self.query in (None, query)
            and self.source in ("", mention.source)
            and self.author in ("", mention.author)
            and self.place in ("", mention.place)
            and self.thread in ("", mention.thread)
        )


class NewDelivery(msgspec.Struct, frozen=True):
    """A mention for a channel: ``pending`` from ``due_at`` on, ``held`` for later, or ``muted``, which is never sent.

    ``held_by`` says why it is not pending. ``query``: the one that it counts for.
    """

    channel_id: int
    mention_id: int
    state: DeliveryState
    due_at: float
    held_by: str | None = None
    query: int | None = None
    link: str | None = None


class Routing(msgspec.Struct, frozen=True):
    """The deliveries to store, and the channels to prompt now, each with its workspace's slug."""

    deliveries: tuple[NewDelivery, ...] = ()
    prompts: dict[int, str] = {}


def is_backfilled(created_at: float, watched_since: float, now: float, news_for: float = NEWS_MAX_AGE_SECONDS) -> bool:
    """Return True if an item is stored and not sent: older than the watch that found it, or not news any more.

    Some sources have times in whole seconds: an item of the second in which the watch began is new.
    """
    return created_at < max(int(watched_since), now - news_for)


def route(
    mentions: Iterable[NewMention], routes: Collection[Route], now: float, mutes: Collection[MuteRule] = ()
) -> Routing:
    """Decide the deliveries of these mentions.

    1. none of backfilled mentions, and none to a channel that hears of none of the queries that found it, or has heard
       of it before it was edited;
    2. muted if a rule mutes it for each of those queries;
    3. held for a disabled channel until it is enabled, and for a digest channel until its digest is composed;
    4. for others pending from now on;
    5. prompt the channels with pending ones, except those postponed for longer: the postponement ends in a prompt.
    """
    by_workspace: dict[int, list[Route]] = {}
    for channel in sorted(routes, key=lambda channel: channel.channel_id):
        by_workspace.setdefault(channel.workspace_id, []).append(channel)
    rules = [rule for rule in mutes if rule.until is None or rule.until > now]
    deliveries, prompts = [], {}
    for mention in mentions:
        for channel in by_workspace.get(mention.workspace_id, ()) if not mention.backfilled else ():
            delivery = _delivery(mention, channel, rules, now)
            if delivery is None:
                continue
            deliveries.append(delivery)
            if delivery.state == "pending" and channel.not_before <= now + STORE_MAX_SECONDS:
                prompts[channel.channel_id] = channel.workspace
    return Routing(tuple(deliveries), dict(sorted(prompts.items())))


def _delivery(mention: NewMention, channel: Route, mutes: Collection[MuteRule], now: float) -> NewDelivery | None:
    heard = _heard(mention.queries, channel)
    if not heard or _heard(mention.known_queries, channel):
        return None
    mute_of = {query: next((rule for rule in mutes if rule.fits(mention, query)), None) for query in heard}
    wanted = [query for query, rule in mute_of.items() if rule is None]
    state: DeliveryState
    if not wanted:
        rule = mute_of[heard[0]]
        state, held_by = "muted", f"mute: {rule.text}" if rule else None
    elif channel.disabled:
        state, held_by = "held", HELD_BY_DISABLED
    elif channel.mode == "digest":
        state, held_by = "held", HELD_BY_DIGEST
    else:
        state, held_by = "pending", None
    query = (wanted or heard)[0]
    return NewDelivery(channel.channel_id, mention.id, state, now, held_by, query, mention.link)


def _heard(queries: Iterable[int], channel: Route) -> list[int]:
    return [query for query in queries if channel.queries is None or query in channel.queries]


# What a link's query string says about where it was found, not about what it leads to; utm_… besides.
TRACKING_PARAMETERS = ("fbclid", "gclid", "ref", "ref_src", "igshid", "mc_cid", "mc_eid")
LINK_MAX_CHARS = 500


def link_key(url: str) -> str | None:
    """Return what is equal for two addresses of the same page; None for a text that is not a web address.

    The scheme, ``www.``, a slash at the end, the fragment and the parameters that track visitors do not count.
    """
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").removeprefix("www.").removesuffix(".")
        port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or not host:
        return None
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not _tracks(pair[0])]
    query = f"?{urlencode(kept)}" if kept else ""
    return f"{host}{port}{parts.path.rstrip('/')}{query}"[:LINK_MAX_CHARS]


def _tracks(parameter: str) -> bool:
    return parameter.lower().startswith("utm_") or parameter.lower() in TRACKING_PARAMETERS
