"""The tests' own PostgreSQL: it is private, keeps what was committed, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.servers.ports import PortBlocks
from tests.servers.postgres import PostgresServer, postgres_url  # noqa: F401 (a fixture)
from tests.servers.reused_database import ReusedDatabase
from tests.servers.sink import HttpSink
from tests.servers.waiting import wait_for

ROOT = Path(__file__).parents[2]

# Starts a server, says where it lives, and waits to be killed.
VICTIM = """
import sys
from tests.servers.postgres import PostgresServer
with PostgresServer() as server:
    print(server.home, server.url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as own:
        yield own


def test_databases_know_nothing_of_each_other(server: PostgresServer) -> None:
    with psycopg.connect(server.create_database("one")) as one, psycopg.connect(server.create_database("two")) as two:
        one.execute("CREATE TABLE mention (id int)")
        one.commit()
        with pytest.raises(psycopg.errors.UndefinedTable):
            two.execute("SELECT * FROM mention")


def test_a_template_is_copied_with_its_content(server: PostgresServer) -> None:
    with psycopg.connect(server.create_database("original")) as original:
        original.execute("CREATE TABLE mention AS SELECT 7 AS id")
    with psycopg.connect(server.create_database("copy", template="original")) as copy:
        assert copy.execute("SELECT id FROM mention").fetchall() == [(7,)]


@pytest.fixture
def reused(server: PostgresServer) -> Iterator[ReusedDatabase]:
    with psycopg.connect(server.create_database("pattern")) as pattern:
        pattern.execute("CREATE TABLE schema_migration (id int, name text)")
        pattern.execute("INSERT INTO schema_migration VALUES (1, 'first')")
        pattern.execute("CREATE TABLE mention (id serial PRIMARY KEY, word text)")
        pattern.execute("CREATE TABLE hit (mention_id int REFERENCES mention)")
    yield ReusedDatabase(server, "pattern", "reused")
    server.drop_database("reused")
    server.drop_database("pattern")


def test_a_reused_database_is_empty_again_and_its_numbers_begin_anew(reused: ReusedDatabase) -> None:
    url = reused.url()
    for _ in range(2):
        with psycopg.connect(url) as connection:
            assert connection.execute("INSERT INTO mention (word) VALUES ('acme') RETURNING id").fetchone() == (1,)
            connection.execute("INSERT INTO hit VALUES (1)")
        with psycopg.connect(url) as rolled_back:
            rolled_back.execute("INSERT INTO mention (word) VALUES ('never committed')")
            rolled_back.rollback()
        reused.empty()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM mention, hit").fetchone() == (0,)
            assert connection.execute("SELECT name FROM schema_migration").fetchall() == [("first",)]


def test_what_is_still_connected_to_a_reused_database_is_cut_off(reused: ReusedDatabase) -> None:
    with psycopg.connect(reused.url()) as holder:
        holder.execute("INSERT INTO mention (word) VALUES ('in the middle of a transaction')")
        reused.empty()
        with pytest.raises(psycopg.OperationalError):
            holder.execute("SELECT 1")


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE hit RENAME TO elsewhere", "ALTER TABLE hit ADD COLUMN word text", "DROP TABLE hit",
        "ALTER TABLE mention ALTER COLUMN word SET NOT NULL", "ALTER TABLE mention DISABLE TRIGGER ALL",
        "CREATE INDEX ON mention (word)", "CREATE VIEW all_hits AS SELECT * FROM hit", "DROP TABLE schema_migration",
        "GRANT SELECT ON hit TO PUBLIC", "REVOKE CONNECT ON DATABASE reused FROM PUBLIC",
        "ALTER DATABASE reused SET work_mem = '1MB'", "INSERT INTO schema_migration VALUES (2, 'second')",
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE SCHEMA mine",
    ],
)  # fmt: skip
def test_a_reused_database_of_another_shape_is_cloned_anew(
    server: PostgresServer, reused: ReusedDatabase, change: str
) -> None:
    with psycopg.connect(reused.url()) as connection:
        number = oid(connection)
    with psycopg.connect(server.admin_url("reused"), autocommit=True) as admin:
        admin.execute(change)
    reused.empty()
    with psycopg.connect(reused.url()) as connection:
        assert oid(connection) != number


def test_a_reused_database_that_was_dropped_is_cloned_anew(server: PostgresServer, reused: ReusedDatabase) -> None:
    reused.url()
    server.drop_database("reused")
    reused.empty()
    psycopg.connect(reused.url()).close()


def oid(connection: psycopg.Connection[tuple[int]]) -> int:
    """The number of its database, which a clone does not share."""
    found = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
    assert found
    return found[0]


def test_what_was_committed_outlives_a_crash_and_a_restart(server: PostgresServer) -> None:
    url = server.create_database("durable")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE mention AS SELECT 1 AS id")
        connection.commit()
        connection.execute("INSERT INTO mention VALUES (2)")  # never committed
        server.stop(immediate=True)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url, connect_timeout=5)

    server.start()
    server.restart()

    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT id FROM mention").fetchall() == [(1,)]


def test_the_application_role_is_no_superuser_and_strangers_stay_out(server: PostgresServer) -> None:
    url = server.create_database("guarded")
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
        assert row == (False,)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url.replace(urlsplit(url).password or "", "guess"), connect_timeout=5)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_the_test_process_is_killed(how: signal.Signals) -> None:
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert victim.stdin
    assert victim.stdout
    home, url = victim.stdout.readline().split()
    pid = int((Path(home) / "data/postmaster.pid").read_text().split()[0])

    victim.send_signal(how)
    victim.communicate()

    wait_for(lambda: not Path(home).exists(), f"the end of {home}")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url, connect_timeout=5)
    assert not is_running(pid)


def test_each_test_gets_an_empty_database(postgres_url: str) -> None:  # noqa: F811
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE mention (id int)")


def test_and_the_next_one_too(postgres_url: str) -> None:  # noqa: F811
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE mention (id int)")


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # one that has ended may still wait for its parent, which init now is
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def test_a_port_is_given_to_one_test_process() -> None:
    """Looking whether it is free does not suffice: its server starts seconds later."""
    processes = [PortBlocks() for _ in range(5)]  # what reserves for a process
    given = [each.take(1) for each in processes for _ in range(100)]
    assert len(set(given)) == len(given)


def test_a_request_of_a_killed_client_has_not_arrived() -> None:
    with HttpSink() as sink:
        for path, body in (("/cut", b"{"), ("/whole", b"{}")):
            with socket.create_connection(("127.0.0.1", sink.port)) as client:
                client.sendall(f"POST {path} HTTP/1.1\r\nContent-Length: 2\r\n\r\n".encode() + body)
        assert [request.path for request in sink.wait_for(1)] == ["/whole"]
