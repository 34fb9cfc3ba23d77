"""Stored, changed and pruned rows: workspaces, revisions, mentions, dead letters, heartbeats."""

from __future__ import annotations

import math
import threading
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overheard.db import (
    dead_letters,
    deliveries,
    digests,
    heartbeats,
    mentions,
    queries,
    retention,
    storing,
    workspace_specs,
)
from overheard.db.database import Db
from overheard.db.dead_letters import DeadLetterFilter
from overheard.db.mention_filter import MentionFilter
from overheard.db.models import Channel, DeadLetter, Delivery, Feed, FeedGroup, Mention, Query, StoredItem, Watch
from overheard.db.models import Workspace as WorkspaceRow
from overheard.db.retention import DAY_SECONDS, DELETE_BATCH_ROWS, RetentionAges
from overheard.errors import InvalidInput
from overheard.sources.registry import SOURCES
from overheard.sources.source_type import SourceType
from overheard.workspaces import ChannelSpec
from tests.fixtures import PATIENCE, Clock, Race, World

# -- workspaces


def test_a_workspace_comes_back_as_it_was_written(world: World, db: Db) -> None:
    spec = world.spec(
        subreddits=["python", "rust"], kinds=["posts", "comments"], timezone="Europe/Berlin", every="*/5 * * * *",
        queries={"a": 'acme "two words"', "b": "bolt"}, channels={"x": "instant", "y": "digest"},
    )  # fmt: skip
    workspace = world.save(spec)
    assert workspace_specs.load(db, workspace, secrets=False) == spec
    secrets = [channel.secret for channel in workspace_specs.load(db, workspace, secrets=True).channel]
    assert secrets == ["whsec_made", "whsec_made"]


def test_saving_the_same_again_changes_no_id(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(subreddits=["python", "rust"])
    before = {table: world.rows(table) for table in (Watch, Query, Channel, Feed, WorkspaceRow)}
    clock.advance(1000)
    assert world.workspace(subreddits=["python", "rust"]) == acme
    assert {table: world.rows(table) for table in before} == before


def test_changes_keep_the_history_of_what_stays(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(subreddits=["python", "rust"], queries={"a": "x", "b": "y"})
    other = world.workspace("other", subreddits=["linux", "rust"])
    Feed.update(fresh_at=clock()).execute(db.peewee)
    began, kept = clock(), world.query(acme, "a")
    clock.advance(1000)
    world.workspace(subreddits=["python", "linux"], queries={"a": "z", "c": "y"})

    feeds = {feed.id: feed.place for feed in Feed.select().execute(db.peewee)}
    watches = sorted(
        (work, feeds[feed], at) for work, feed, at in world.rows(Watch, "workspace_id", "feed_id", "created_at")
    )
    assert watches == sorted(
        [(acme, "python", began), (acme, "linux", began + 1000), (other, "linux", began), (other, "rust", began)]
    )
    assert world.query(acme, "a") == kept
    assert sorted(
        (name, text) for name, text, removed_at in world.rows(Query, "name", "text", "removed_at") if removed_at is None
    ) == [("a", "z"), ("brand", "acme"), ("c", "y")]
    fresh = {feed.place: feed.fresh_at for feed in Feed.select().execute(db.peewee)}
    assert fresh == {"python": began, "rust": began, "linux": 0}, "a newcomer wants to see linux's latest page too"


def test_a_new_schedule_counts_from_now_and_an_old_one_stays(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    row = world.row(WorkspaceRow, acme)
    assert row.next_due_at == clock(), "a newcomer is due at once"
    WorkspaceRow.update(next_due_at=5.0, next_digest_at=6.0).execute(db.peewee)
    world.workspace(name="Another name")
    row = world.row(WorkspaceRow, acme)
    assert (row.name, row.next_due_at, row.next_digest_at) == ("Another name", 5.0, 6.0)
    world.workspace(every="1h")
    row = world.row(WorkspaceRow, acme)
    assert (row.next_due_at, row.next_digest_at) == (clock() + 86_400, 6.0)
    world.workspace(every="1h", digest="0 8 * * *")
    assert world.row(WorkspaceRow, acme).next_digest_at == clock() + 86_400


def test_a_channel_keeps_its_secret(world: World, db: Db) -> None:
    acme = world.workspace()

    def secret_after(url: str, secret: str | None = None) -> Any:
        spec = msgspec.structs.replace(world.spec(), channel=(ChannelSpec("team", url, "instant", secret),))
        world.save(spec)
        return Channel.select(Channel.secret).where(Channel.workspace == acme).scalar(db.peewee)

    Channel.update(secret="whsec_first").execute(db.peewee)
    assert secret_after("https://example.org/other") == "whsec_first", "receivers know it"
    assert secret_after("https://example.org/other", "whsec_given") == "whsec_given"
    assert secret_after("slack://a/b/c") is None, "only webhooks are signed: Apprise's refuse a secret"
    assert secret_after("https://example.org/hook") == "whsec_made"


def test_removing_a_workspace_deletes_everything_of_its_own_and_nothing_else(
    world: World, db: Db, clock: Clock
) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    storing.store(db, world.matched((world.item(), (acme, bolt))), clock())
    workspace_specs.remove(db, acme)
    rest = {
        "Workspace": 1,
        "Watch": 1,
        "Query": 1,
        "Channel": 1,
        "Mention": 1,
        "Delivery": 1,
        "StoredItem": 1,
        "Feed": 1,
    }
    assert world.counts() | rest == world.counts()
    with pytest.raises(InvalidInput, match="removed already"):
        workspace_specs.remove(db, acme)


def test_hostile_texts_come_back_as_they_were_saved(world: World, db: Db) -> None:
    name = "👩‍👩‍👧 é̂ \u202e '; DROP TABLE workspace; -- \" \\ %s"
    spec = world.spec(name=name, queries={name: name * 500}, channels={name: "instant"})
    assert workspace_specs.load(db, world.save(spec), secrets=False) == spec


def test_concurrent_saves_do_not_deadlock(world: World, db: Db, race: Race) -> None:
    for slug in ("a", "b", "c"):
        world.workspace(slug)
    names = [f"sub{number}" for number in range(6)]
    for turn in range(6):
        race(
            *[
                lambda slug=slug, chosen=chosen: world.workspace(slug, subreddits=chosen)
                for slug, chosen in [("a", names), ("b", names[::-1]), ("c", names[turn:])]
            ]
        )
    assert Feed.select().where(Feed.place.startswith("sub")).count(db.peewee) == 6


# -- revisions


def changed(db: Db, since: int) -> list[tuple[int, int, str | None]]:
    """(query, workspace, text) of the queries that changed, none of which has a scope."""
    found = list(queries.changed_since(db, since))
    assert all(scope == queries.UNLIMITED for *_, scope in found)
    return [(query, workspace, text) for query, workspace, text, _ in found]


def test_each_change_has_a_revision_of_its_own(world: World, db: Db) -> None:
    assert queries.revision(db) == 0
    acme, bolt = world.workspace("acme"), world.workspace("bolt", queries={"a": "x", "b": "y"})
    first = queries.revision(db)
    found = world.query(acme), world.query(bolt, "a"), world.query(bolt, "b")
    of_bolt = [(found[1], bolt, "x"), (found[2], bolt, "y")]
    assert changed(db, 0) == [(found[0], acme, "acme"), *of_bolt]
    assert changed(db, 1) == of_bolt
    assert changed(db, first) == []

    world.workspace("bolt", queries={"a": "x", "b": "z"})
    assert changed(db, first) == [(found[2], bolt, "z")], "unchanged queries are not reported"
    world.workspace("bolt", queries={"b": "z"})
    assert changed(db, first + 1) == [(found[1], bolt, None)], "it is removed"
    world.workspace("bolt", queries={"a": "x", "b": "z"})
    assert changed(db, first + 2) == [(found[1], bolt, "x")], "it is there again, under its old id"


def test_a_paused_workspace_is_not_matched(world: World, db: Db) -> None:
    acme, first = world.workspace(), queries.revision(db)
    workspace_specs.set_active(db, acme, False)
    assert changed(db, first) == [(world.query(acme), acme, None)]
    world.workspace(queries={"brand": "acme", "new": "x"})
    assert {text for _, _, text in changed(db, first)} == {None}
    before = queries.revision(db)
    workspace_specs.set_active(db, acme, True)
    assert {text for _, _, text in changed(db, before)} == {"acme", "x"}


def test_changed_watches_and_removed_workspaces_are_reported(world: World, db: Db) -> None:
    acme = world.workspace(subreddits=["Python", "all"], kinds=["posts", "comments"])
    bolt = world.workspace("bolt", subreddits=["rust"])
    first = queries.revision(db)
    told = dict(queries.watches_since(db, 0))
    assert sorted(told[acme] or ()) == [
        ("reddit", "comment", "all"), ("reddit", "comment", "python"),
        ("reddit", "post", "all"), ("reddit", "post", "python"),
    ]  # fmt: skip
    assert told[bolt] == (("reddit", "post", "rust"),)

    world.workspace(subreddits=["python", "all"], kinds=["posts", "comments"], queries={"other": "x"})
    assert list(queries.watches_since(db, first)) == []
    world.workspace(subreddits=["all"])
    assert list(queries.watches_since(db, first)) == [(acme, (("reddit", "post", "all"),))]
    before = queries.revision(db)
    workspace_specs.remove(db, bolt)
    assert list(queries.watches_since(db, before)) == [(bolt, None)], "a removed workspace is reported, too"


def test_more_changes_than_one_statement_takes(world: World, db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "QUERIES_PER_STATEMENT", 3)
    monkeypatch.setattr(queries, "WORKSPACES_PER_STATEMENT", 2)
    for number in range(5):
        world.workspace(f"w{number}", queries={f"q{each}": f"x{each}" for each in range(number + 1)})
    found = changed(db, 0)
    assert len(found) == len(set(found)) == 15
    assert len(dict(queries.watches_since(db, 0))) == 5


def test_a_revision_that_was_seen_hides_no_change(world: World, db: Db, race: Race) -> None:
    """Of two changes under way the later waits: were its revision seen first, the index would miss the other."""
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    before = queries.revision(db)
    changed, looked, done = threading.Event(), threading.Event(), threading.Event()

    def slow() -> int:
        with db.transaction():
            revision = queries.next_revision(db)
            queries.watches_changed(db, acme, revision)
            changed.set()
            assert looked.wait(PATIENCE)
            done.wait(0.2)  # the other cannot signal that it waits: it waits in the database
            return revision

    def quick() -> tuple[int, list[int]]:
        assert changed.wait(PATIENCE)
        assert queries.revision(db) == before, "what is not committed is not seen"
        looked.set()
        with db.transaction():
            revision = queries.next_revision(db)
            queries.watches_changed(db, bolt, revision)
        done.set()
        return revision, sorted(dict(queries.watches_since(db, before)))

    assert race(slow, quick) == [before + 1, (before + 2, [acme, bolt])]


# -- mentions


def test_mentions_are_listed_newest_or_oldest_first(world: World, db: Db, clock: Clock) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    for number in (1, 2, 3):
        wanted = (acme, bolt) if number == 2 else (acme,)
        storing.store(db, world.matched((world.item(number), wanted), poll=str(number)), clock.advance(10))

    def listed(which: MentionFilter = mentions.EVERY_MENTION, **how: Any) -> list[str]:
        return [mention.item for _, mention in mentions.listing(db, which, **how)]

    assert listed(MentionFilter(workspace="acme")) == ["t3_3", "t3_2", "t3_1"]
    assert listed(MentionFilter(workspace="acme"), newest_first=False, limit=2) == ["t3_1", "t3_2"]
    assert listed(MentionFilter(workspace="bolt")) == ["t3_2"]
    assert listed(MentionFilter(since=clock() - 10)) == ["t3_3", "t3_2", "t3_2"]
    last = max(number for number, _ in mentions.listing(db))
    assert listed(after_id=last) == []
    assert listed(after_id=last - 1) == ["t3_3"]


@pytest.mark.parametrize(
    ("moment", "text"),
    [(0.0, "1970-01-01T00:00:00.000Z"), (1795424400.1239, "2026-11-23T09:00:00.123Z"),
     (253402300799.0, "9999-12-31T23:59:59.000Z")],
)  # fmt: skip
def test_rfc3339(moment: float, text: str) -> None:
    assert mentions.rfc3339(moment) == text


# -- dead letters, beats


def dead_letter(**fields: Any) -> dict[str, Any]:
    return {
        "message_id": "m1", "stage": "fetch", "origin": "nack", "reason": "it broke", "traceback": "line 1",
        "body": "{}", "now": 5.0,
    } | fields  # fmt: skip


def test_a_dead_letter_is_recorded_once_and_the_stage_s_reason_counts(db: Db) -> None:
    dead_letters.record(db, **dead_letter(origin="xq", reason="found in fetch.XQ", traceback=None))
    dead_letters.record(db, **dead_letter())
    dead_letters.record(db, **dead_letter(origin="xq", reason="found in fetch.XQ", traceback=None, now=6.0))
    dead_letters.record(db, **dead_letter(stage="match", now=7.0))
    match, listed = dead_letters.listing(db)
    fetch = dead_letters.get(db, listed.id)
    assert fetch is not None
    assert (fetch.reason, fetch.traceback, fetch.origin, fetch.created_at) == ("it broke", "line 1", "nack", 5.0)
    assert [row.stage for row in dead_letters.listing(db, DeadLetterFilter(stage="match"))] == ["match"]
    assert [row.id for row in dead_letters.listing(db, limit=1)] == [match.id]
    assert dead_letters.count(db) == 2
    assert dead_letters.drop(db, DeadLetterFilter(ids=(fetch.id,))) == 1
    assert dead_letters.drop(db, DeadLetterFilter(ids=(fetch.id,))) == 0
    assert dead_letters.get(db, fetch.id) is None


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(text=st.text(st.characters(codec=None), max_size=50))
def test_a_dead_letter_may_have_any_text(db: Db, text: str) -> None:
    DeadLetter.delete().execute(db.peewee)
    dead_letters.record(db, **dead_letter(message_id=text, reason=text, traceback=text, body=text))
    dead_letters.record(db, **dead_letter(message_id=text, reason=text, traceback=text, body=text))
    [(body,)] = DeadLetter.select(DeadLetter.body).tuples().execute(db.peewee)
    assert body == text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


def test_concurrent_recording_gives_one_dead_letter(db: Db, race: Race) -> None:
    race(
        *[
            lambda origin=origin: dead_letters.record(db, **dead_letter(origin=origin))
            for origin in ("xq", "nack", "nack")
        ]
    )
    [row] = dead_letters.listing(db)
    assert row.origin == "nack"


def test_another_refused_event_with_the_same_id_is_another_dead_letter(db: Db) -> None:
    event = {"origin": "rejected", "stage": "ingress", "routing_key": "workspace.due"}
    dead_letters.record(db, **dead_letter(**event, body="one"))
    dead_letters.record(db, **dead_letter(**event, body="two"))
    for body in ("one", "two"):  # what the bus holds of them adds nothing
        dead_letters.record_found(
            db, [dead_letters.NewDeadLetter(**dead_letter(**event, body=body, reason="late", now=9.0))]
        )
    full = [dead_letters.get(db, row.id) for row in dead_letters.listing(db)]
    rows = sorted((row for row in full if row is not None), key=lambda row: row.body)
    assert [(row.body, row.reason, row.created_at) for row in rows] == [
        ("one", "it broke", 5.0),
        ("two", "it broke", 5.0),
    ]
    assert (rows[0].message_id, len(rows[1].message_id)) == ("m1", 64)


def three(db: Db) -> None:
    """1 and 2 of fetch, at 1 and 2; 3 of store, found in .XQ, at 3."""
    dead_letters.record(db, **dead_letter(message_id="m1", reason="no workspace 17", now=1.0))
    dead_letters.record(db, **dead_letter(message_id="m2", reason="100% Slow", now=2.0))
    dead_letters.record(db, **dead_letter(message_id="m3", reason="slow", stage="store", origin="xq", now=3.0))


@pytest.mark.parametrize(
    ("which", "ids"),
    [
        (DeadLetterFilter(), [3, 2, 1]),
        (DeadLetterFilter(stage="fetch"), [2, 1]),
        (DeadLetterFilter(origin="xq"), [3]),
        (DeadLetterFilter(reason="SLOW"), [3, 2]),
        (DeadLetterFilter(reason="0% s"), [2]),
        (DeadLetterFilter(reason="_"), []),
        (DeadLetterFilter(since=2.0), [3, 2]),
        (DeadLetterFilter(before=2.0), [1]),
        (DeadLetterFilter(ids=(1, 3, 9)), [3, 1]),
        (DeadLetterFilter(ids=()), []),
        (DeadLetterFilter(last_id=2, stage="fetch", since=2.0), [2]),
    ],
)
def test_dead_letters_are_filtered(db: Db, which: DeadLetterFilter, ids: list[int]) -> None:
    three(db)
    assert [row.id for row in dead_letters.listing(db, which)] == ids
    assert dead_letters.count(db, which) == len(ids) == sum(each.count for each in dead_letters.reasons(db, which))
    assert dead_letters.drop(db, which) == len(ids)
    assert dead_letters.count(db) == 3 - len(ids)


@pytest.mark.parametrize(("limit", "ids"), [(None, [3, 2, 1]), (1, [3]), (2, [3, 2]), (3, [3, 2, 1]), (9, [3, 2, 1])])
@pytest.mark.parametrize("page", [1, 2, 3, 4])
def test_dead_letters_are_listed_in_pages_without_bodies(
    db: Db, monkeypatch: pytest.MonkeyPatch, page: int, limit: int | None, ids: list[int]
) -> None:
    three(db)
    monkeypatch.setattr(dead_letters, "PAGE_ROWS", page)
    rows = list(dead_letters.listing(db, limit=limit))
    assert [row.id for row in rows] == ids
    assert not any(hasattr(row, name) for row in rows for name in ("body", "traceback"))


def test_dead_letters_are_dropped_in_batches(db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    three(db)
    monkeypatch.setattr(dead_letters, "PAGE_ROWS", 1)
    assert dead_letters.drop(db, DeadLetterFilter()) == 3


def test_of_concurrent_replays_one_claims_each_dead_letter(db: Db, race: Race) -> None:
    for number in range(40):
        dead_letters.record(db, **dead_letter(message_id=f"m{number}"))

    def claims() -> list[int]:
        got, after_id = [], 0
        while some := dead_letters.claim(db, DeadLetterFilter(), after_id=after_id, limit=5):
            after_id = some[-1].dead_letter.id
            got += [each.dead_letter.id for each in some]
        return got

    one, other = race(claims, claims)
    assert sorted(one + other) == list(range(1, 41))


def test_a_claimed_dead_letter_is_released_or_deleted(db: Db) -> None:
    three(db)
    first, second, _ = dead_letters.claim(db, DeadLetterFilter(), after_id=0, limit=9)
    dead_letters.release(db, [second])
    assert dead_letters.delete_replayed(db, first)
    (again,) = dead_letters.claim(db, DeadLetterFilter(), after_id=0, limit=9)
    assert again.dead_letter == second.dead_letter
    assert not dead_letters.delete_replayed(db, first)
    assert [row.id for row in dead_letters.listing(db)] == [3, 2]


def test_a_dead_letter_that_fails_again_during_its_replay_stays(db: Db) -> None:
    three(db)
    (claimed,) = dead_letters.claim(db, DeadLetterFilter(ids=(1,)), after_id=0, limit=1)
    dead_letters.record(db, **dead_letter(message_id="m1", reason="again", now=8.0))
    assert not dead_letters.delete_replayed(db, claimed)
    dead_letters.release(db, [claimed])
    row = dead_letters.get(db, 1)
    assert row is not None
    assert row.reason == "again"


def test_heartbeats_keep_the_last_time(db: Db) -> None:
    assert heartbeats.last_at(db, "tick") is None
    heartbeats.record(db, "tick", 5.0)
    heartbeats.record(db, "tick", 6.0)
    heartbeats.record(db, "other", 7.0)
    assert heartbeats.last_at(db, "tick") == 6.0


# -- retention

KEEP = RetentionAges(mentions=90, deliveries=30, dead_letters=60)


def test_old_rows_are_pruned_and_others_stay(world: World, db: Db, clock: Clock) -> None:
    start = clock()
    clock.now = start - 101 * DAY_SECONDS
    acme = world.workspace()
    for number, age in enumerate((100, 95, 89, 31, 29), start=1):
        clock.now = start - age * DAY_SECONDS
        storing.store(db, world.matched((world.item(number), (acme,)), poll=str(number)), clock())
    Delivery.update(state="sent").execute(db.peewee)
    dead_letters.record(db, **dead_letter(now=start - 61 * DAY_SECONDS))
    dead_letters.record(db, **dead_letter(stage="x", now=start - 59 * DAY_SECONDS))

    assert retention.prune(db, KEEP, start).rows > 0
    assert world.counts() | {"Mention": 3, "StoredItem": 3, "Delivery": 1, "DeadLetter": 1, "Poll": 0} == world.counts()
    assert retention.prune(db, KEEP, start).rows == 0
    assert retention.prune(db, RetentionAges(0, 0, 0), start + 10**9).rows == 0
    assert world.counts()["Mention"] == 3


def test_a_pending_delivery_is_never_too_old(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(channels={"now": "instant", "weekly": "digest"})
    storing.store(db, world.matched((world.item(), (acme,))), clock())
    retention.prune(db, RetentionAges(90, 1, 0), clock.advance(8 * DAY_SECONDS))
    assert world.counts()["Delivery"] == 2


def test_a_digest_to_be_sent_keeps_its_contents(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(channels={"weekly": "digest"})
    storing.store(db, world.matched((world.item(), (acme,))), clock())
    digests.compose(db, acme, clock(), clock.advance(7 * DAY_SECONDS))
    retention.prune(db, RetentionAges(90, 1, 0), clock())
    [digest] = deliveries.claim(db, world.channel(acme, "weekly"), now=clock(), limit=5, lease=60).deliveries
    contents = deliveries.contents(db, digest)
    assert contents is not None
    assert len(contents.notice.mentions) == 1
    deliveries.mark_sent(db, digest.id, clock())
    retention.prune(db, RetentionAges(90, 1, 0), clock())
    assert Delivery.select().where(Delivery.state == "bundled").count(db.peewee) == 0


@pytest.mark.parametrize("waits", ["held", "pending", "in a digest"])
def test_a_mention_with_a_pending_delivery_outlasts_its_days(world: World, db: Db, clock: Clock, waits: str) -> None:
    acme = world.workspace(channels={"team": "instant" if waits == "pending" else "digest"})
    storing.store(db, world.matched((world.item(1), (acme,)), poll="a"), clock())
    if waits == "in a digest":
        digests.compose(db, acme, clock(), clock())
    keep = RetentionAges(mentions=3, deliveries=30, dead_letters=0)
    assert retention.prune(db, keep, clock.advance(4 * DAY_SECONDS)).unsent == 0
    assert world.counts() | {"Mention": 1, "StoredItem": 1} == world.counts()
    if waits == "held":
        digests.compose(db, acme, clock(), clock())
    [claimed] = deliveries.claim(db, world.channel(acme), now=clock(), limit=5, lease=60).deliveries
    deliveries.mark_sent(db, claimed.id, clock())
    gone = retention.prune(db, keep, clock())
    assert (gone.items, gone.unsent) == (1, 0)
    assert world.counts() | {"Mention": 0, "StoredItem": 0} == world.counts()


@pytest.mark.parametrize("mode", ["digest", "instant"])
def test_a_mention_that_is_never_sent_is_pruned_in_the_end_and_counted(
    world: World, db: Db, clock: Clock, mode: str
) -> None:
    acme = world.workspace(channels={"team": mode})
    storing.store(db, world.matched((world.item(1), (acme,)), (world.item(2), (acme,))), clock())
    retention.prune(db, RetentionAges(3, 30, 0), clock.advance(33 * DAY_SECONDS))
    assert world.counts()["Mention"] == 2
    gone = retention.prune(db, RetentionAges(3, 30, 0), clock.advance(2 * DAY_SECONDS))
    assert (gone.items, gone.unsent) == (2, 2)


def test_an_item_s_days_count_even_with_pending_deliveries(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(channels={"team": "digest", "now": "instant"})
    storing.store(db, world.matched((world.item(1), (acme,))), clock())
    gone = retention.prune(db, RetentionAges(90, 30, 0, items=3), clock.advance(4 * DAY_SECONDS))
    assert (gone.items, gone.unsent) == (1, 2)
    assert world.counts() | {"StoredItem": 0, "Mention": 0, "Delivery": 0} == world.counts()


def test_pending_deliveries_do_not_block_pruning_of_later_ones(
    world: World, db: Db, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DELETE_BATCH_ROWS", 2)
    acme, bolt = world.workspace("acme", channels={"team": "digest"}), world.workspace("bolt")
    for number in range(1, 11):
        storing.store(
            db, world.matched((world.item(number), (acme if number < 6 else bolt,)), poll=str(number)), clock()
        )
    Delivery.update(state="sent").where(Delivery.state == "pending").execute(db.peewee)
    clock.advance(4 * DAY_SECONDS)
    assert [retention.prune(db, RetentionAges(3, 0, 0), clock()).items for _ in range(4)] == [2, 2, 1, 0]
    assert world.rows(Mention, "workspace_id") == [(acme,)] * 5


def test_pruning_comes_in_batches(world: World, db: Db) -> None:
    rows = [
        {"message_id": str(number), "stage": "x", "origin": "nack", "reason": "", "body": "", "created_at": 0.0}
        for number in range(DELETE_BATCH_ROWS + 5)
    ]
    for start in range(0, len(rows), 500):
        DeadLetter.insert_many(rows[start : start + 500]).execute(db.peewee)
    assert [retention.prune(db, KEEP, 100 * DAY_SECONDS).rows for _ in range(3)] == [DELETE_BATCH_ROWS, 5, 0]


def test_an_item_that_is_still_mentioned_stays(world: World, db: Db, clock: Clock) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    storing.store(db, world.matched((world.item(), (acme,)), poll="a"), clock())
    storing.store(db, world.matched((world.item(), (bolt,)), poll="b"), clock() + 50 * DAY_SECONDS)
    Delivery.update(state="sent").execute(db.peewee)
    retention.prune(db, KEEP, clock() + 91 * DAY_SECONDS)
    assert world.rows(Mention, "workspace_id") == [(bolt,)]
    assert world.counts()["StoredItem"] == 1
    retention.prune(db, KEEP, clock() + 141 * DAY_SECONDS)
    assert (StoredItem.select().count(db.peewee), Mention.select().count(db.peewee)) == (0, 0)


def test_old_items_are_pruned_even_if_mentioned(world: World, db: Db, clock: Clock) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    storing.store(db, world.matched((world.item(1), (acme,)), poll="a"), clock())
    storing.store(db, world.matched((world.item(1), (bolt,)), poll="b"), clock.advance(40 * DAY_SECONDS))
    storing.store(db, world.matched((world.item(2), (bolt,)), poll="c"), clock())
    gone = retention.prune(db, RetentionAges(90, 30, 90, items=50), clock.advance(11 * DAY_SECONDS))
    assert gone.items == 1
    assert world.counts() | {"StoredItem": 1, "Mention": 1} == world.counts()


def silent(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a source that does not report deletions."""
    monkeypatch.setitem(SOURCES, "silent", SourceType(name="silent", feeds=("items",), factory=""))
    return "silent"


def test_items_of_a_source_without_deletions_have_their_own_days(
    world: World, db: Db, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, acme = silent(monkeypatch), world.workspace(channels={"team": "digest"})
    item = world.item(1)
    of_both = ((item, (acme,)), (msgspec.structs.replace(item, source=source, place="python"), (acme,)))
    storing.store(db, world.matched(of_both[0]), clock())
    # As store leaves it: nothing has watched the silent source, so its mention is put there by hand.
    row = StoredItem.select().dicts().get(db.peewee) | {"id": None, "source": source}
    copy = StoredItem.insert({key: value for key, value in row.items() if key != "id"}).execute(db.peewee)
    mention = Mention.select().dicts().get(db.peewee)
    Mention.insert({**{k: v for k, v in mention.items() if k != "id"}, "item": copy}).execute(db.peewee)

    keep = RetentionAges(90, 30, 90, no_deletions=30)
    assert retention.prune(db, keep, clock.advance(29 * DAY_SECONDS)).items == 0
    assert retention.prune(db, keep, clock.advance(2 * DAY_SECONDS)).items == 1
    assert world.rows(StoredItem, "source") == [("reddit",)]
    assert world.counts() | {"Mention": 1, "Delivery": 1} == world.counts()


@pytest.mark.parametrize(("items", "no_deletions", "days"), [(0, 30, 30), (7, 30, 7), (60, 30, 30), (60, 0, 60)])
def test_the_shorter_of_the_two_ages_of_items_counts(
    items: int, no_deletions: int, days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = silent(monkeypatch)
    ages = RetentionAges(90, 30, 90, items=items, no_deletions=no_deletions)
    assert ages.item_days(source) == days
    assert ages.kept_for(source) == days * DAY_SECONDS
    assert ages.item_days("reddit") == items
    assert ages.kept_for("reddit") == (items or 90) * DAY_SECONDS
    assert RetentionAges(0, 0, 0).kept_for("reddit") == math.inf


def test_pruned_items_are_counted(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    storing.store(db, world.matched(*[(world.item(number), (acme,)) for number in range(1, 6)]), clock())
    Delivery.update(state="sent").execute(db.peewee)
    assert retention.prune(db, KEEP, clock() + 91 * DAY_SECONDS).items == 5


def test_unwatched_feeds_are_pruned_in_the_end(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace("acme", subreddits=["python", "rust"])
    world.workspace("bolt", subreddits=["rust"])
    Feed.update(fresh_at=clock()).execute(db.peewee)
    workspace_specs.remove(db, acme)
    retention.prune(db, KEEP, clock() + 6 * DAY_SECONDS)
    assert len(world.rows(Feed)) == 2, "a workspace that is edited back finds them where they were"
    FeedGroup.update(lease_until=clock() + 8 * DAY_SECONDS).where(FeedGroup.id == world.group().id).execute(db.peewee)
    retention.prune(db, KEEP, clock() + 7.5 * DAY_SECONDS)
    assert len(world.rows(Feed)) == 2, "one is being read"
    retention.prune(db, KEEP, clock() + 8.5 * DAY_SECONDS)
    assert world.rows(Feed, "place") == [("rust",)]


def test_a_feed_that_is_watched_again_stays(world: World, db: Db, clock: Clock, race: Race) -> None:
    """It is pruned at the moment at which a workspace that watches it is saved."""
    for turn in range(12):
        acme = world.workspace(f"w{turn}", subreddits=["python", "linux", "rust"])
        workspace_specs.remove(db, acme)
        race(
            lambda turn=turn: world.workspace(f"x{turn}", subreddits=["python", "linux", "rust"]),
            lambda: retention.prune(db, KEEP, clock() + 30 * DAY_SECONDS),
        )
        feeds = [name for (name,) in world.rows(Feed, "place")]
        assert sorted(feeds) == ["linux", "python", "rust"]
        assert len(world.rows(Watch)) == 3
        workspace_specs.remove(db, int(WorkspaceRow.select(WorkspaceRow.id).scalar(db.peewee)))
