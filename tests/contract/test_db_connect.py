"""The handle: URLs, transactions, and servers that go away."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from overheard.db import beats, connect, migrate
from overheard.db.connect import Db, open_database
from overheard.db.models import Beat
from overheard.errors import ConfigError, Unavailable


def test_the_clock_is_the_database_s(db: Db) -> None:
    before = time.time()
    now = db.clock()
    assert before - 1 <= now <= time.time() + 1


def test_all_or_nothing(db: Db) -> None:
    def fail(name: str) -> None:
        with db.transaction():
            beats.beat(db, name, 1.0)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail("x")
    assert beats.last(db, "x") is None
    with db.transaction():
        beats.beat(db, "x", 1.0)
        with pytest.raises(RuntimeError):
            fail("y")
    assert (beats.last(db, "x"), beats.last(db, "y")) == (1.0, None)


def test_times_keep_their_fractions(db: Db) -> None:
    beats.beat(db, "x", 1795424400.123456)
    assert beats.last(db, "x") == 1795424400.123456


def test_greatest(db: Db) -> None:
    beats.beat(db, "x", 5.0)
    assert Beat.select(db.greatest(Beat.at, 3.0, 7.0)).scalar(db.peewee) == 7.0


def test_each_thread_has_its_connection_and_gives_it_back(db: Db, race: Any) -> None:
    def work() -> bool:
        beats.beat(db, threading.current_thread().name, 1.0)
        return not db.peewee.is_closed()

    assert race(*[work] * 5) == [True] * 5


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite:///", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("postgresql://u:hunter2@h/", "names no database"),
        ("postgresql://u:hunter2@h:notaport:x/db name=", "not a PostgreSQL URL"),
    ],
)
def test_urls_that_cannot_be_used(url: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as refused:
        open_database(url)
    assert "hunter2" not in str(refused.value)


def test_sqlite_is_fast_safe_and_strict(sqlite_db: Db) -> None:
    pragmas = {name: sqlite_db.peewee.pragma(name) for name in ("journal_mode", "foreign_keys", "busy_timeout")}
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": connect.BUSY_TIMEOUT}


def test_a_new_sqlite_file_is_private_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    """Channels' addresses and secrets are in it."""
    path = tmp_path / "new.db"
    before = os.umask(0o022)
    try:
        db = open_database(f"sqlite:///{path}")
        migrate.migrate(db)
        with db.session():
            beats.beat(db, "tick", 1.0)
            modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
        assert modes == {"new.db": 0o600, "new.db-wal": 0o600, "new.db-shm": 0o600}
        db.release()
        path.chmod(0o640)
        with db.session():
            assert beats.last(db, "tick") == 1.0
        db.release()
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    finally:
        os.umask(before)


def test_sqlite_locked_for_too_long_is_unavailable(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "BUSY_TIMEOUT", 50)
    db = open_database(sqlite_url)
    holder = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked"), db.session():
            beats.beat(db, "x", 1.0)
        with pytest.raises(Unavailable, match="locked"), db.session(), db.transaction():
            beats.beat(db, "x", 1.0)
        holder.execute("ROLLBACK")
        with db.session():
            beats.beat(db, "x", 2.0)
            assert beats.last(db, "x") == 2.0
    finally:
        holder.close()
        db.release()


def test_a_full_disk_is_told_as_such(sqlite_url: str) -> None:
    db = open_database(sqlite_url)
    try:
        with db.session():
            (pages,) = db.peewee.execute_sql("PRAGMA page_count").fetchone()
            db.peewee.execute_sql(f"PRAGMA max_page_count = {pages}")
        large = "x" * 1_000_000
        with pytest.raises(Unavailable, match="database or disk is full"), db.session(), db.transaction():
            beats.beat(db, large, 1.0)
        with db.session():
            assert beats.last(db, large) is None
    finally:
        db.release()


def test_a_reader_disturbs_no_writer(sqlite_url: str, tmp_path: Path) -> None:
    db, other = open_database(sqlite_url), open_database(sqlite_url)
    try:
        with db.session(), other.session(), other.transaction():
            beats.last(other, "x")
        with db.session():
            beats.beat(db, "x", 1.0)
    finally:
        db.release()
        other.release()


def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path / 'missing' / 'overheard.db'}")
    with pytest.raises(Unavailable, match="unable to open"), db.session():
        pass


def test_a_server_that_is_not_there_is_unavailable_and_shows_no_password() -> None:
    db = open_database("postgresql://someone:hunter2@127.0.0.1:1/overheard")
    with pytest.raises(Unavailable) as gone, db.session():
        pass
    assert "hunter2" not in str(gone.value)


def test_a_connection_that_was_cut_is_made_anew(postgresql_url: str, request: pytest.FixtureRequest) -> None:
    admin_url = request.getfixturevalue("postgres_server").url
    name = urlsplit(postgresql_url).path[1:]

    def cut() -> None:
        with psycopg.connect(admin_url, autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

    db = open_database(postgresql_url)

    def transact(*statements: Any) -> None:
        with db.session(), db.transaction():
            for statement in statements:
                cut() if statement == "cut" else beats.beat(db, "x", statement)

    try:
        with db.session():
            beats.beat(db, "x", 1.0)
        cut()  # while it is idle
        with pytest.raises(Unavailable), db.session():
            beats.last(db, "x")
        with db.session():
            assert beats.last(db, "x") == 1.0
        for statements in (["cut", 2.0], [2.0, "cut", 3.0], [2.0, "cut"]):  # at every moment of a transaction
            with pytest.raises(Unavailable):
                transact(*statements)
            with db.session():
                assert beats.last(db, "x") == 1.0
        with db.session():
            assert beats.last(db, "x") == 1.0
    finally:
        db.release()
