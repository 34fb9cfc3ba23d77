"""The handle: URLs, transactions, and servers that fail."""

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

from overheard.db import budgets, database, heartbeats, migrate
from overheard.db.clock import MAX_AGE_SECONDS
from overheard.db.database import Db, open_database
from overheard.db.models import Heartbeat
from overheard.db.postgres import ANSWER_TIMEOUT_SECONDS, CONNECT_SECONDS, SERVER_LIMITS
from overheard.errors import ConfigError, Unavailable
from tests.fixtures import Clock, Race
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import Proxy


def test_the_clock_is_the_database_s(db: Db) -> None:
    before = time.time()
    now = db.clock()
    assert before - 1 <= now <= time.time() + 1


def test_a_clock_that_is_passed_in_is_the_database_s(db_url: str, clock: Clock) -> None:
    db = open_database(db_url, clock)
    with db.session():
        for step in (0.0, -3600.5):
            now = clock.advance(step)
            heartbeats.record(db, "x", 0.0)
            Heartbeat.update(at=db.greatest(Heartbeat.at, db.now + 1)).execute(db.peewee)
            assert (db.clock(), heartbeats.last_at(db, "x")) == (now, now + 1)
        assert budgets.claim_slot(db, "key", 10)
        clock.advance(9)
        assert not budgets.claim_slot(db, "key", 10)
        clock.advance(1)
        assert budgets.claim_slot(db, "key", 10)
    db.release()


def test_the_server_s_time_is_read_at_the_first_session_and_then_periodically(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = open_database(postgresql_url)
    assert db._server is not None
    read_at: list[float] = []
    synchronize = db._server.synchronize
    monkeypatch.setattr(db._server, "synchronize", lambda server: (read_at.append(db.clock()), synchronize(server)))
    for _ in range(3):
        with db.session(), db.session():
            db.clock()
    assert len(read_at) == 1, "not one statement for each session"
    db.ping()
    assert len(read_at) == 2, "each ping reads it"
    db._server._synchronized_at -= MAX_AGE_SECONDS
    with db.session():
        assert len(read_at) == 3
    db.release()


def test_all_or_nothing(db: Db) -> None:
    def fail(name: str) -> None:
        with db.transaction():
            heartbeats.record(db, name, 1.0)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail("x")
    assert heartbeats.last_at(db, "x") is None
    with db.transaction():
        heartbeats.record(db, "x", 1.0)
        with pytest.raises(RuntimeError):
            fail("y")
    assert (heartbeats.last_at(db, "x"), heartbeats.last_at(db, "y")) == (1.0, None)


def test_times_keep_their_fractions(db: Db) -> None:
    heartbeats.record(db, "x", 1795424400.123456)
    assert heartbeats.last_at(db, "x") == 1795424400.123456


def test_greatest(db: Db) -> None:
    heartbeats.record(db, "x", 5.0)
    assert Heartbeat.select(db.greatest(Heartbeat.at, 3.0, 7.0)).scalar(db.peewee) == 7.0


def test_each_thread_has_its_connection_and_gives_it_back(db: Db, race: Race) -> None:
    def work() -> bool:
        heartbeats.record(db, threading.current_thread().name, 1.0)
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
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": database.BUSY_TIMEOUT_MS}


def test_a_new_sqlite_file_is_private_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    """Channels' addresses and secrets are in it."""
    path = tmp_path / "new.db"
    before = os.umask(0o022)
    try:
        db = open_database(f"sqlite:///{path}")
        migrate.migrate(db)
        with db.session():
            heartbeats.record(db, "tick", 1.0)
            modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
        assert modes == {"new.db": 0o600, "new.db-wal": 0o600, "new.db-shm": 0o600}
        db.release()
        path.chmod(0o640)
        with db.session():
            assert heartbeats.last_at(db, "tick") == 1.0
        db.release()
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    finally:
        os.umask(before)


def test_sqlite_locked_for_too_long_is_unavailable(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 50)
    db = open_database(sqlite_url)
    holder = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked"), db.session():
            heartbeats.record(db, "x", 1.0)
        with pytest.raises(Unavailable, match="locked"), db.session(), db.transaction():
            heartbeats.record(db, "x", 1.0)
        holder.execute("ROLLBACK")
        with db.session():
            heartbeats.record(db, "x", 2.0)
            assert heartbeats.last_at(db, "x") == 2.0
    finally:
        holder.close()
        db.release()


def test_a_full_disk_is_reported_as_such(sqlite_url: str) -> None:
    db = open_database(sqlite_url)
    try:
        with db.session():
            (pages,) = db.peewee.execute_sql("PRAGMA page_count").fetchone()
            db.peewee.execute_sql(f"PRAGMA max_page_count = {pages}")
        large = "x" * 1_000_000
        with pytest.raises(Unavailable, match="database or disk is full"), db.session(), db.transaction():
            heartbeats.record(db, large, 1.0)
        with db.session():
            assert heartbeats.last_at(db, large) is None
    finally:
        db.release()


def test_a_reader_does_not_block_a_writer(sqlite_url: str, tmp_path: Path) -> None:
    db, other = open_database(sqlite_url), open_database(sqlite_url)
    try:
        with db.session(), other.session(), other.transaction():
            heartbeats.last_at(other, "x")
        with db.session():
            heartbeats.record(db, "x", 1.0)
    finally:
        db.release()
        other.release()


def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path / 'missing' / 'overheard.db'}")
    with pytest.raises(Unavailable, match="unable to open"), db.session():
        pass


def test_a_missing_server_is_unavailable_and_shows_no_password() -> None:
    db = open_database("postgresql://someone:hunter2@127.0.0.1:1/overheard")
    with pytest.raises(Unavailable) as gone, db.session():
        pass
    assert "hunter2" not in str(gone.value)


def test_a_cut_connection_is_replaced(postgresql_url: str, request: pytest.FixtureRequest) -> None:
    admin_url = request.getfixturevalue("postgres_server").url
    name = urlsplit(postgresql_url).path[1:]

    def cut() -> None:
        with psycopg.connect(admin_url, autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = %s", [name])

    db = open_database(postgresql_url)

    def transact(*statements: Any) -> None:
        with db.session(), db.transaction():
            for statement in statements:
                cut() if statement == "cut" else heartbeats.record(db, "x", statement)

    try:
        with db.session():
            heartbeats.record(db, "x", 1.0)
        cut()  # while it is idle
        with pytest.raises(Unavailable), db.session():
            heartbeats.last_at(db, "x")
        with db.session():
            assert heartbeats.last_at(db, "x") == 1.0
        for statements in (["cut", 2.0], [2.0, "cut", 3.0], [2.0, "cut"]):  # at every moment of a transaction
            with pytest.raises(Unavailable):
                transact(*statements)
            with db.session():
                assert heartbeats.last_at(db, "x") == 1.0
        with db.session():
            assert heartbeats.last_at(db, "x") == 1.0
    finally:
        db.release()


def shown(db: Db, name: str) -> int:
    """Return a session's setting in its own unit: milliseconds or seconds."""
    query = "SELECT setting::int FROM pg_settings WHERE name = %s"
    return int(db.peewee.execute_sql(query, (name,)).fetchone()[0])


def test_each_connection_has_its_limits(postgresql_url: str) -> None:
    db = open_database(postgresql_url)
    with db.session():
        assert {name: shown(db, name) for name in SERVER_LIMITS} == SERVER_LIMITS
        parameters = db.peewee.connection().info.get_parameters()
    db.release()
    wanted = {"connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"}
    assert wanted <= parameters.keys()


def test_the_url_overrides_the_limits(postgresql_url: str) -> None:
    db = open_database(f"{postgresql_url}?connect_timeout=7&options=-c%20lock_timeout%3D100")
    with db.session():
        assert shown(db, "lock_timeout") == 100
        assert shown(db, "statement_timeout") == SERVER_LIMITS["statement_timeout"]
        assert db.peewee.connection().info.get_parameters()["connect_timeout"] == "7"
    db.release()


def test_migrations_and_retention_take_as_long_as_they_need(postgresql_url: str) -> None:
    db = open_database(f"{postgresql_url}?options=-c%20statement_timeout%3D1000")
    slow = "SELECT pg_sleep(1.5)"
    with db.session():
        with db.without_timeouts():
            db.peewee.execute_sql(slow)
            assert (shown(db, "statement_timeout"), shown(db, "lock_timeout")) == (0, 0)
        assert shown(db, "statement_timeout") == 1000
    with pytest.raises(Unavailable, match="statement timeout"), db.session():
        db.peewee.execute_sql(slow)
    with pytest.raises(Unavailable, match="terminat"), db.session(), db.without_timeouts():
        db.peewee.execute_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    db.release()


def test_a_dead_client_s_lock_blocks_others_for_seconds_only(postgresql_url: str) -> None:
    """It vanishes: its session stays, in the middle of a transaction."""
    db = open_database(postgresql_url)
    with db.session():
        heartbeats.record(db, "x", 1.0)
    dead = open_database(f"{postgresql_url}?options=-c%20idle_in_transaction_session_timeout%3D1000")
    with dead.session():
        dead.peewee.begin()
        heartbeats.record(dead, "x", 2.0)
        with db.session():
            heartbeats.record(db, "x", 3.0)  # waits until the server ends that session, which is before lock_timeout
            assert heartbeats.last_at(db, "x") == 3.0
    with pytest.raises(Unavailable), dead.session():
        heartbeats.last_at(dead, "x")
    dead.release()
    db.release()


def test_a_lock_that_is_held_too_long_is_not_waited_for(postgresql_url: str) -> None:
    db, holder = open_database(f"{postgresql_url}?options=-c%20lock_timeout%3D100"), open_database(postgresql_url)
    with db.session():
        heartbeats.record(db, "x", 1.0)
    with holder.session(), holder.transaction():
        heartbeats.record(holder, "x", 2.0)
        with pytest.raises(Unavailable, match="lock timeout"), db.session():
            heartbeats.record(db, "x", 3.0)
    holder.release()
    db.release()


def test_a_slow_statement_of_a_running_server_goes_on(postgresql_url: str) -> None:
    db = open_database(postgresql_url)
    with db.session():
        db.peewee.connection().answer_timeout = 0.1
        assert db.peewee.execute_sql("SELECT 7, pg_sleep(1)").fetchone()[0] == 7
    db.release()


@pytest.mark.servers
def test_a_frozen_server_is_noticed_and_used_again_later() -> None:
    """Its kernel still accepts connections, and confirms what is sent: TCP notices nothing."""
    with PostgresServer() as server:
        db = open_database(f"{server.create_database('frozen')}?connect_timeout=2")
        db.ping()
        with server.frozen():
            began = time.monotonic()
            with pytest.raises(Unavailable, match="no answer for 3 s"):
                db.ping()
            with pytest.raises(Unavailable, match="timeout expired"):
                db.ping()
            assert time.monotonic() - began < 20
        db.ping()
        db.release()
    assert max(ANSWER_TIMEOUT_SECONDS, database.PING_TIMEOUT_SECONDS) + CONNECT_SECONDS < 20


def test_a_network_that_drops_is_noticed_in_the_middle_of_a_transaction(
    postgresql_url: str, postgres_server: PostgresServer
) -> None:
    with Proxy(postgres_server.port) as proxy:
        db = open_database(proxy.url(postgresql_url))

        def transact() -> None:
            with db.session(), db.transaction():
                heartbeats.record(db, "x", 1.0)
                db.peewee.connection().answer_timeout = 0.5
                proxy.drop()
                heartbeats.record(db, "x", 2.0)

        began = time.monotonic()
        with pytest.raises(Unavailable, match="no answer"):
            transact()
        assert time.monotonic() - began < 20
        proxy.restore()
        with db.session():
            assert heartbeats.last_at(db, "x") is None
        db.release()
