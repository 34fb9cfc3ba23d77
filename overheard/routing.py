"""Who hears of a mention: which channel, in which state, from when on, and whom to prompt at once. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

import msgspec

NEWS_MAX_AGE_SECONDS = 30 * 86400.0  # nobody wants to be told today of what was said a month ago
STORE_MAX_SECONDS = 5.0  # a channel that is put off for longer is asked for after what is stored now

DeliveryState = Literal["pending", "held"]


class NewMention(msgspec.Struct, frozen=True):
    """A mention that was just stored. ``backfilled``: it is older than the watch, or no news any more."""

    id: int
    workspace_id: int
    item_id: int
    backfilled: bool


class Route(msgspec.Struct, frozen=True):
    """A channel as routing sees it. Until ``not_before`` it is left alone."""

    channel_id: int
    workspace_id: int
    workspace: str
    mode: str
    disabled: bool
    not_before: float


class NewDelivery(msgspec.Struct, frozen=True):
    """A mention for a channel; ``held`` until the channel's digest is composed, or ``pending`` from ``due_at`` on."""

    channel_id: int
    mention_id: int
    state: DeliveryState
    due_at: float


class Routing(msgspec.Struct, frozen=True):
    """What each channel hears of, and the channels to prompt now, each with its workspace's slug."""

    deliveries: tuple[NewDelivery, ...] = ()
    prompts: dict[int, str] = {}


def is_backfilled(created_at: float, watched_since: float, now: float, news_for: float = NEWS_MAX_AGE_SECONDS) -> bool:
    """Return whether an item is kept and not sent: it is older than the watch that found it, or no news any more.

    Some sources give times in whole seconds: an item of the second in which the watch began is new.
    """
    return created_at < max(int(watched_since), now - news_for)


def route(mentions: Iterable[NewMention], routes: Collection[Route], now: float) -> Routing:
    """Decide who hears of these mentions.

    1. nobody of backfilled ones, and no channel that is disabled;
    2. a digest channel holds what it gets until its digest is composed; others have it to send from now on;
    3. these are prompted, but not those that are put off for a while: whoever put them off prompts them later.
    """
    ways: dict[int, list[Route]] = {}
    for each in sorted(routes, key=lambda each: each.channel_id):
        if not each.disabled:
            ways.setdefault(each.workspace_id, []).append(each)
    deliveries, prompts = [], {}
    for mention in mentions:
        for to in ways.get(mention.workspace_id, ()) if not mention.backfilled else ():
            held = to.mode == "digest"
            deliveries.append(NewDelivery(to.channel_id, mention.id, "held" if held else "pending", now))
            if not held and to.not_before <= now + STORE_MAX_SECONDS:
                prompts[to.channel_id] = to.workspace
    return Routing(tuple(deliveries), dict(sorted(prompts.items())))
