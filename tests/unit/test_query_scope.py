"""A query that is limited to some of what its workspace watches."""

from __future__ import annotations

from typing import Any

import pytest

from overheard.errors import InvalidInput
from overheard.operations.workspaces import redacted
from overheard.workspaces import QuerySpec, WatchSpec, WorkspaceSpec, read, validated, write
from overheard.workspaces.query_scope import SCOPE_MAX_NAMES

SECRET_FEED = "https://example.org/feed?token=s3cr3tT0ken9f8e7d6c5b"
FILE = f"""
[[workspace]]
slug = "acme"
subreddits = ["Python", "rust"]
kinds = ["posts"]
  [[workspace.watch]]
  source = "hackernews"
  [[workspace.watch]]
  source = "mastodon"
  places = ["mastodon.social/#Python", "fosstodon.org"]
  kinds = ["posts", "comments"]
  [[workspace.watch]]
  source = "feeds"
  places = ["https://lobste.rs/newest.rss", "{SECRET_FEED}"]
  [[workspace.query]]
  name = "brand"
  text = "acme"
"""


def scoped(**scope: Any) -> QuerySpec:
    """The query after validation, with this scope."""
    [spec] = read(FILE, "x")
    [query] = validated(spec_with(spec, **scope)).query
    return query


def spec_with(spec: WorkspaceSpec, **scope: Any) -> WorkspaceSpec:
    fields = {name: getattr(spec, name) for name in WorkspaceSpec.__struct_fields__}
    return WorkspaceSpec(**fields | {"query": (QuerySpec("brand", "acme", **scope),)})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"places": ("r/python", "/r/PYTHON/")}, {"places": ("PYTHON",)}),
        ({"places": ("https://www.reddit.com/r/Rust/new/",)}, {"places": ("Rust",)}),
        ({"places": ("mastodon.social/#PYTHON", "rust")}, {"places": ("mastodon.social/#python", "rust")}),
        ({"places": ("https://lobste.rs/newest.rss",)}, {"places": ("https://lobste.rs/newest.rss",)}),
        ({"places": (SECRET_FEED,)}, {"places": (SECRET_FEED,)}),
        ({"sources": ("hackernews", "reddit", "hackernews")}, {"sources": ("hackernews", "reddit")}),
        ({"sources": ("hackernews",), "places": ("all",)}, {"sources": ("hackernews",)}),
        ({"places": ("ALL",)}, {}),
        ({"sources": ("reddit",), "places": ("rust",)}, {"sources": ("reddit",), "places": ("rust",)}),
        ({"kinds": ("comments", "posts", "posts")}, {"kinds": ("posts", "comments")}),
        ({"kinds": ("comments",), "sources": ("mastodon",)}, {"kinds": ("comments",), "sources": ("mastodon",)}),
        ({}, {}),
    ],
)
def test_a_scope_is_written_as_the_sources_write_it(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert scoped(**given) == QuerySpec("brand", "acme", **expected)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"places": ("golang",)},
            "query 'brand': places: the workspace does not watch r/golang; it watches r/python, ",
        ),
        ({"places": ("a b",)}, "places: 'a b' is not a place of reddit or hackernews or mastodon or feeds; it watches"),
        ({"places": ("mastodon.social",)}, "does not watch Mastodon mastodon.social; it watches"),
        ({"places": ("https://example.org/other",)}, "does not watch https://example.org/other"),
        (
            {"sources": ("hackernews",), "places": ("python",)},
            "'python' is not a place of hackernews; it watches Hacker",
        ),
        ({"sources": ("hackernews", "reddit"), "places": ("rust",)}, "none of its places is one of hackernews"),
        ({"sources": ("bluesky",)}, "does not watch bluesky; it watches reddit, hackernews, mastodon, feeds"),
        ({"sources": ("redit",)}, "sources: 'redit' is not known; valid: "),
        ({"sources": ("canary",)}, "sources: 'canary' is not known; valid: "),
        ({"sources": ("redit",), "places": ("rust",)}, "sources: 'redit' is not known; valid: "),
        ({"places": ("rust", "all")}, "'all' beside other places"),
        ({"places": ("rust",), "kinds": ("comments",)}, "does not watch comments of these places"),
        ({"sources": ("reddit",), "kinds": ("comments",)}, "does not watch comments of reddit"),
        ({"places": ("rust",) * (SCOPE_MAX_NAMES + 1)}, "places: 201 names, 200 are allowed"),
        ({"sources": ("reddit",) * (SCOPE_MAX_NAMES + 1)}, "sources: 201 names, 200 are allowed"),
        ({"places": ("x" * 100_000,)}, "is not a place of"),
        ({"places": ("\ud800",)}, "is not a place of"),
        ({"places": ("",)}, "is not a place of"),
    ],
)
def test_what_can_never_match_is_refused_with_what_is_watched(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        scoped(**given)
    assert message in str(refused.value)
    assert len(str(refused.value)) < 1500
    assert "s3cr3tT0ken" not in str(refused.value)


def test_comments_of_a_workspace_that_watches_posts_only() -> None:
    spec = WorkspaceSpec(slug="acme", subreddits=("all",), kinds=("posts",))
    with pytest.raises(InvalidInput, match=r"does not watch comments$"):
        validated(spec_with(spec, kinds=("comments",)))
    assert validated(spec_with(spec, places=("anything",))).query[0].places == ("anything",), "it watches all of Reddit"


def test_a_scope_is_written_and_read_again() -> None:
    [spec] = read(FILE, "x")
    spec = validated(spec_with(spec, places=("rust", SECRET_FEED), sources=("reddit", "feeds"), kinds=("posts",)))
    text = write([spec])
    assert f'  places = ["rust", "{SECRET_FEED}"]\n  sources = ["reddit", "feeds"]\n  kinds = ["posts"]' in text
    assert read(text, "x") == [spec]
    assert "s3cr3tT0ken" not in write([redacted(spec)])
    assert '"rust"' in write([redacted(spec)])


def test_a_misspelt_key_is_named_with_the_valid_ones() -> None:
    with pytest.raises(
        InvalidInput,
        match="query 'brand': unknown key 'place'; valid: name, text, places, sources, kinds; did you mean places",
    ):
        read(f'{FILE}  place = ["rust"]', "x")
    with pytest.raises(InvalidInput, match="valid: posts, comments"):
        read(f'{FILE}  kinds = ["post"]', "x")


def test_a_query_of_an_unknown_watch_is_not_blamed_for_it() -> None:
    watch = (WatchSpec("redit", ("x",)),)
    with pytest.raises(InvalidInput) as refused:
        validated(WorkspaceSpec(slug="acme", watch=watch, query=(QuerySpec("brand", "acme", kinds=("posts",)),)))
    assert "redit" in str(refused.value)
