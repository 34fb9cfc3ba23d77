"""Routing: which channels get a delivery of a mention, in which state, and which are prompted."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from overheard.routing import (
    NEWS_MAX_AGE_SECONDS,
    STORE_MAX_SECONDS,
    NewDelivery,
    NewMention,
    Route,
    Routing,
    is_backfilled,
    route,
)

NOW = 1_000_000_000.0
INSTANT = Route(1, 10, "acme", "instant", disabled=False, not_before=0.0)
MENTION = NewMention(100, 10, 1000, backfilled=False)


def channel_route(channel_id: int = 1, **changes: Any) -> Route:
    return msgspec.structs.replace(INSTANT, channel_id=channel_id, **changes)


def test_an_instant_channel_gets_a_pending_delivery_and_a_prompt() -> None:
    assert route([MENTION], [INSTANT], NOW) == Routing((NewDelivery(1, 100, "pending", NOW),), {1: "acme"})


def test_a_digest_channel_gets_a_held_delivery_and_no_prompt() -> None:
    assert route([MENTION], [channel_route(mode="digest")], NOW) == Routing((NewDelivery(1, 100, "held", NOW),), {})


def test_a_mention_goes_to_each_channel_of_its_workspace_and_to_no_other() -> None:
    other = NewMention(101, 20, 1000, backfilled=False)
    routes = [channel_route(3), channel_route(2, workspace_id=20, workspace="bolt"), channel_route(1, mode="digest")]
    routing = route([MENTION, other], routes, NOW)
    assert [(made.mention_id, made.channel_id, made.state) for made in routing.deliveries] == [
        (100, 1, "held"), (100, 3, "pending"), (101, 2, "pending"),
    ]  # fmt: skip
    assert list(routing.prompts.items()) == [(2, "bolt"), (3, "acme")]


@pytest.mark.parametrize(
    ("mention", "to"),
    [(msgspec.structs.replace(MENTION, backfilled=True), INSTANT), (MENTION, channel_route(disabled=True))],
)
def test_a_backfilled_mention_and_a_disabled_channel_get_no_delivery(mention: NewMention, to: Route) -> None:
    assert route([mention], [to], NOW) == Routing()


def test_a_channel_with_a_later_not_before_gets_a_delivery_and_no_prompt() -> None:
    """Its own wake-up sends it, unless that comes so soon that the delivery might not be committed yet."""
    soon = NOW + STORE_MAX_SECONDS
    routing = route([MENTION], [channel_route(1, not_before=soon), channel_route(2, not_before=soon + 0.01)], NOW)
    assert [made.state for made in routing.deliveries] == ["pending", "pending"]
    assert routing.prompts == {1: "acme"}


def test_an_item_older_than_the_watch_or_too_old_to_be_news_is_backfilled() -> None:
    since = NOW - 100.5
    assert not is_backfilled(NOW - 101, since, NOW), "some sources date items to the second"
    assert is_backfilled(NOW - 102, since, NOW)
    assert not is_backfilled(NOW - NEWS_MAX_AGE_SECONDS, 0.0, NOW)
    assert is_backfilled(NOW - NEWS_MAX_AGE_SECONDS - 1, 0.0, NOW)
    assert is_backfilled(NOW - 11, 0.0, NOW, news_for=10)
