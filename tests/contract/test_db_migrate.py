"""The migrations make the schema of the models, once, on both databases."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peewee import Table
from playhouse.migrations import Runner
from playhouse.schema_diff import diff_models

from overheard.bus.dead_letters import OMITTED_FOREIGN, OMITTED_READ_AGAIN
from overheard.db import cursors, dead_letters, groups, migrate, storing, workspace_specs
from overheard.db.database import Db, open_database
from overheard.db.models import TABLES, Channel, Delivery, Feed, FeedGroup, Mention, StoredItem, Workspace
from overheard.errors import ConfigError
from overheard.messages import PollTarget
from tests.fixtures import Clock, World

ROOT = Path(__file__).parents[2]

# Wait for the start signal, so that all processes migrate at once, and print what was done.
MIGRATOR = """
import sys
from overheard.db import migrate
from overheard.db.database import open_database
db = open_database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(*migrate.migrate(db), flush=True)
db.release()
"""


@pytest.fixture
def empty(empty_url: str) -> Iterator[Db]:
    db = open_database(empty_url)
    yield db
    db.release()


def test_the_migrations_make_the_schema_of_the_models(empty: Db) -> None:
    done = migrate.migrate(empty)

    assert done[0] == "0001_initial"
    with empty.session():
        assert str(diff_models(empty.peewee, list(TABLES))) == ""


def test_a_second_migration_does_nothing(empty: Db) -> None:
    migrate.migrate(empty)
    assert migrate.migrate(empty) == []
    with empty.session():
        assert migrate.pending(empty) == []


def test_down_and_up_again(empty: Db) -> None:
    done = migrate.migrate(empty)
    with empty.session():
        assert Runner(empty.peewee, str(migrate.DIRECTORY)).down(done[0]) == done[::-1]
        assert migrate.pending(empty) == done
        assert set(empty.peewee.get_tables()) <= {"schema_migration", "sqlite_sequence"}
    assert migrate.migrate(empty) == done


def test_of_several_processes_one_migrates(empty_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", MIGRATOR, empty_url],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=60)[0].split() for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert sorted(map(bool, outputs)) == [False, False, False, True]


def test_a_newer_database_is_refused(db: Db) -> None:
    history = Runner(db.peewee, str(migrate.DIRECTORY)).History
    history.create(name="9999_from_the_future")
    for refusing in (migrate.migrate, migrate.require_current):
        with pytest.raises(ConfigError, match=r"newer Overheard.*9999_from_the_future"):
            refusing(db)


def test_an_old_database_is_refused_with_the_command_to_run(empty: Db) -> None:
    with pytest.raises(ConfigError, match=r"behind.*0001_initial.*overheard migrate"):
        migrate.require_current(empty)
    migrate.migrate(empty)
    migrate.require_current(empty)


def test_a_migration_that_fails_leaves_nothing_behind(
    empty: Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "0001_initial.py").write_text((migrate.DIRECTORY / "0001_initial.py").read_text())
    (tmp_path / "0002_broken.py").write_text(
        "def up(migrator, db):\n    db.execute_sql('CREATE TABLE half (id int)')\n    raise RuntimeError('broken')\n"
    )
    monkeypatch.setattr(migrate, "DIRECTORY", tmp_path)
    with pytest.raises(RuntimeError, match="broken"):
        migrate.migrate(empty)
    with empty.session():
        assert "half" not in empty.peewee.get_tables()
        assert "0002_broken" in migrate.pending(empty)


ITEM = {
    "name": "t3_1", "kind": "post", "subreddit": "python", "author": "quill", "title": "her words", "body": "her words",
    "permalink": "p", "url": "", "created_at": 1.0,
}  # fmt: skip
TARGETS = [{"group_id": 7, "feed_ids": [1], "cursor": "her words", "read_at": 1.0}]


def enveloped(stage: str, payload: Any, **options: Any) -> str:
    fields = {"queue_name": stage, "actor_name": stage, "args": [payload], "kwargs": {}, "options": options}
    return json.dumps(fields | {"message_id": "m", "message_timestamp": 1}, separators=(",", ":"))


FETCHED = enveloped("match", {"v": 1, "poll_id": "p", "part": 0, "items": [ITEM], "targets": TARGETS}, traceback="her")
MATCHED = enveloped("store", {"poll_id": "p", "part": 1, "items": [{"item": ITEM, "matches": []}, ITEM], "targets": 5})
NOTIFY = enveloped("notify", {"v": 1, "channel_id": 5, "lease": 0.0})
OF_FETCHED = {"message_id": "m", "poll": "p", "part": 0, "items": 1, "groups": [7], "names": ["t3_1"]}
OF_MATCHED = {"message_id": "m", "poll": "p", "part": 1, "items": 2, "groups": [], "names": ["t3_1", "t3_1"]}
NO_MESSAGES = ("", "5", "{}", '"\\ud800', FETCHED[:-50], enveloped("fetch", {"workspace_id": 1, "x": ITEM}),
               enveloped("match", [ITEM]), enveloped("none", ITEM), "[" * 100_000)  # fmt: skip


def test_older_dead_letters_lose_their_texts(db: Db, world: World) -> None:
    """origin, reason and body before; reason and body after. None: of the body nothing stays."""
    rows: list[tuple[str, str, str, str, Any]] = [
        ("nack", "ValueError: her words (after 9 tries)", FETCHED, "ValueError", OF_FETCHED),
        ("xq", "delivered too often: it may", MATCHED, "delivered too often: it may", OF_MATCHED),
        ("nack", "Permanent: gone: it said so", NOTIFY, "Permanent: gone: it said so", json.loads(NOTIFY)),
        ("nack", "TimeLimitExceeded", NOTIFY.replace('"options":{}', '"options":{"traceback":"her words"}'),
         "TimeLimitExceeded", json.loads(NOTIFY)),
        ("nack", "NotFoundError: her words", NOTIFY, "NotFoundError", json.loads(NOTIFY)),
        *[("xq", "r", body, "r", None) for body in NO_MESSAGES],
        ("rejected", "body is not JSON: her", '{"workspace": 5', "body is not JSON: her", '{"workspace": 5'),
    ]  # fmt: skip
    with db.session():
        for number, (origin, reason, body, *_) in enumerate(rows):
            dead_letters.record(
                db, message_id=str(number), stage="x", origin=origin, reason=reason, body=body, now=1.0,
                traceback=None if origin == "rejected" else "her words",
            )  # fmt: skip
        Runner(db.peewee, str(migrate.DIRECTORY)).down("0015_dead_letter_texts")
        migrate.migrate(db)
        after = [dead_letters.get(db, row.id) for row in dead_letters.listing(db)][::-1]
    assert len(after) == len(rows) > 2 * 5
    for row, (origin, _, body, reason, left) in zip(after, rows, strict=True):
        assert row is not None
        assert (row.reason, row.traceback) == (reason, None)
        assert "her words" not in str(row)
        assert "quill" not in str(row)
        if origin == "rejected":
            assert row.body == left
            continue
        stored = json.loads(row.body)
        why = stored.pop("not_kept", None)
        if left is None:
            sha256 = hashlib.sha256(body.encode()).hexdigest()
            assert (why, stored) == (OMITTED_FOREIGN, {"size": len(body), "sha256": sha256})
        else:
            assert (why, stored) == (OMITTED_READ_AGAIN if "poll" in left else None, left)


def test_older_service_answers_are_removed(db: Db, world: World) -> None:
    with db.session():
        acme = world.workspace(channels={"ntfy": "instant", "hook": "instant"})
        storing.store(db, world.matched((world.item(), (acme,))), world.clock())
        before = {"ntfy": "nothing for 3 days: ntfy:// not delivered: 'On acme', error=400.", "hook": "x answered 503"}
        for name, reason in before.items():
            Channel.update(reason=reason).where(Channel.name == name).execute(db.peewee)
            its = Delivery.channel == world.channel(acme, name)
            Delivery.update(error=reason).where(its).execute(db.peewee)
        Runner(db.peewee, str(migrate.DIRECTORY)).down("0007_what_services_said")
        migrate.migrate(db)
        reasons = dict(world.rows(Channel, "name", "reason"))
        errors = [error for (error,) in world.rows(Delivery, "error")]
        gone = "not delivered; what the service said is kept no longer"
        assert reasons == {"ntfy": gone, "hook": before["hook"]}
        assert sorted(errors) == [gone, before["hook"]]


def test_references_are_as_wide_as_the_key(db: Db) -> None:
    """A PostgreSQL integer ends at 2³¹: a reference to a BIGINT key must be BIGINT too."""
    if db.sqlite:
        assert db.peewee.pragma("foreign_keys") == 1
        return
    rows = db.peewee.execute_sql(
        """SELECT c.conrelid::regclass::text, a.attname, format_type(a.atttypid, NULL), format_type(b.atttypid, NULL)
           FROM pg_constraint c
           JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
           JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = c.confkey[1]
           WHERE c.contype = 'f'"""
    ).fetchall()
    assert ("delivery", "mention_id", "bigint", "bigint") in rows
    assert [row for row in rows if row[2] != row[3]] == []


def test_deleting_a_workspace_cascades_to_all_its_rows(db: Db) -> None:
    references = [
        (table, field.name)
        for table in TABLES
        for field in table._meta.refs
        if field.on_delete != "CASCADE"
    ]  # fmt: skip
    assert references == []
    assert Workspace.select().count(db.peewee) == 0


RENAMED = {
    ("item", "name"): "ref",
    ("item", "subreddit"): "place",
    ("mention", "queries"): "query_ids",
    ("mention", "silent"): "backfilled",
}
MOVED = {("workspace", "demanded_at"), ("workspace", "served_at")}


def test_a_released_database_with_rows_in_it_keeps_them(
    empty: Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0001 was released: an item, its mention and its delivery are still there after all migrations since."""
    with monkeypatch.context() as released:
        (tmp_path / "0001_initial.py").write_text((migrate.DIRECTORY / "0001_initial.py").read_text())
        released.setattr(migrate, "DIRECTORY", tmp_path)
        migrate.migrate(empty)
    rows = {
        "workspace": {"id": 1, "slug": "acme", "name": "Acme", "every": "5m", "next_due_at": 1.0, "created_at": 1.0,
                      "timezone": "UTC", "active": True, "demanded_at": 0.0, "served_at": 0.0, "digest_asked_at": 0.0},
        "channel": {"id": 1, "workspace_id": 1, "name": "team", "url": "http://x", "mode": "digest", "created_at": 1.0},
        "item": {"id": 7, "name": "t3_1", "kind": "post", "subreddit": "python", "author": "Ada", "title": "t",
                 "body": "b", "permalink": "p", "url": "u", "created_at": 5.0, "stored_at": 6.5},
        "mention": {"id": 8, "workspace_id": 1, "item_id": 7, "queries": "[]", "highlights": "[]", "silent": False,
                    "stored_at": 6.5},
        "delivery": {"id": "msg_1", "channel_id": 1, "mention_id": 8, "state": "pending", "attempts": 0, "due_at": 6.5,
                     "lease_until": 0.0, "created_at": 6.5},
    }  # fmt: skip
    with empty.session():
        for name, row in rows.items():
            Table(name, list(row)).bind(empty.peewee).insert(row).execute()
    assert "0003_recheck" in migrate.migrate(empty)
    with empty.session():
        for name, row in rows.items():
            row = {RENAMED.get((name, key), key): value for key, value in row.items() if (name, key) not in MOVED}
            table = Table(name, list(row)).bind(empty.peewee)
            assert list(table.select().dicts()) == [row]
        [item] = StoredItem.select().execute(empty.peewee)
        assert (item.checked_at, item.absent_since, item.lease_until) == (0, None, 0), "it was never rechecked"
        assert Delivery.select().count(empty.peewee) == 1
        assert str(diff_models(empty.peewee, list(TABLES))) == ""


ONCE = ("workspace", "query", "channel", "feed", "mention", "dead_letter")


@pytest.fixture
def before_ids(empty: Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of migrations, of which ``empty``, which has rows, has seen all but ids_once.

    Those that came later too, since the rows are made with the tables as they are today.
    """
    (ids_once,) = migrate.DIRECTORY.glob("*_ids_once.py")
    for path in sorted(migrate.DIRECTORY.glob("0*.py")):
        if path != ids_once:
            (tmp_path / path.name).write_text(path.read_text())
    monkeypatch.setattr(migrate, "DIRECTORY", tmp_path)
    migrate.migrate(empty)
    with empty.session():
        clock = Clock()
        world = World(empty, clock)
        gone, acme = world.workspace("gone"), world.workspace("acme", channels={"now": "instant", "daily": "digest"})
        storing.store(empty, world.matched(*[(world.item(n), (acme,)) for n in range(1, 200)]), clock())
        dead_letter = {"stage": "x", "origin": "nack", "reason": "r", "traceback": None, "now": 1.0}
        for number in range(3):
            dead_letters.record(empty, message_id=str(number), body="{}", **dead_letter)
        newest = world.workspace("newest")
        workspace_specs.remove(empty, gone)
        workspace_specs.remove(empty, newest)
    (tmp_path / ids_once.name).write_text(ids_once.read_text())
    return tmp_path


def everything(db: Db) -> dict[str, Any]:
    """All rows of all tables, with the columns that there are at this version, and, as SQLite has it, the schema."""
    rows: dict[str, Any] = {}
    for model in TABLES:
        name = model._meta.table_name
        table = Table(name, [column.name for column in db.peewee.get_columns(name)])
        rows[model.__name__] = sorted(table.select().tuples().execute(db.peewee), key=repr)
    if db.sqlite:
        rows["schema"] = sorted(db.peewee.execute_sql("SELECT name, sql FROM sqlite_master").fetchall(), key=repr)
    return rows


@pytest.mark.usefixtures("before_ids")
def test_rebuilt_tables_keep_their_rows_and_indexes(empty: Db) -> None:
    with empty.session():
        before = everything(empty)
        migrate.migrate(empty)
        after = everything(empty)
        assert len(before["Mention"]) == 199
        assert len(before["Delivery"]) == 398
        if empty.sqlite:
            made, remade = dict(before.pop("schema")), dict(after.pop("schema"))
            for table in ONCE:
                remade[table] = remade[table].replace(" AUTOINCREMENT", "")
            remade.pop("sqlite_sequence")
            assert remade == made
            assert empty.peewee.pragma("foreign_keys") == 1
            assert empty.peewee.execute_sql("PRAGMA foreign_key_check").fetchall() == []
            assert empty.peewee.execute_sql("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert after == before
        assert World(empty, Clock()).workspace("another") == 4, "the newest was removed; its id is known all the same"
        workspace_specs.remove(empty, 2)
        assert Delivery.select().count(empty.peewee) == 0, "what refers to a row goes with it as before"


def test_a_failed_run_leaves_the_tables_as_they_were(empty: Db, before_ids: Path) -> None:
    (before_ids / "9999_broken.py").write_text("def up(migrator, db):\n    raise RuntimeError('broken')\n")
    with empty.session():
        before = everything(empty)
        with pytest.raises(RuntimeError, match="broken"):
            migrate.migrate(empty)
        if empty.sqlite:  # PostgreSQL keeps what came before the one that fails
            assert everything(empty) == before
            assert empty.peewee.pragma("foreign_keys") == 1
        (before_ids / "9999_broken.py").unlink()
        migrate.migrate(empty)
        assert everything(empty)["Mention"] == before["Mention"]


def test_no_table_is_rebuilt_with_foreign_keys_on(empty: Db, before_ids: Path) -> None:
    if not empty.sqlite:
        return
    with empty.session():
        before = everything(empty)
        with pytest.raises(RuntimeError, match="foreign keys are on"), empty.transaction():
            Runner(empty.peewee, str(before_ids)).up()
        assert everything(empty) == before


def test_ids_are_never_reused(world: World, db: Db, clock: Clock) -> None:
    """Messages in flight for a removed workspace must not reach another; a client that follows mentions sees all."""
    acme = world.workspace("acme")
    late = world.matched((world.item(1), (acme,)), poll="late")
    storing.store(db, world.matched((world.item(2), (acme,))), clock())
    [(mention,)] = world.rows(Mention, "id")
    workspace_specs.remove(db, acme)
    bolt = world.workspace("bolt")
    storing.store(db, late, clock())
    assert world.counts()["Mention"] == 0
    storing.store(db, world.matched((world.item(3), (bolt,)), poll="c"), clock())
    [(newer,)] = world.rows(Mention, "id")
    assert newer > mention
    if db.sqlite:
        made = dict(db.peewee.execute_sql("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall())
        assert {table for table, sql in made.items() if sql and "AUTOINCREMENT" in sql} == set(ONCE)


def test_later_migrations_can_be_reverted_with_rows_in_the_tables(world: World, db: Db, clock: Clock) -> None:
    storing.store(db, world.matched((world.item(), (world.workspace(),))), clock())
    runner = Runner(db.peewee, str(migrate.DIRECTORY))
    done = [row.name for row in runner.status()]
    assert runner.down(done[1]) == done[:0:-1]
    assert Mention.select().count(db.peewee) == 1
    assert migrate.migrate(db) == done[1:]
    assert world.rows(StoredItem, "checked_at") == [(0,)]
    assert Mention.select().count(db.peewee) == 1


@pytest.mark.parametrize("backfilled", [True, False])
def test_the_renamed_column_keeps_what_is_backfilled(world: World, db: Db, clock: Clock, backfilled: bool) -> None:
    storing.store(db, world.matched((world.item(), (world.workspace(),))), clock())
    Mention.update(backfilled=backfilled).execute(db.peewee)
    runner = Runner(db.peewee, str(migrate.DIRECTORY))
    runner.down("0020_mention_backfilled")
    assert list(Table("mention", ["silent"]).bind(db.peewee).select().tuples()) == [(backfilled,)]
    migrate.migrate(db)
    assert world.rows(Mention, "backfilled") == [(backfilled,)]


def test_feeds_stay_as_fresh_and_as_busy_as_they_were(world: World, db: Db, clock: Clock) -> None:
    world.workspace(subreddits=["python", "rust"])
    Feed.update(group=world.group("python").id).execute(db.peewee)
    feeds = (world.feed("python").id, world.feed("rust").id)

    def read(*new: int) -> None:
        with db.transaction():
            at = clock.advance(60)
            target = PollTarget(world.group("python").id, feeds, "x", at, new=new, seconds=60.0)
            cursors.advance(db, "p", at, [target], at)

    read(30, 6)
    Feed.update(fresh_at=0).where(Feed.place == "rust").execute(db.peewee)  # to be read again
    busy = [world.rate(place) for place in ("python", "rust")]
    Runner(db.peewee, str(migrate.DIRECTORY)).down("0031_group_freshness")
    migrate.migrate(db)
    assert [world.fresh_at(place) for place in ("python", "rust")] == [clock(), 0.0]
    assert [world.rate(place) for place in ("python", "rust")] == busy
    read(0, 0)
    assert [world.fresh_at(place) for place in ("python", "rust")] == [clock()] * 2
    assert [world.rate(place) for place in ("python", "rust")] == pytest.approx([rate / 2 for rate in busy])


def test_what_is_not_a_link_is_no_longer_in_url(world: World, db: Db, clock: Clock) -> None:
    page, uri = "https://www.reddit.com/r/python/comments/1/x/", "https://remote.example/objects/1"
    mastodon_page = "https://mastodon.example/@bob@remote.example/7"
    runner = Runner(db.peewee, str(migrate.DIRECTORY))
    entries = [(world.item(number), (world.workspace(),)) for number in (1000, 1001, 1002)]
    storing.store(db, world.matched(*entries), clock())
    runner.down("0022_item_facts")
    item = Table("item", ["id", "source", "ref", "url", "permalink"]).bind(db.peewee)
    first, second, third = [key for (key,) in item.select(item.id).order_by(item.id).tuples()]
    item.update(url=page, permalink=page).where(item.id == first).execute()
    item.update(url="https://example.org/", permalink=page).where(item.id == second).execute()
    item.update(source="mastodon", ref=uri, url=mastodon_page, permalink=uri).where(item.id == third).execute()
    migrate.migrate(db)
    assert sorted(world.rows(StoredItem, "url", "lookup")) == [
        ("", ""), ("", f"{uri} {mastodon_page}"), ("https://example.org/", ""),
    ]  # fmt: skip
    runner.down("0022_item_facts")
    assert sorted(item.select(item.url).tuples()) == [("https://example.org/",), (mastodon_page,), (page,)]
    migrate.migrate(db)


def test_migrated_feeds_keep_their_position_in_groups_of_their_own(
    empty: Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest id read proves nothing about the others: feeds are read back to two minutes before it."""
    (feed_groups,) = migrate.DIRECTORY.glob("*_feed_groups.py")
    for path in sorted(migrate.DIRECTORY.glob("0*.py")):
        if path.name < feed_groups.name:
            (tmp_path / path.name).write_text(path.read_text())
    with monkeypatch.context() as before:
        before.setattr(migrate, "DIRECTORY", tmp_path)
        migrate.migrate(empty)
    columns = ("id", "source", "kind", "name", "cursor", "cursor_at", "fresh_at", "poll", "lease_until")
    columns += ("failures", "retry_at", "gaps", "created_at")
    rows = [
        (7, "reddit", "posts", "python", 2**40, 5000.0, 5100.0, "p", 5200.0, 0, 0.0, 3, 10.0),
        (9, "reddit", "comments", "python", None, None, 0.0, None, 0.0, 2, 6000.0, 0, 20.0),
    ]
    with empty.session():
        Table("feed", list(columns)).bind(empty.peewee).insert(
            [dict(zip(columns, row, strict=True)) for row in rows]
        ).execute()
    assert migrate.migrate(empty)[0] == feed_groups.stem
    with empty.session():
        found = list(Feed.select().order_by(Feed.id).execute(empty.peewee))
        assert [(feed.id, feed.place, feed.kind, feed.fresh_at, feed.failures, feed.retry_at) for feed in found] == [
            (7, "python", "posts", 5100.0, 0, 0.0),
            (9, "python", "comments", 0.0, 2, 6000.0),
        ]
        made = [FeedGroup.select().where(FeedGroup.id == feed.group_id).get(empty.peewee) for feed in found]
        assert [(each.source, each.kind, each.cursor, each.began_at, each.read_at) for each in made] == [
            ("reddit", "posts", None, 4880.0, 4880.0),
            ("reddit", "comments", None, 20.0, 20.0),
        ]
        assert [(each.poll, each.lease_until, each.room) for each in made] == [(None, 0, None)] * 2
        [new] = groups.make(empty, "reddit", "posts", 1, 1.0)
        assert new > max(each.id for each in made)
