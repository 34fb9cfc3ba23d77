"""The canary's names: of the form that Reddit's have, and out of Reddit's reach."""

from __future__ import annotations

import pytest

from overheard import canary
from overheard.errors import InvalidInput
from overheard.matching.index import QueryIndex
from overheard.matching.language import parse
from overheard.sources import ReadRequest
from overheard.sources.canary import CanarySource
from overheard.sources.reddit.names import SUBREDDIT
from overheard.workspaces import read


def test_its_feed_is_no_subreddits_name() -> None:
    assert not SUBREDDIT.fullmatch(canary.FEED)


def test_its_query_finds_it() -> None:
    index: QueryIndex = QueryIndex()
    index.add(1, parse(canary.QUERY))
    (item,) = CanarySource().read(ReadRequest(kind="posts", places=(canary.FEED,)), budget=None).items  # type: ignore[arg-type]
    assert [hit.key for hit in index.match(item.fields)] == [1]


def test_nobody_else_may_have_its_workspaces_name() -> None:
    text = f'[[workspace]]\nslug = "{canary.WORKSPACE}"\nsubreddits = ["python"]\n'
    with pytest.raises(InvalidInput, match="Overheard's own"):
        read(text, "acme.toml")
