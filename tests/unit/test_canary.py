"""The canary's names are valid, and cannot occur on Reddit."""

from __future__ import annotations

import pytest

from overheard import canary
from overheard.errors import InvalidInput
from overheard.matching.index.query_index import QueryIndex
from overheard.matching.language import parse
from overheard.sources import ReadRequest
from overheard.sources.canary import CanarySource
from overheard.sources.reddit.names import SUBREDDIT
from overheard.workspaces import read


def test_the_feed_cannot_be_a_subreddits_name() -> None:
    assert not SUBREDDIT.fullmatch(canary.PLACE)


def test_the_query_matches_the_item() -> None:
    index: QueryIndex = QueryIndex()
    index.add(1, parse(canary.QUERY))
    (item,) = (
        CanarySource(clock=lambda: 1_795_424_400.0)
        .read(ReadRequest(kind="posts", places=(canary.PLACE,)), budget=None)
        .items
    )  # type: ignore[arg-type]
    assert [hit.key for hit in index.match(item)] == [1]


def test_the_workspaces_name_is_reserved() -> None:
    text = f'[[workspace]]\nslug = "{canary.WORKSPACE}"\nsubreddits = ["python"]\n'
    with pytest.raises(InvalidInput, match="Overheard's own"):
        read(text, "acme.toml")
