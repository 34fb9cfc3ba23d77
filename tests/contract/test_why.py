"""``overheard why``: the way of a mention to each channel, and where the way of an item without one ended."""

from __future__ import annotations

from typing import Any

import pytest

from overheard.db import channels, deliveries, erasure, source_health, storing
from overheard.db.database import Db
from overheard.db.models import Channel, Delivery, FailedTry, Feed, Gap, Mention, Poll, Workspace
from overheard.errors import NotFound
from overheard.operations import why
from overheard.operations.way_step import Way
from overheard.workspaces import QuerySpec
from tests.fixtures import Clock, World


def tell(world: World, number: int, *workspaces: int, **fields: Any) -> None:
    """Store a mention of item ``number``, a second after the last one."""
    message = world.matched((world.item(number, **fields), workspaces), poll=f"poll {number}")
    storing.store(world.db, message, world.clock.advance(1))


def change(db: Db, **values: Any) -> str:
    """Change the only delivery; return its id."""
    Delivery.update(values).where(Delivery.kind == "mention").execute(db.peewee)
    return str(Delivery.select(Delivery.id).where(Delivery.kind == "mention").scalar(db.peewee))


def told(world: World, item: str) -> list[tuple[str, str | None, str]]:
    """Return (step, channel, reason) of an item's way to acme."""
    [way] = why.of_item(world.db, "acme", item, world.clock()).ways
    return [(step.step, step.channel, step.reason) for step in way.steps]


def last(world: World, item: str) -> tuple[str, str | None, str]:
    return told(world, item)[-1]


def reasons(way: Way) -> list[str]:
    return [step.reason for step in way.steps]


def test_the_way_of_a_mention_that_was_sent(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    Poll.insert(id="poll 1", started_at=clock() + 0.5).execute(db.peewee)
    Workspace.update(timezone="Europe/Berlin").execute(db.peewee)
    tell(world, 1, acme)
    key = change(db, attempts=2)
    FailedTry.insert(delivery=key, at=clock() + 1, error="503").execute(db.peewee)
    deliveries.mark_sent(db, key, clock() + 9)
    answer = why.of_item(db, "acme", "t3_1", clock())
    assert answer.timezone == "Europe/Berlin"
    [way] = answer.ways
    assert way.title == "On acme"
    assert way.facts == ("r/Python", "by u/someone", "item t3_1", "mention 1")
    assert [(step.at, step.step, step.channel, step.reason) for step in way.steps] == [
        (clock() - 0.5, "read", None, "item t3_1 in r/Python, published 1 s before it was stored, in logs reddit:t3_1"),
        (clock(), "matched", None, "by brand"),
        (clock(), "stored", None, "as mention 1"),
        (clock(), "routed", "team", f"to be sent, as delivery {key}"),
        (clock() + 1, "tried", "team", "503"),
        (clock() + 9, "sent", "team", f"the receiver accepted {key} at try 2"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "1",
        "t3_1",
        "https://www.reddit.com/r/Python/comments/1/",
        "https://www.reddit.com/r/Python/comments/1",
        "https://old.reddit.com/r/Python/comments/1/on_acme/?utm_source=share#x",
        " t3_1 ",
    ],
)
def test_an_item_has_several_names(world: World, db: Db, name: str) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    tell(world, 1, acme)
    tell(world, 2, acme, bolt)
    assert ("stored", None, "as mention 1") in told(world, name)


def test_an_item_of_another_source_is_found_by_its_address(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    tell(world, 1, acme, permalink="https://mastodon.social/@ann/1")
    assert ("stored", None, "as mention 1") in told(world, "https://mastodon.social/@ann/1#c")
    assert last(world, "https://mastodon.social/@ann/2")[0] == "read"


def test_what_holds_it_is_told(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(digest="0 9 * * *")
    tell(world, 1, acme)
    key = change(db, state="held", held_by="digest")
    assert last(world, "t3_1") == ("held", "team", "kept for the digest; the digest is due in 24 h")
    change(db, state="muted", held_by="mute: author automod")
    assert last(world, "t3_1") == (
        "held", "team", f"muted by the rule author automod; `overheard deliveries retry {key}` sends it all the same"
    )  # fmt: skip
    change(db, state="pending", held_by="quiet hours", due_at=clock() + 3600)
    assert told(world, "t3_1")[-2:] == [
        ("held", "team", "held by quiet hours"),
        ("held", "team", "due then, with what else waits"),
    ]
    channels.disable(db, world.channel(acme), "gone (410)", clock())
    change(db, state="held", held_by="channel disabled")
    enable = "the channel is disabled (gone (410)); `overheard channel enable acme team` sends what waits"
    assert last(world, "t3_1") == ("held", "team", enable)


def test_what_waits_or_failed_is_told(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    tell(world, 1, acme)
    clock.advance(300)
    assert last(world, "t3_1")[2].startswith("due for 5 min, and not sent yet: `overheard status`")
    change(db, due_at=clock() + 60, attempts=3, error="503")
    assert last(world, "t3_1") == ("held", "team", "waits for its next try, after: 503")
    change(db, state="failed", attempts=10, error="413")
    assert last(world, "t3_1") == ("failed", "team", "given up after 10 tries: 413")


def test_what_was_folded_goes_the_way_of_its_message(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    tell(world, 1, acme)
    Delivery.insert(
        id="msg_sum", kind="summary", channel=world.channel(acme), state="pending", due_at=clock(), created_at=clock()
    ).execute(db.peewee)
    change(db, state="bundled", bundle="msg_sum", held_by="limit")
    FailedTry.insert(delivery="msg_sum", at=clock() + 1, error="timeout").execute(db.peewee)
    deliveries.mark_sent(db, "msg_sum", clock() + 2)
    assert told(world, "t3_1")[-4:] == [
        ("held", "team", "more than the channel wants as messages of their own"),
        ("held", "team", "put into mentions.summary msg_sum with 1 mention"),
        ("tried", "team", "timeout"),
        ("sent", "team", "the receiver accepted msg_sum"),
    ]


def test_channels_that_do_not_get_it_say_why(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(channels={})
    tell(world, 1, acme)
    assert last(world, "t3_1") == ("routed", None, "sent nowhere: the workspace has no channel")
    world.workspace(channels={"team": "instant"}, queries={"brand": "acme", "other": "nut"})
    Channel.update(queries='["other"]', created_at=clock() - 9).execute(db.peewee)
    assert last(world, "t3_1") == ("routed", "team", "not sent there: the channel hears only of other")
    Channel.update(created_at=clock() + 9).execute(db.peewee)
    assert last(world, "t3_1") == ("routed", "team", "not sent there: the channel was added later")


def test_what_is_older_than_the_watch_was_sent_nowhere(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    tell(world, 1, acme, created_at=clock() - 7200)
    told_why = "sent nowhere: it was published 2 h before the workspace watched r/Python"
    assert last(world, "t3_1") == ("routed", None, told_why)
    Mention.update(backfilled=True).execute(db.peewee)
    tell(world, 2, acme)
    Mention.update(backfilled=True).execute(db.peewee)
    assert "`overheard query apply` found it" in last(world, "t3_2")[2]


# -- items without a mention


def test_an_item_in_a_place_that_is_not_watched(world: World, db: Db) -> None:
    world.workspace("acme", kinds=("posts",))
    bolt = world.workspace("bolt", subreddits=("rust", "python"), kinds=("posts", "comments"))
    tell(world, 1, bolt, place="Rust")
    assert last(world, "t3_1") == ("read", None, "not for acme, which watches neither r/Rust nor all of reddit")
    tell(world, 2, bolt, kind="comment")
    assert last(world, "t1_2") == ("read", None, "not for acme, which watches only posts of it")
    page = "https://www.reddit.com/r/golang/comments/zz9/"
    assert last(world, page) == ("read", None, "not for acme: r/golang is not watched: it watches r/python")


def test_an_item_that_no_query_matches_and_which_nearly_does(world: World, db: Db) -> None:
    world.workspace(
        queries={
            "brand": "acme AND slow",
            "excluded": "acme AND NOT number",
            "none": "widget",
            "scoped": QuerySpec("scoped", "acme", places=("python",), kinds=("comments",)),
        },
        kinds=("posts", "comments"),
    )
    bolt = world.workspace("bolt")
    tell(world, 1, bolt)
    assert [reason for _, _, reason in told(world, "t3_1")][1:] == [
        "none of its 4 queries matches it",
        "query scoped matches its text, but is limited to place:python AND is:comment",
        "query brand nearly matches: it finds acme, but lacks slow",
        "query excluded nearly matches: it finds acme, but excludes number, which is there",
    ]


def test_an_item_that_a_query_matches_only_now(world: World, db: Db, clock: Clock) -> None:
    world.workspace()
    bolt = world.workspace("bolt")
    tell(world, 1, bolt)
    step, _, reason = last(world, "t3_1")
    assert step == "matched"
    assert "query brand matches it now" in reason
    assert "`overheard query apply acme brand` finds it" in reason
    Workspace.update(active=False).where(Workspace.slug == "acme").execute(db.peewee)
    assert any("is paused" in reason for _, _, reason in told(world, "t3_1"))


def test_an_erased_item_says_so(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    tell(world, 1, acme)
    erasure.erase_keys(db, [("reddit", "t3_1")], clock())
    [way] = why.of_item(db, "acme", "t3_1", clock()).ways
    assert [(step.at, step.step) for step in way.steps] == [(None, "read"), (clock(), "stored")]
    assert "deleted at its source" in way.steps[1].reason


def test_an_item_that_is_not_stored_says_how_the_reading_goes(world: World, db: Db, clock: Clock) -> None:
    world.workspace()
    [way] = why.of_item(db, "acme", "t3_9", clock()).ways
    assert "not read, or no query matched it" in reasons(way)[0]
    assert reasons(way)[1:] == ["reddit was not read yet, or is about to be read again"]
    Gap.insert(feed=world.feed().id, reason="too many", found_at=clock() - 3600).execute(db.peewee)
    assert last(world, "t3_9") == ("read", None, "a gap in r/python, open: too many")
    Workspace.update(active=False).execute(db.peewee)
    [way] = why.of_item(db, "acme", "t3_9", clock()).ways
    assert [step.step for step in way.steps][:2] == ["read", "matched"], "every way begins with the reading"


# -- a time


def test_the_mentions_around_a_time(world: World, db: Db, clock: Clock) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    began = clock()
    tell(world, 1, acme)
    clock.advance(3000)
    tell(world, 2, acme, bolt, created_at=began + 60)
    tell(world, 3, bolt)
    tell(world, 4, acme)
    answer = why.around(db, "acme", began + 30, clock())
    assert [way.facts[2] for way in answer.ways] == ["item t3_1", "item t3_2"], "one was published then, and read later"
    assert (answer.since, answer.until, answer.more) == (began - 570, began + 630, False)


def test_what_is_sent_or_due_at_a_time_belongs_to_it(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    tell(world, 1, acme)
    later = clock() + 7200
    assert "no mention was stored" in reasons(why.around(db, "acme", later, clock()).ways[0])[0]
    change(db, due_at=later)
    assert [way.facts[2] for way in why.around(db, "acme", later, clock()).ways] == ["item t3_1"]
    change(db, due_at=clock(), state="sent", sent_at=later)
    assert [way.facts[2] for way in why.around(db, "acme", later, clock()).ways] == ["item t3_1"]


def test_many_mentions_are_bounded(world: World, db: Db, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(why, "MAX_MENTIONS", 2)
    acme = world.workspace()
    for number in (1, 2, 3):
        tell(world, number, acme)
    answer = why.around(db, "acme", clock(), clock())
    assert (len(answer.ways), answer.more) == (2, True)


def test_a_time_without_mentions_says_how_the_reading_went(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(subreddits=("python", "rust"))
    tell(world, 1, acme)
    now = clock.advance(7200)
    source_health.record_failure(db, "reddit", "it answers 503", now - 600, now)
    Feed.update(failures=1, reason="private", retry_at=now + 1800).where(Feed.place == "rust").execute(db.peewee)
    Gap.insert(feed=world.feed().id, reason="too many", found_at=now, from_at=now - 60, to_at=now).execute(db.peewee)
    [way] = why.around(db, "acme", now, clock()).ways
    said = reasons(way)
    assert said[0] == "no mention was stored; the last one before was stored 2 h earlier"
    assert "reddit has not answered for 10 min: it answers 503" in said
    assert "r/rust is refused: private; it is tried again then" in said
    assert "a gap in r/python, open: too many" in said


def test_a_workspace_that_there_is_not_is_an_error(world: World, db: Db) -> None:
    world.workspace()
    with pytest.raises(NotFound, match="no workspace 'nobody'"):
        why.of_item(db, "nobody", "t3_1", 0.0)
    with pytest.raises(NotFound):
        why.around(db, "nobody", 0.0, 0.0)
