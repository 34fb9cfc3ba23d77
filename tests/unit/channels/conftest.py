"""Options and sample notices for tests of transports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from overheard.channels import ChannelOptions
from overheard.notices import MatchReason, Notice, PublicMention

BODY = "We moved from Rival to acme db last week and it is great."


@pytest.fixture
def options() -> ChannelOptions:
    return ChannelOptions(allow_private=True, timeout=20.0, user_agent="Overheard/test")


@pytest.fixture
def strict() -> ChannelOptions:
    return ChannelOptions(allow_private=False, timeout=20.0, user_agent="Overheard/test")


@pytest.fixture
def mention() -> Callable[..., PublicMention]:
    def make(**changes: Any) -> PublicMention:
        body = changes.get("body", BODY)
        at = body.find("acme db")
        values: dict[str, Any] = {
            "workspace": "acme",
            "item": "t1_abc",
            "kind": "comment",
            "subreddit": "python",
            "author": "alice",
            "title": "Which database do you use?",
            "body": body,
            "permalink": "/r/python/comments/xyz/which/abc/",
            "created_at": "2026-03-04T05:06:07Z",
            "stored_at": "2026-03-04T05:06:09Z",
            "queries": ("brand",),
            "highlights": (("body", at, at + 7),) if at >= 0 else (),
            "id": "17",
            "source": "reddit",
            "place": "python",
            "thread": "t3_xyz",
            "thread_title": "Which database do you use?",
            "url": "",
            "query_ids": (1,),
            "backfilled": False,
            "why": (MatchReason(1, '"acme db"', "body", at, at + 7),) if at >= 0 else (),
        }
        return PublicMention(**{**values, **changes})

    return make


@pytest.fixture
def notice(mention: Callable[..., PublicMention]) -> Callable[..., Notice]:
    def make(**changes: Any) -> Notice:
        """Return a notice of one mention, with ``changes`` to it."""
        one = mention(**changes)
        return Notice(id="dlv_17", type="mention.created", workspace="acme", mentions=(one,))

    return make
