"""Routing: which channels get a delivery of a mention, in which state, and which are prompted."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from overheard.routing import (
    NEWS_MAX_AGE_SECONDS,
    STORE_MAX_SECONDS,
    MuteRule,
    NewDelivery,
    NewMention,
    Route,
    Routing,
    is_backfilled,
    link_key,
    route,
)

NOW = 1_000_000_000.0
INSTANT = Route(channel_id=1, workspace_id=10, workspace="acme", mode="instant", disabled=False, not_before=0.0)
MENTION = NewMention(id=100, workspace_id=10, item_id=1000, backfilled=False, queries=(7,))


def channel_route(channel_id: int = 1, **changes: Any) -> Route:
    return msgspec.structs.replace(INSTANT, channel_id=channel_id, **changes)


def test_an_instant_channel_gets_a_pending_delivery_and_a_prompt() -> None:
    assert route([MENTION], [INSTANT], NOW) == Routing((NewDelivery(1, 100, "pending", NOW, None, 7),), {1: "acme"})


def test_a_digest_channel_gets_a_held_delivery_and_no_prompt() -> None:
    assert route([MENTION], [channel_route(mode="digest")], NOW) == Routing(
        (NewDelivery(1, 100, "held", NOW, "digest", 7),), {}
    )


def test_a_mention_goes_to_each_channel_of_its_workspace_and_to_no_other() -> None:
    other = msgspec.structs.replace(MENTION, id=101, workspace_id=20)
    routes = [channel_route(3), channel_route(2, workspace_id=20, workspace="bolt"), channel_route(1, mode="digest")]
    routing = route([MENTION, other], routes, NOW)
    assert [(made.mention_id, made.channel_id, made.state) for made in routing.deliveries] == [
        (100, 1, "held"), (100, 3, "pending"), (101, 2, "pending"),
    ]  # fmt: skip
    assert list(routing.prompts.items()) == [(2, "bolt"), (3, "acme")]


@pytest.mark.parametrize(
    ("mention", "to"),
    [(msgspec.structs.replace(MENTION, backfilled=True), INSTANT), (MENTION, channel_route(queries=frozenset({8})))],
)
def test_a_backfilled_mention_and_a_channel_of_other_queries_get_no_delivery(mention: NewMention, to: Route) -> None:
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


def test_a_disabled_channel_gets_a_held_delivery_and_no_prompt() -> None:
    held = NewDelivery(1, 100, "held", NOW, "channel disabled", 7)
    assert route([MENTION], [channel_route(disabled=True)], NOW) == Routing((held,), {})


MENTIONED = msgspec.structs.replace(
    MENTION, queries=(7, 8), source="reddit", place="python", author="automod", thread="t3_1"
)


@pytest.mark.parametrize(
    ("rules", "channel", "state", "counted"),
    [
        ([{"author": "automod"}], {}, "muted", 7),
        ([{"author": "somebody"}], {}, "pending", 7),
        ([{"query": 7}], {}, "pending", 8),
        ([{"query": 7}, {"query": 8}], {}, "muted", 7),
        ([{"query": 7}], {"queries": frozenset({7})}, "muted", 7),
        ([{"query": 7, "place": "python"}], {"queries": frozenset({7})}, "muted", 7),
        ([{"query": 7, "place": "rust"}], {"queries": frozenset({7})}, "pending", 7),
        ([{"thread": "t3_1"}], {}, "muted", 7),
        ([{"source": "hackernews", "author": "automod"}], {}, "pending", 7),
        ([{"workspace_id": 20, "author": "automod"}], {}, "pending", 7),
        ([{"workspace_id": 10, "author": "automod"}], {"mode": "digest"}, "muted", 7),
        ([{"author": "automod", "until": NOW + 1}], {}, "muted", 7),
        ([{"author": "automod", "until": NOW}], {}, "pending", 7),
        ([], {"queries": frozenset({8})}, "pending", 8),
    ],
)  # fmt: skip
def test_a_mention_is_muted_if_every_query_that_the_channel_hears_of_is(
    rules: list[dict[str, Any]], channel: dict[str, Any], state: str, counted: int
) -> None:
    routing = route([MENTIONED], [channel_route(**channel)], NOW, [MuteRule(text="x", **rule) for rule in rules])
    (made,) = routing.deliveries
    assert (made.state, made.query) == (state, counted)
    assert made.held_by == ("mute: x" if state == "muted" else None)
    assert bool(routing.prompts) == (state == "pending")


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://www.Acme.com/Blog/?utm_source=hn&id=3#top", "acme.com/Blog?id=3"),
        ("http://acme.com/Blog?id=3", "acme.com/Blog?id=3"),
        ("https://acme.com", "acme.com"),
        ("https://acme.com:8443/x?fbclid=1", "acme.com:8443/x"),
        ("mailto:me@acme.com", None),
        ("", None),
        ("https://[", None),
        ("https://acme.com:99999/", None),
    ],
)
def test_addresses_of_the_same_page_have_equal_keys(url: str, key: str | None) -> None:
    assert link_key(url) == key
