"""Decide which channels get a mention, in which state and from when on, and which to prompt at once. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

import msgspec

NEWS_MAX_AGE_SECONDS = 30 * 86400.0  # older items are not news: they are stored and not sent
# A channel postponed for longer is prompted again after this transaction has committed, and then finds the mention.
STORE_MAX_SECONDS = 5.0

DeliveryState = Literal["pending", "held"]


class NewMention(msgspec.Struct, frozen=True):
    """A mention that was just stored. ``backfilled``: its item is older than the watch, or not news any more."""

    id: int
    workspace_id: int
    item_id: int
    backfilled: bool


class Route(msgspec.Struct, frozen=True):
    """A channel's routing data. It is postponed until ``not_before``."""

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
    """The deliveries to store, and the channels to prompt now, each with its workspace's slug."""

    deliveries: tuple[NewDelivery, ...] = ()
    prompts: dict[int, str] = {}


def is_backfilled(created_at: float, watched_since: float, now: float, news_for: float = NEWS_MAX_AGE_SECONDS) -> bool:
    """Return True if an item is stored and not sent: older than the watch that found it, or not news any more.

    Some sources have times in whole seconds: an item of the second in which the watch began is new.
    """
    return created_at < max(int(watched_since), now - news_for)


def route(mentions: Iterable[NewMention], routes: Collection[Route], now: float) -> Routing:
    """Decide the deliveries of these mentions.

    1. none of backfilled mentions, and none to disabled channels;
    2. for a digest channel they are held until its digest is composed, for others they are pending from now on;
    3. prompt the channels with pending ones, except those postponed for longer: the postponement ends in a prompt.
    """
    by_workspace: dict[int, list[Route]] = {}
    for channel in sorted(routes, key=lambda channel: channel.channel_id):
        if not channel.disabled:
            by_workspace.setdefault(channel.workspace_id, []).append(channel)
    deliveries, prompts = [], {}
    for mention in mentions:
        for channel in by_workspace.get(mention.workspace_id, ()) if not mention.backfilled else ():
            held = channel.mode == "digest"
            deliveries.append(NewDelivery(channel.channel_id, mention.id, "held" if held else "pending", now))
            if not held and channel.not_before <= now + STORE_MAX_SECONDS:
                prompts[channel.channel_id] = channel.workspace
    return Routing(tuple(deliveries), dict(sorted(prompts.items())))
