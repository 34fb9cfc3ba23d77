"""What a query would find, from the sample."""

from __future__ import annotations

from typing import Any

import pytest

from overheard.db.database import Db
from overheard.errors import NotFound
from overheard.items import Item
from overheard.matching.language import parse
from overheard.operations import query_preview
from overheard.operations.narrower_queries import narrower, within_place, without_author
from overheard.operations.query_preview import NarrowerQuery, PlaceHits, Preview
from overheard.workspaces import WatchSpec
from tests.fixtures import Clock, World

DAY = 86400.0


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def items(world: World, clock: Clock) -> list[Item]:
    """In the sample of a day; 41 of these 60 items have the word linear, three of them as a name."""
    world.workspace(subreddits=["python", "math"])
    clock.advance(2 * DAY)
    fields: dict[str, Any] = {"title": "", "created_at": clock() - 3600}
    names = [
        world.item(number, body="We track issues in Linear", author=f"n{number}", **fields) for number in (1, 2, 3)
    ]
    words = [
        world.item(number, body="a linear map", place="math", author=f"w{number}", **fields) for number in range(4, 32)
    ]
    link = [world.item(number, body="https://example.org/linear/x", author="bot", **fields) for number in range(32, 42)]
    others = [world.item(number, body="something else", **fields) for number in range(42, 61)]
    made = [*names, *words, *link, *others]
    world.sample(*made)
    return made


def tried(db: Db, clock: Clock, text: str, slug: str = "acme") -> Preview:
    return query_preview.preview(db, slug, parse(text), now=clock(), seconds=DAY)


def test_hits_are_counted_by_place_and_per_day(world: World, db: Db, clock: Clock, items: list[Item]) -> None:
    found = tried(db, clock, "linear")
    assert (found.sampled, found.hits) == (60, 41)
    # Sampling began with the first item, a moment ago: all of them count for the hour that they are old.
    assert (found.per_day, found.hours) == (pytest.approx(41 * 24), 1)
    assert found.by_place == (
        PlaceHits("reddit", "math", 28, pytest.approx(28 * 24)),
        PlaceHits("reddit", "Python", 13, pytest.approx(13 * 24)),
    )
    assert found.shown[0].highlights
    assert len(found.shown) == 41


def test_small_changes_that_would_help_are_suggested(db: Db, clock: Clock, items: list[Item]) -> None:
    assert tried(db, clock, "linear").suggestions == (
        NarrowerQuery("=Linear", 3),
        NarrowerQuery("linear -in:link", 31),
        NarrowerQuery("linear place:math", 28),
    )
    by_bot = NarrowerQuery("(linear AND place:python) -author:bot", 3)
    assert by_bot in tried(db, clock, "linear place:python").suggestions


def test_changes_that_leave_all_or_nothing_are_not_suggested(db: Db, clock: Clock, items: list[Item]) -> None:
    assert tried(db, clock, "issues").suggestions == ()
    assert tried(db, clock, "nothing") == Preview(60, 0, 0.0, 1, (), (), (), most_per_day=3 * 24)


def test_what_begins_a_sentence_is_not_taken_for_a_name(world: World, db: Db, clock: Clock) -> None:
    world.workspace(subreddits=["python"])
    texts = ("Looking for a job", "Hi! Looking for a job", "looking for a job", "I am looking for the Looking Glass")
    world.sample(*[world.item(at, title="", body=text, created_at=clock()) for at, text in enumerate(texts)])
    assert tried(db, clock, '"looking for"').suggestions == ()
    assert tried(db, clock, "looking").suggestions == (NarrowerQuery("=Looking", 3),)


def test_a_place_is_suggested_if_it_has_a_good_part_of_the_hits(world: World, db: Db, clock: Clock) -> None:
    world.workspace(subreddits=[f"p{at}" for at in range(6)])
    places = [f"p{at % 6}" for at in range(12)]
    world.sample(*[world.item(at, body="acme", place=place, created_at=clock()) for at, place in enumerate(places)])
    found = tried(db, clock, "body:acme")
    assert len(found.by_place) == 6
    assert found.suggestions == ()


def test_a_source_without_places_is_suggested_as_a_source(world: World, db: Db, clock: Clock) -> None:
    world.workspace(subreddits=["python"], watch=(WatchSpec("hackernews", ("all",)),))
    fields: dict[str, Any] = {"title": "", "body": "acme", "created_at": clock()}
    world.sample(
        *[world.item(at, source="hackernews", place="all", **fields) for at in range(3)],
        world.item(4, **fields),
    )
    assert tried(db, clock, "acme").suggestions == (NarrowerQuery("acme source:hackernews", 3),)


def test_of_very_many_hits_some_stand_for_all(
    db: Db, clock: Clock, items: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_preview, "MAX_TRIED", 10)  # three names and seven others
    monkeypatch.setattr(query_preview, "MAX_SHOWN", 5)
    found = tried(db, clock, "linear")
    assert (found.hits, len(found.shown)) == (41, 5)
    assert found.suggestions[0] == NarrowerQuery("=Linear", 12)


def test_only_the_workspace_s_places_are_read(world: World, db: Db, clock: Clock, items: list[Item]) -> None:
    world.workspace("bolt", subreddits=["math"])
    found = tried(db, clock, "linear", "bolt")
    assert (found.sampled, found.hits) == (28, 28)
    world.workspace("new", subreddits=["go"])
    assert tried(db, clock, "linear", "new").sampled == 0
    with pytest.raises(NotFound):
        tried(db, clock, "linear", "nobody")


def test_a_private_feed_s_token_is_shown_nowhere(world: World, db: Db, clock: Clock) -> None:
    url = "https://example.org/feed?token=s3cret"
    world.workspace(watch=(WatchSpec("feeds", (url,)),), subreddits=[])
    clock.advance(DAY)
    world.sample(*[world.item(number, source="feeds", place=url, author="ann") for number in range(1, 10)])
    found = tried(db, clock, "acme")
    assert found.hits == 9
    assert "s3cret" not in str((found.by_place, found.suggestions))
    assert [place.hits for place in found.by_place] == [9]


def test_a_changed_query_can_be_read_again() -> None:
    def texts(query: str, **forms: str) -> list[str]:
        return [text for text, _ in narrower(parse(query), forms)]

    assert texts("acme db", acme="Acme", db="DB") == [
        "=Acme AND db", "acme AND =DB", "(acme AND db) -in:link", "title:(acme AND db)",
    ]  # fmt: skip
    assert texts('"Acme DB"')[0] == '="Acme DB"'
    assert texts("acme")[0] == "acme -in:link", "in capitals it is never written"
    assert texts("domain:acme.com") == [], "it looks in addresses alone"
    assert "title:(acme AND title:db)" not in texts("acme title:db")
    assert within_place(parse("a b"), "mastodon.social/#x") == '(a AND b) place:"mastodon.social/#x"'
    assert without_author(parse("acme"), "bob smith") == 'acme -author:"bob smith"'
    assert without_author(parse("acme"), 'x" OR y') is None
    assert without_author(parse("acme"), "") is None
