"""The least-privileged users of deploy/: the whole pipeline works with them, and what must fail fails.

And who listens where, with the files that we ship.
"""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pika
import psycopg
import pytest
from peewee import SQL, fn

from overheard.bus import amqp
from overheard.bus.amqp import BusUnavailable
from overheard.db import migrate
from overheard.db.database import open_database
from overheard.db.models import TABLES, DeadLetter, RefreshDemand
from overheard.errors import ConfigError
from overheard.simulators.bluesky import BlueskySimulator
from overheard.workspaces import WatchSpec
from tests.servers.farm import Farm
from tests.servers.forks import shared_forks
from tests.servers.listeners import listeners, started_with
from tests.servers.rabbitmq import SCRIPTS
from tests.servers.shipped import DEPLOY, VHOST, ShippedPostgres, ShippedRabbit
from tests.servers.waiting import wait_for

APP, TRIGGER = "overheard", "overheard_trigger"


@pytest.fixture(scope="module")
def rabbit() -> Iterator[ShippedRabbit]:
    """The shipped node, and what somebody else has on it: ``foreign`` things on our vhost, and a vhost of theirs."""
    server = ShippedRabbit()
    try:
        server.start()
        server.ctl("add_vhost", "theirs")
        server.passwords["somebody"] = "else"
        server.ctl("add_user", "somebody", "else")
        for vhost in (VHOST, "theirs"):
            server.ctl("set_permissions", "-p", vhost, "somebody", ".*", ".*", ".*")
        with pika.BlockingConnection(pika.URLParameters(server.url_of("somebody"))) as connection:
            channel = connection.channel()
            channel.queue_declare("foreign", durable=True)
            channel.exchange_declare("foreign", "topic", durable=True)
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def postgres() -> Iterator[ShippedPostgres]:
    """The shipped server, migrated by the owner."""
    with ShippedPostgres() as server:
        migrated(server.owner_url)
        with psycopg.connect(server.url, autocommit=True) as admin:
            admin.execute("CREATE DATABASE theirs")
        yield server


def migrated(url: str) -> list[str]:
    db = open_database(url)
    try:
        return migrate.migrate(db)
    finally:
        db.release()


@pytest.fixture
def farm(tmp_path: Path, rabbit: ShippedRabbit, postgres: ShippedPostgres) -> Iterator[Farm]:
    with Farm(tmp_path, bus=rabbit.url_of(APP), database=postgres.app_url) as farm:
        yield farm


def test_the_whole_pipeline_works_with_the_least_privileged_users(farm: Farm, rabbit: ShippedRabbit) -> None:
    farm.workspace(every="1d")
    farm.workspace("later", every="1d", mode="digest", digest="2s")
    farm.everything()
    farm.wait(lambda: farm.scalar(RefreshDemand.select(fn.min(RefreshDemand.served_at))) > 0)
    found = listeners([os.getpid(), *(process.pid for process in farm.processes.values())])
    assert len(found) >= 5  # three processes, the simulator and the receiver
    assert not [each for each in found if not each.loopback]

    posted = farm.post(3)
    publish(rabbit, TRIGGER, "workspace.due", b'{"workspace": "acme"}')
    publish(rabbit, TRIGGER, "workspace.due", b'{"workspace": "later"}')
    farm.wait(lambda: {"mention.created", "digest"} <= {r.json["type"] for r in farm.sink.wait_for(0)}, seconds=60)
    assert set(farm.wait_for_items(posted)) == posted

    # A retry waits on .DQ; what cannot be read goes over .XQ to the table, what cannot be understood over .rejected.
    farm.simulator.faults.fail(503, times=1)
    comment = farm.simulator.add_comment(next(iter(posted)), "another needle")
    publish(rabbit, TRIGGER, "workspace.due", b'{"workspace": "acme"}')
    farm.wait_for_items({comment}, seconds=60)
    publish(rabbit, TRIGGER, "workspace.due", b"rubbish")
    publish(rabbit, TRIGGER, "workspace.deu", b"{}")
    with connected(rabbit, APP) as channel:
        channel.basic_publish("", "store", b"rubbish")
    farm.wait(lambda: farm.scalar(DeadLetter.select(fn.count(SQL("*")))) == 3, seconds=60)

    for command in (
        "status",
        "check",
        "mentions",
        "dead list",
        "export",
        "channel list",
        "deliveries list",
        "why acme",
        "trigger acme --wait",
    ):
        done = overheard(farm, *command.split())
        assert done.returncode == 0, done.stdout + done.stderr
    behind = overheard(farm, "migrate")
    assert (behind.returncode, behind.stdout) == (0, "The database was already up to date.\n")


def test_the_stream_works_with_the_least_privileged_users(farm: Farm) -> None:
    with BlueskySimulator() as simulator:
        farm.settings["SOURCES__BLUESKY__URL"] = simulator.url
        farm.workspace("sky", subreddits=(), watch=(WatchSpec("bluesky", ("all",)),), every="1d")
        farm.actors("match", "store", "notify", name="actors")
        farm.start("stream", "producers", "stream", "bluesky")
        assert simulator.wait_for_connections(1)
        farm.wait_for_items({simulator.add_post("needle")}, seconds=60)


def test_rabbitmqadmin_publishes_as_the_trigger_user(farm: Farm, rabbit: ShippedRabbit) -> None:
    farm.workspace("admin", every="1d")
    farm.everything()
    farm.wait(lambda: farm.scalar(RefreshDemand.select(fn.min(RefreshDemand.served_at))) > 0)
    posted = farm.post(1, first=50)
    subprocess.run(
        ["rabbitmqadmin", "-P", str(rabbit.http_port), "-H", "127.0.0.1", "-V", VHOST, "-u", TRIGGER,
         "-p", rabbit.passwords[TRIGGER], "publish", "exchange=overheard.events", "routing_key=workspace.due",
         'payload={"workspace": "admin"}'], check=True, capture_output=True, timeout=30
    )  # fmt: skip
    farm.wait_for_items(posted)


def overheard(farm: Farm, *args: str) -> subprocess.CompletedProcess[str]:
    return shared_forks().run("overheard.cli", *args, env=farm.environment, cwd=farm.folder)


# RabbitMQ


class connected:
    """A channel of this user, for a ``with`` block."""

    def __init__(self, rabbit: ShippedRabbit, user: str) -> None:
        self.connection = pika.BlockingConnection(pika.URLParameters(rabbit.url_of(user)))

    def __enter__(self) -> Any:
        channel = self.connection.channel()
        channel.confirm_delivery()
        return channel

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def publish(rabbit: ShippedRabbit, user: str, key: str, body: bytes) -> None:
    with connected(rabbit, user) as channel:
        channel.basic_publish("overheard.events", key, body)


@pytest.fixture
def door(rabbit: ShippedRabbit) -> None:
    """Our own exchanges and queues are there."""
    from overheard.bus.public_exchange import declare

    with connected(rabbit, APP) as channel:
        declare(channel)


Attempt = Callable[[Any], object]
FOREIGN: dict[str, Attempt] = {
    "make a queue": lambda channel: channel.queue_declare("mine", durable=True),
    "make a queue that the server names": lambda channel: channel.queue_declare(""),
    "make a queue that begins like ours": lambda channel: channel.queue_declare("fetch.DQ2"),
    "make a queue that ends like ours": lambda channel: channel.queue_declare("prefetch"),
    "make an exchange": lambda channel: channel.exchange_declare("mine", "topic"),
    "delete a queue": lambda channel: channel.queue_delete("foreign"),
    "empty a queue": lambda channel: channel.queue_purge("foreign"),
    "delete an exchange": lambda channel: channel.exchange_delete("foreign"),
    "read from a queue": lambda channel: channel.basic_get("foreign"),
    "consume a queue": lambda channel: channel.basic_consume("foreign", lambda *_: None),
    "tap an exchange": lambda channel: channel.queue_bind("overheard.ingress", "foreign", "#"),
    "tap the broker's own events": lambda channel: channel.queue_bind("overheard.ingress", "amq.rabbitmq.trace", "#"),
    "feed a queue": lambda channel: channel.queue_bind("foreign", "overheard.events", "#"),
    "publish to an exchange": lambda channel: channel.basic_publish("foreign", "x", b""),
    "publish to the server's topic": lambda channel: channel.basic_publish("amq.topic", "x", b""),
}
OURS: dict[str, Attempt] = {
    "see what others publish": lambda channel: channel.basic_get("overheard.ingress"),
    "consume events": lambda channel: channel.basic_consume("overheard.ingress", lambda *_: None),
    "read what was refused": lambda channel: channel.basic_get("overheard.rejected"),
    "reach a stage's queue": lambda channel: channel.basic_publish("", "store", b""),
    "reach the kept events": lambda channel: channel.basic_publish("overheard.unrouted", "x", b""),
    "empty the events": lambda channel: channel.queue_purge("overheard.ingress"),
    "delete the door": lambda channel: channel.exchange_delete("overheard.events"),
    "bind a queue": lambda channel: channel.queue_bind("overheard.ingress", "overheard.events", "x"),
}


@pytest.mark.usefixtures("door")
@pytest.mark.parametrize("attempt", FOREIGN)
@pytest.mark.parametrize("user", [APP, TRIGGER])
def test_what_is_not_ours_is_refused(rabbit: ShippedRabbit, user: str, attempt: str) -> None:
    refused(rabbit, user, FOREIGN[attempt])


@pytest.mark.usefixtures("door")
@pytest.mark.parametrize("attempt", OURS)
def test_who_triggers_may_publish_events_and_nothing_else(rabbit: ShippedRabbit, attempt: str) -> None:
    publish(rabbit, TRIGGER, "workspace.due", b"{}")
    refused(rabbit, TRIGGER, OURS[attempt])


def refused(rabbit: ShippedRabbit, user: str, attempt: Attempt) -> None:
    with connected(rabbit, user) as channel, pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        attempt(channel)
    assert caught.value.reply_code == 403, caught.value


@pytest.mark.parametrize("vhost", ["theirs", "%2F", "nowhere"])
@pytest.mark.parametrize("user", [APP, TRIGGER])
def test_other_vhosts_are_closed(rabbit: ShippedRabbit, user: str, vhost: str) -> None:
    with pytest.raises(BusUnavailable, match="refuses the vhost"):
        amqp.connect(amqp.parameters(rabbit.url_of(user, vhost)))


@pytest.mark.parametrize("login", ["guest:guest", f"{APP}:guess"])
def test_guest_and_guessed_passwords_are_refused(rabbit: ShippedRabbit, login: str) -> None:
    with pytest.raises(BusUnavailable, match="refuses the login"):
        amqp.connect(amqp.parameters(f"amqp://{login}@127.0.0.1:{rabbit.port}/{VHOST}"))


def test_the_processes_user_administers_nothing(rabbit: ShippedRabbit) -> None:
    address = f"http://127.0.0.1:{rabbit.http_port}/api/users"
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, address, APP, rabbit.passwords[APP])
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
    with pytest.raises(urllib.error.HTTPError, match="401"):
        opener.open(address, timeout=20)


def test_the_shipped_rabbitmq_listens_on_loopback_only(rabbit: ShippedRabbit) -> None:
    """The node, its management and metrics, the port of the Erlang distribution, and epmd."""
    found = listeners(started_with(str(rabbit.home)))
    ports = {each.port for each in found}
    erlang = {int(rabbit.env[name]) for name in ("RABBITMQ_DIST_PORT", "ERL_EPMD_PORT")}
    assert ports == {rabbit.port, rabbit.http_port, rabbit.prometheus_port} | erlang
    assert not [each for each in found if not each.loopback]


def test_rabbitmqctl_listens_on_loopback_only(rabbit: ShippedRabbit) -> None:
    """It is an Erlang node itself while it runs."""
    node = set(started_with(str(rabbit.home)))
    command = [SCRIPTS / "rabbitmqctl", "-n", rabbit.node, "eval", "timer:sleep(60000)."]
    running = subprocess.Popen(command, env=rabbit.env, cwd=rabbit.home, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: listeners({*started_with(str(rabbit.home))} - node), "rabbitmqctl")
        assert all(each.loopback for each in listeners({*started_with(str(rabbit.home))} - node))
    finally:
        running.kill()
        running.wait()


def test_the_shipped_alarms_and_timeouts_are_in_force(rabbit: ShippedRabbit) -> None:
    settings = rabbit.ctl("eval", "[application:get_env(rabbit, K) || K <- [disk_free_limit, consumer_timeout]].")
    assert "1GB" in settings
    assert "1800000" in settings
    assert "alarms: []" not in settings  # eval answered, and not with a report


# PostgreSQL

FORBIDDEN = {
    "make a table": "CREATE TABLE mine (id int)",
    "make a temporary table": "CREATE TEMP TABLE mine (id int)",
    "make a schema": "CREATE SCHEMA mine",
    "make a function": "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "make a view": "CREATE VIEW mine AS SELECT 1",
    "make an index": "CREATE INDEX mine ON item (author)",
    "drop a table": "DROP TABLE beat",
    "change a table": "ALTER TABLE item ADD COLUMN mine int",
    "switch constraints off": "ALTER TABLE item DISABLE TRIGGER ALL",
    "empty a table at one stroke": "TRUNCATE beat",
    "make a trigger": "CREATE TRIGGER mine AFTER INSERT ON item EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "give rights away": "ALTER TABLE item OWNER TO overheard",
    "load an extension": "CREATE EXTENSION pgcrypto",
    "load an extension that reads files": "CREATE EXTENSION file_fdw",
    "run a program": "COPY item TO PROGRAM 'id'",
    "run a program and read it": "COPY item (name) FROM PROGRAM 'id'",
    "write a file": "COPY item TO '/tmp/overheard-mine'",
    "read a file": "SELECT pg_read_file('/etc/passwd')",
    "read passwords": "SELECT rolpassword FROM pg_authid",
    "become the owner": "SET ROLE overheard_owner",
    "become superuser": "ALTER ROLE overheard SUPERUSER",
    "make a role": "CREATE ROLE mine",
    "make a database": "CREATE DATABASE mine",
    "change the server": "ALTER SYSTEM SET listen_addresses = '*'",
    "end others": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
}
ALSO_THE_OWNERS = (
    "load an extension that reads files", "run a program", "run a program and read it", "write a file", "read a file",
    "read passwords", "become superuser", "make a role", "make a database", "change the server", "end others",
)  # fmt: skip


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_processes_role_changes_rows_and_nothing_else(postgres: ShippedPostgres, what: str) -> None:
    with psycopg.connect(postgres.url):  # so that there is somebody to end
        denied(postgres.app_url, FORBIDDEN[what])


@pytest.mark.parametrize("what", ALSO_THE_OWNERS)
def test_the_owner_is_no_superuser(postgres: ShippedPostgres, what: str) -> None:
    with psycopg.connect(postgres.url):
        denied(postgres.owner_url, FORBIDDEN[what])


def denied(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize("database", ["theirs", "postgres", "template1"])
def test_other_databases_are_closed(postgres: ShippedPostgres, database: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects connection"):
        psycopg.connect(postgres.as_app(database), connect_timeout=5)


def test_others_do_not_get_into_ours(postgres: ShippedPostgres) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    stranger = postgres.as_app("overheard").replace("//overheard:", "//stranger:stranger@").split("@")
    with pytest.raises(psycopg.OperationalError, match='permission denied for database "overheard"'):
        psycopg.connect(f"{stranger[0]}@{stranger[-1]}", connect_timeout=5)


def test_every_row_may_be_read_and_changed(postgres: ShippedPostgres) -> None:
    with psycopg.connect(postgres.app_url) as connection:
        for table in TABLES:
            name = table._meta.table_name
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
                row = connection.execute("SELECT has_table_privilege(%s, %s)", (name, right)).fetchone()
                assert row == (True,), (name, right)


def test_tables_of_later_migrations_are_covered(postgres: ShippedPostgres) -> None:
    with psycopg.connect(postgres.owner_url) as owner:
        owner.execute("CREATE TABLE later (id serial PRIMARY KEY, word text)")
    with psycopg.connect(postgres.app_url) as connection:
        assert connection.execute("INSERT INTO later (word) VALUES ('x') RETURNING id").fetchone() == (1,)
        connection.execute("UPDATE later SET word = 'y'")
        assert connection.execute("DELETE FROM later").rowcount == 1
    with psycopg.connect(postgres.owner_url) as owner:
        owner.execute("DROP TABLE later")


def test_an_unmigrated_database_is_noticed_by_who_may_not_migrate_it() -> None:
    with ShippedPostgres() as server:
        db = open_database(server.app_url)
        try:
            with pytest.raises(ConfigError, match="run `overheard migrate`"):
                migrate.require_current(db)
            with pytest.raises(ConfigError, match="may not change the schema; migrate as the owner"):
                migrate.migrate(db)
            assert migrated(server.owner_url)
            migrate.require_current(db)
        finally:
            db.release()


def test_statements_locks_and_idle_transactions_end(postgres: ShippedPostgres) -> None:
    with psycopg.connect(postgres.app_url) as connection:
        names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "log_error_verbosity")
        found = [connection.execute(f"SHOW {name}").fetchone()[0] for name in names]
    assert found == ["5min", "30s", "1min", "terse"]


def test_roles_may_be_run_again_and_changes_passwords() -> None:
    with ShippedPostgres() as server:
        migrated(server.owner_url)
        with psycopg.connect(server.app_url) as connection:
            connection.execute("INSERT INTO beat VALUES ('kept', 1)")
        with psycopg.connect(f"{server.url.removesuffix('postgres')}overheard", autocommit=True) as admin:
            admin.execute("ALTER TABLE beat OWNER TO overheard")  # as it was before there were two roles
        old = server.app_url
        server.roles(overheard="it's a 'new' \\ one $$")
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(old, connect_timeout=5)
        with psycopg.connect(server.app_url) as connection:
            assert connection.execute("SELECT name FROM beat").fetchall() == [("kept",)]
        denied(server.app_url, "DROP TABLE beat")
        assert "PASSWORD" not in server.log()
        assert "'new'" not in server.log()


def test_roles_without_passwords_changes_nothing(postgres: ShippedPostgres) -> None:
    environ = {"PATH": os.environ["PATH"], "PGPASSWORD": postgres._passwords["postgres"], "OVERHEARD_PASSWORD": "x"}
    with pytest.raises(subprocess.CalledProcessError) as caught:
        postgres.psql(environ)
    assert caught.value.returncode == 3
    assert "set OVERHEARD_OWNER_PASSWORD and OVERHEARD_PASSWORD" in caught.value.stderr
    psycopg.connect(postgres.app_url).close()


def test_the_shipped_postgresql_listens_on_loopback_only(postgres: ShippedPostgres) -> None:
    assert postgres._process
    found = listeners([postgres._process.pid])
    assert found
    assert not [each for each in found if not each.loopback]


# What needs no server


def test_overheard_run_listens_on_loopback_only(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(DEPLOY.parent)}
    command = [sys.executable, "-m", "overheard.cli", "demo", "--for", "60s"]
    demo = subprocess.Popen(command, env=environ, cwd=tmp_path, stdout=subprocess.PIPE)
    try:
        # The metrics, the demo's Reddit and its receiver: the same servers that `overheard run` and the tests use.
        wait_for(lambda: len(listeners([demo.pid])) >= 3, "three listeners")
        found = listeners([demo.pid])
        assert not [each for each in found if not each.loopback]
    finally:
        demo.kill()
        demo.communicate()
