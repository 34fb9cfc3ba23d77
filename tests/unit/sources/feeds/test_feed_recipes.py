"""The feeds of the sites in docs/sources.md: each fixture is written by hand, in its site's format."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from overheard.sources.feeds.names import check_place, public_place
from tests.fixtures import MONDAY
from tests.project import ROOT
from tests.unit.sources.feeds.world import FeedReader

FIXTURES = Path(__file__).parent / "fixtures"


class Expected(NamedTuple):
    url: str  # the recipe's
    title: str
    author: str
    permalink: str
    body: str  # a part of it
    link: str = ""
    pause: float = 900.0
    age: float = 579.0  # at 2026-11-23T09:00:00Z


RECIPES = {
    "lobsters.rss": Expected(
        "https://lobste.rs/newest.rss",
        "Acme DB 2 & its new planner",
        "ann",
        "https://lobste.rs/s/abc123/acme_db_2_its_new_planner",
        "A write-up of the planner.",
        "https://blog.acme.example/planner",
        7200.0,
    ),
    "discourse.rss": Expected(
        "https://meta.discourse.org/latest.rss",
        "How do I move to Acme DB 2?",
        "bob",
        "https://forum.acme.example/t/how-do-i-move/42",
        "The upgrade stops at “step 3”.",
    ),
    "github_releases.atom": Expected(
        "https://github.com/OWNER/NAME/releases.atom",
        "v2.0.0",
        "ann",
        "https://github.com/acme/db/releases/tag/v2.0.0",
        "A planner (#7)",
    ),
    "github_discussions.atom": Expected(
        "https://github.com/OWNER/NAME/discussions.atom",
        "Is Acme DB fast enough?",
        "bob",
        "https://github.com/acme/db/discussions/9",
        "Compared with others.",
        age=1200.0,
    ),
    "devto.rss": Expected(
        "https://dev.to/feed/tag/TAG",
        "From Postgres to Acme DB",
        "Ann Example",
        "https://dev.to/ann/from-postgres-to-acme-db-1abc",
        "Three steps:\n\nacme import",
    ),
    "youtube.xml": Expected(
        "https://www.youtube.com/feeds/videos.xml?channel_id=ID",
        "Acme DB in ten minutes",
        "Acme Talks",
        "https://www.youtube.com/watch?v=aBcDeFgHiJk",
        "What it is, & what it is not.",
    ),
    "stackexchange.atom": Expected(
        "https://stackoverflow.com/feeds/tag?tagnames=TAG&sort=newest",
        "Copy a table from Acme DB to PostgreSQL",
        "bob",
        "https://stackoverflow.com/questions/79000001/copy-a-table",
        "I have a table of 2 < 3 columns.",
    ),
    "lemmy.xml": Expected(
        "https://lemmy.world/feeds/c/NAME.xml?sort=New",
        "Acme DB on a Raspberry Pi",
        "https://lemmy.example/u/ann",
        "https://lemmy.example/post/77",
        "It runs.",
        "https://blog.acme.example/pi",
    ),
    "google_news.xml": Expected(
        "https://news.google.com/rss/search?q=WORDS&hl=en-US&gl=US&ceid=US:en",
        "Acme DB raises money - Example Times",
        '"acme db" - Google News',
        "https://news.google.com/rss/articles/CBMiAcmeAcme?oc=5",
        "Acme DB raises money",
    ),
    "reddit_personal.rss": Expected(
        "https://www.reddit.com/.rss?feed=HASH&user=NAME",
        "Acme DB at home",
        "/u/bob",
        "https://www.reddit.com/r/selfhosted/comments/1abcde/acme_db_at_home/",
        "We run Acme DB at home.",
    ),
}


def test_every_fixture_is_tested() -> None:
    assert {path.name for path in FIXTURES.iterdir()} == RECIPES.keys()


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_works(name: str) -> None:
    expected = RECIPES[name]
    with FeedReader() as reader:
        reader.simulator.serve("/", (FIXTURES / name).read_bytes())
        page = reader.read(reader.url("/"))
        [item] = page.items
        assert reader.read(reader.url("/")).items == (), "known by now"
    seen = (item.title, item.author or "", item.permalink, expected.body, item.url, page.pause)
    found = Expected(expected.url, *seen, MONDAY - item.created_at)
    assert found == expected
    assert expected.body in item.body
    assert "0a1b2c3d" not in repr(item), "a secret of the feed"


@pytest.mark.parametrize("name", RECIPES)
def test_the_docs_name_its_address(name: str) -> None:
    url = RECIPES[name].url
    assert check_place(url) == url
    assert public_place(url) == url
    assert f"`{url}`" in (ROOT / "docs" / "sources.md").read_text()
