"""The sources that the contract suite (`test_sources.py`) tests, each with its server: one module for each source.

WRITTEN: worlds to which items can be added; LISTED: those of them with a server that lists items backwards; LOOKED_UP:
those that can look items up; LEAVING_OUT: those of them whose answers leave deleted items out; CHECKED: those that can
be asked for places; DELETING: those whose source reports deletions by itself; STREAMED: those that producers read, and
not the fetch stage.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from tests.contract.source_worlds.bluesky import BlueskyWorld
from tests.contract.source_worlds.canary import CanaryWorld
from tests.contract.source_worlds.feeds import FeedsWorld
from tests.contract.source_worlds.hackernews import HackerNewsWorld
from tests.contract.source_worlds.mastodon import MastodonWorld
from tests.contract.source_worlds.protocols import Listed, Streamed, World, Written
from tests.contract.source_worlds.reddit import RedditWorld
from tests.contract.source_worlds.replay import ReplayWorld
from tests.contract.source_worlds.stackexchange import StackExchangeWorld

LISTED: dict[str, Callable[[], AbstractContextManager[Listed]]] = {"reddit": RedditWorld}
LOOKED_UP: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "reddit": RedditWorld,
    "hackernews": HackerNewsWorld,
    "mastodon": MastodonWorld,
    "stackexchange": StackExchangeWorld,
}
CHECKED: dict[str, Callable[[], AbstractContextManager[Any]]] = {"reddit": RedditWorld}
LEAVING_OUT = {"stackexchange"}
DELETING: dict[str, Callable[[], AbstractContextManager[Any]]] = {"replay": ReplayWorld}
WRITTEN: dict[str, Callable[[], AbstractContextManager[Written]]] = {**LISTED, "replay": ReplayWorld}
WORLDS: dict[str, Callable[[], AbstractContextManager[World]]] = {
    **WRITTEN,
    "canary": CanaryWorld,
    "feeds": FeedsWorld,
    "hackernews": HackerNewsWorld,
    "mastodon": MastodonWorld,
    "stackexchange": StackExchangeWorld,
}
STREAMED: dict[str, Callable[[], AbstractContextManager[Streamed]]] = {
    "bluesky v1": partial(BlueskyWorld, "v1"),
    "bluesky v2": partial(BlueskyWorld, "v2"),
}
