"""The canary's names: of the form that Reddit's have, and out of Reddit's reach."""

from __future__ import annotations

import pytest

from overheard import canary
from overheard.errors import InvalidInput
from overheard.items import FULLNAME, number_of
from overheard.matching.index import QueryIndex
from overheard.matching.language import parse
from overheard.sources import ReadRequest
from overheard.sources.canary import CanarySource
from overheard.workspace_file import SUBREDDIT, read


def test_names_are_fullnames_that_rise_and_that_reddit_never_reaches() -> None:
    moments = [0.0, 1.5, 1_795_424_400.0, 1_795_424_401.9, 2_100_000_000.0]
    names = [canary.name_at(moment) for moment in moments]
    assert len(set(names)) == len(names)
    assert sorted(names, key=number_of) == names
    assert all(FULLNAME.fullmatch(name) and canary.is_canary(name) for name in names)
    assert number_of(names[0]) > 36**11, "seven digits are what Reddit has needed in twenty years"
    assert number_of(canary.name_at(2**40)) < 2**63, "a database's integers"
    assert not canary.is_canary("t3_1pcanary")
    assert not canary.is_canary("t1_canaryaaaaaa")


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
