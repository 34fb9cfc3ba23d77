"""The sources that the contract suite (`test_sources.py`) tests, each with its server: one module for each source.

WRITTEN: worlds to which items can be added; LISTED: those of them with a server that lists items backwards; LOOKED_UP:
those that can look items up; DELETING: those whose source reports deletions by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from tests.contract.source_worlds.canary import CanaryWorld
from tests.contract.source_worlds.hackernews import HackerNewsWorld
from tests.contract.source_worlds.protocols import Listed, World, Written
from tests.contract.source_worlds.reddit import RedditWorld
from tests.contract.source_worlds.replay import ReplayWorld

LISTED: dict[str, Callable[[], AbstractContextManager[Listed]]] = {"reddit": RedditWorld}
LOOKED_UP: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "reddit": RedditWorld,
    "hackernews": HackerNewsWorld,
}
DELETING: dict[str, Callable[[], AbstractContextManager[Any]]] = {"replay": ReplayWorld}
WRITTEN: dict[str, Callable[[], AbstractContextManager[Written]]] = {**LISTED, "replay": ReplayWorld}
WORLDS: dict[str, Callable[[], AbstractContextManager[World]]] = {
    **WRITTEN,
    "canary": CanaryWorld,
    "hackernews": HackerNewsWorld,
}
