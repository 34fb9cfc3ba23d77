"""match: the index is in step with the database, and every part goes on to store."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from actors.match import Matcher, merged
from overheard.db import queries, specs
from overheard.db.connect import Db
from overheard.db.models import Query
from overheard.errors import Unavailable
from overheard.messages import ItemsFetched, ItemsMatched, Target


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def matcher(db: Db, sent: Any, metrics: Any) -> Matcher:
    return Matcher(db=db, send=sent, metrics=metrics)


@pytest.fixture
def wanted(matcher: Matcher, sent: Any) -> Any:
    """Who wants these items: {workspace: number of its queries that hold} for each."""

    def match(*items: Any) -> list[dict[int, int]]:
        matcher.match(ItemsFetched(poll_id="p", part=0, items=items))
        [message] = sent.take()
        found = {
            entry.item.name: {match.workspace_id: len(match.query_ids) for match in entry.matches}
            for entry in message.items
        }
        return [found.get(item.name, {}) for item in items]

    return match


def test_an_item_goes_on_with_everybody_who_wants_it(world: Any, matcher: Matcher, sent: Any) -> None:
    acme = world.workspace("acme", queries={"a": "acme", "b": "number", "c": "nothing"})
    bolt = world.workspace("bolt", queries={"x": '"on acme"'})
    world.workspace("else", queries={"x": "zebra"})
    item = world.item(title="On acme", body="Acme number 1")
    matcher.match(ItemsFetched(poll_id="p", part=3, items=(item, world.item(7, title="", body="quiet"))))

    [message] = sent
    assert isinstance(message, ItemsMatched)
    [entry] = message.items
    assert entry.item == item
    first, second = entry.matches
    assert (first.workspace_id, first.query_ids) == (acme, (world.query(acme, "a"), world.query(acme, "b")))
    assert first.highlights == (("body", 0, 4), ("body", 5, 11), ("title", 3, 7))
    assert (second.workspace_id, second.highlights) == (bolt, (("title", 0, 7),))


def test_every_part_goes_on_even_when_nobody_wants_anything(world: Any, matcher: Matcher, sent: Any) -> None:
    target = Target(1, (5,), "x", 6.0)
    matcher.match(ItemsFetched(poll_id="p", part=4, items=(world.item(),), parts=5, targets=(target,)))
    assert list(sent) == [ItemsMatched(poll_id="p", part=4, items=(), parts=5, targets=(target,))]


def test_what_very_many_want_goes_on_in_pieces(
    matcher: Matcher, sent: Any, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overheard.portions.MATCHES", 3)  # as the budget's 2,000, with fewer workspaces
    ids = [world.workspace(f"ws{number}", queries={"x": "acme"}) for number in range(7)]
    texts = [world.item(number, title="acme", body="x" * 300_000) for number in (1, 2)]
    matcher.match(ItemsFetched(poll_id="p", part=0, items=tuple(texts), parts=1))

    assert [message.piece for message in sent] == list(range(len(sent)))
    assert {message.pieces for message in sent} == {len(sent)}
    assert len(sent) > 1
    for item in texts:
        entries = [entry for message in sent for entry in message.items if entry.item.name == item.name]
        assert [match.workspace_id for entry in entries for match in entry.matches] == ids
        assert all(len(entry.matches) <= 3 for entry in entries)


def test_only_who_watches_the_subreddit_and_the_kind_hears_of_it(world: Any, wanted: Any) -> None:
    posts = world.workspace("posts", subreddits=["Python"])
    both = world.workspace("both", subreddits=["python"], kinds=["posts", "comments"])
    everything = world.workspace("everything", subreddits=["all"], kinds=["comments"])
    assert wanted(
        world.item(1, subreddit="PYTHON"),
        world.item(2, kind="comment"),
        world.item(3, subreddit="rust"),
        world.item(4, subreddit="rust", kind="comment"),
    ) == [{posts: 1, both: 1}, {both: 1, everything: 1}, {}, {everything: 1}]


def test_a_query_that_is_added_changed_or_removed_counts_at_once(world: Any, wanted: Any) -> None:
    item = world.item(title="alpha beta", body="")
    acme = world.workspace(queries={"a": "alpha"})
    assert wanted(item) == [{acme: 1}]
    world.workspace(queries={"a": "alpha", "b": "beta"})
    assert wanted(item) == [{acme: 2}]
    world.workspace(queries={"a": "gamma", "b": "beta"})
    assert wanted(item) == [{acme: 1}]
    world.workspace(queries={"a": "gamma"})
    assert wanted(item) == [{}]


def test_watches_that_change_count_at_once(world: Any, wanted: Any) -> None:
    item = world.item(subreddit="rust")
    acme = world.workspace(subreddits=["python"])
    assert wanted(item) == [{}]
    world.workspace(subreddits=["python", "rust"])
    assert wanted(item) == [{acme: 1}]
    world.workspace(subreddits=["all"])
    assert wanted(item) == [{acme: 1}]
    world.workspace(subreddits=["python"])
    assert wanted(item) == [{}]


def test_paused_resumed_removed(world: Any, wanted: Any, db: Db) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    item = world.item()
    assert wanted(item) == [{acme: 1, bolt: 1}]
    specs.set_active(db, acme, False)
    assert wanted(item) == [{bolt: 1}]
    specs.set_active(db, acme, True)
    specs.remove(db, bolt)
    assert wanted(item) == [{acme: 1}]


def test_a_query_that_was_spoilt_stays_alone(world: Any, wanted: Any, db: Db) -> None:
    acme, bolt = world.workspace("acme", queries={"a": "acme", "b": "acme number"}), world.workspace("bolt")
    item = world.item()
    assert wanted(item) == [{acme: 2, bolt: 1}]
    for text in ('"never closed', "NOT acme", "", "\x00"):
        Query.update(text=text).where(Query.workspace == acme, Query.name == "a").execute(db.peewee)
        with db.transaction():
            queries.changed(db, acme)
        assert wanted(item) == [{acme: 1, bolt: 1}]


def test_nothing_is_loaded_when_nothing_changed(
    world: Any, wanted: Any, monkeypatch: pytest.MonkeyPatch, metric: Any
) -> None:
    acme = world.workspace(queries={"a": "acme", "b": "b"})
    wanted(world.item())
    assert metric("queries") == 2
    with monkeypatch.context() as patch:
        patch.setattr(queries, "interests", pytest.fail)
        assert wanted(world.item()) == [{acme: 1}]


def test_a_database_that_is_away_during_a_refresh_is_asked_again(
    world: Any, wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = world.workspace()

    def away(*args: Any) -> None:
        raise Unavailable("the database")

    with monkeypatch.context() as patch:
        patch.setattr(queries, "interests", away)
        with pytest.raises(Unavailable):
            wanted(world.item())
    assert wanted(world.item()) == [{acme: 1}]


def test_threads_may_match_while_queries_change(world: Any, matcher: Matcher, db: Db) -> None:
    """What is asked for all the time is found all the time."""
    for number in range(5):
        world.workspace(f"w{number}")
    item = world.item()
    matcher.refresh()
    stop, wrong = threading.Event(), []

    def match() -> None:
        try:
            with db.session():
                while not stop.is_set():
                    matcher.refresh()
                    entry = matcher._match_item(item)
                    if entry is None or {match.workspace_id for match in entry.matches} < {1, 2, 3, 4}:
                        wrong.append(entry)
        except BaseException as error:  # noqa: BLE001 (reported below)
            wrong.append(error)
        finally:
            db.release()

    threads = [threading.Thread(target=match) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(15):
        world.workspace("w4", subreddits=["python", f"sub{number}"], queries={"brand": f"acme OR x{number}"})
    stop.set()
    for thread in threads:
        thread.join(30)
    assert wrong == []


def test_spans_of_several_queries_are_merged() -> None:
    spans = {("title", 0, 4), ("body", 3, 7), ("body", 0, 4), ("body", 7, 9), ("body", 11, 12), ("title", 1, 2)}
    assert merged(spans) == (("body", 0, 9), ("body", 11, 12), ("title", 0, 4))
    assert merged(set()) == ()
