"""The command line against RabbitMQ, PostgreSQL and a simulated Reddit, as a separate process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pika
import pytest
from prometheus_client import CollectorRegistry

from overheard.bus import amqp
from overheard.bus.broker import open_broker
from overheard.bus.envelope import StrictEncoder, pack
from overheard.db import dead_letters, storing
from overheard.db.database import Db, open_database
from overheard.db.dead_letters import DeadLetterFilter
from overheard.messages import FetchWorkspace, ItemsFetched, PollPart
from overheard.observability.metrics import ProcessMetrics
from overheard.operations.tail import MentionTail
from overheard.simulators.reddit import CLIENT_ID, CLIENT_SECRET, RedditSimulator
from overheard.stages import STAGES
from tests.fixtures import Clock, World
from tests.servers.bus_rig import depth
from tests.servers.forks import shared_forks
from tests.servers.sink import Answer, HttpSink
from tests.servers.waiting import wait_for

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


@pytest.fixture
def environ(tmp_path: Path, rabbit_url: str, postgresql_url: str) -> dict[str, str]:
    """The environment of a process that uses this test's servers."""
    settings = {
        "OVERHEARD_BUS__URL": rabbit_url,
        "OVERHEARD_DATABASE__URL": postgresql_url,
        "OVERHEARD_METRICS__PORT": "0",
        "OVERHEARD_NOTIFY__ALLOW_PRIVATE": "true",
        "OVERHEARD_TICK__INTERVAL": "0.2",
    }
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2]), **settings}


@pytest.fixture
def run(environ: dict[str, str], tmp_path: Path) -> Run:
    def invoke(*args: str, **more: str) -> Done:
        return shared_forks().run("overheard.cli", *args, env=environ | more, cwd=tmp_path)

    return invoke


@pytest.fixture
def db(postgresql_url: str) -> Iterator[Db]:
    opened = open_database(postgresql_url)
    with opened.session():
        yield opened
    opened.release()


@contextmanager
def serving(environ: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run ``overheard run`` during the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "overheard.cli", "run"], env=environ, cwd=folder, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Overheard is running")
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def test_from_nothing_to_a_mention(run: Run, environ: dict[str, str], tmp_path: Path) -> None:
    with RedditSimulator() as simulator, HttpSink() as sink:
        environ |= {
            "OVERHEARD_REDDIT__CLIENT_ID": CLIENT_ID,
            "OVERHEARD_REDDIT__CLIENT_SECRET": CLIENT_SECRET,
            "OVERHEARD_REDDIT__USER_AGENT": "linux:overheard:test (by /u/standin)",
            "OVERHEARD_REDDIT__REDDIT_URL": simulator.url,
            "OVERHEARD_REDDIT__OAUTH_URL": simulator.url,
        }
        simulator.add_post("python", "An old post", "nothing")
        added = run("workspace", "add", "acme", "-s", "python", "-q", "brand=acmedb", "-c", f"team={sink.url}/x")
        assert added.returncode == 0, added.stderr
        checked = run("check")
        assert checked.returncode == 0, checked.stdout
        with serving(environ, tmp_path):
            assert run("trigger", "acme", "--wait").returncode == 0
            simulator.add_post("python", "We use acmedb", "and like it")
            triggered = run("trigger", "acme", "--wait")
            assert triggered.stdout.startswith("✓ acme: 1 new mention in "), triggered
            assert sink.wait_for(1)[0].json["data"]["title"] == "We use acmedb"
            (mention,) = map(json.loads, run("mentions", "--format", "json").stdout.splitlines())
            assert (mention["title"], mention["queries"]) == ("We use acmedb", ["brand"])
            status = run("status")
            assert status.returncode == 0, status.stdout
            assert status.stdout.startswith("✓ OK ")
            sink.answer(*[Answer(503)] * 20)
            for number in range(3):  # the first finds out; the others' deliveries are held back by the failing channel
                simulator.add_post("python", f"acmedb again, {number}", "and again")
                triggered = run("trigger", "acme", "--wait", "--timeout", "60")
                assert triggered.returncode == 0, triggered.stderr
            assert "! channel team is failing (" in triggered.stderr
        stopped = run("status", "--format", "json")
        assert stopped.returncode == 1
        assert stopped.stderr == ""
        messages = [each["what"] for each in json.loads(stopped.stdout)["troubles"]]
        assert "no workers on: fetch, match, store, notify, digest, recheck" in messages


def test_an_outdated_postgresql_schema_is_an_error_that_migrate_fixes(
    run: Run, environ: dict[str, str], request: pytest.FixtureRequest
) -> None:
    server: Any = request.getfixturevalue("postgres_server")
    environ["OVERHEARD_DATABASE__URL"] = server.create_database("behind")
    listed = run("workspace", "list")
    assert (listed.returncode, "overheard migrate" in listed.stderr) == (2, True)
    assert "run: overheard migrate" in run("check").stdout
    assert run("migrate").returncode == 0
    assert run("workspace", "list").returncode == 0
    server.drop_database("behind")


@pytest.mark.parametrize(
    "command",
    ["workspace list", "workspace show acme", "channel list", "channel enable acme team", "mentions --since 1h",
     "mentions --query brand --place r/python --state pending --search ACME", "deliveries list --query brand",
     "deliveries retry --workspace acme", "why acme", "why acme --item t3_rs",
     "dead-letters list --stage fetch", "dead-letters show 1", "dead list", "export",
     "workspace pause acme", "workspace remove acme --yes"],
)  # fmt: skip
def test_every_listing_and_change_works_on_postgresql(run: Run, db: Db, command: str) -> None:
    world = World(db, Clock())
    acme = world.workspace()
    storing.store(db, world.matched((world.item(), (acme,))), world.clock())
    dead_letters.record(
        db, message_id="m", stage="fetch", origin="nack", reason="x", traceback=None, body="{}", now=world.clock()
    )
    done = run(*command.split())
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("wrong", ["password", "vhost"])
def test_a_refused_rabbitmq_login_has_its_own_remedy(run: Run, db: Db, rabbit_url: str, wrong: str) -> None:
    parts = urlsplit(rabbit_url)
    refused = (
        parts._replace(netloc=f"nobody:hunter2@{parts.hostname}:{parts.port}")
        if wrong == "password"
        else parts._replace(path="/absent")
    )
    environ = {"OVERHEARD_BUS__URL": refused.geturl()}
    checked = run("check", "--format", "json", **environ)
    [bus] = [found for found in map(json.loads, checked.stdout.splitlines()) if found["part"] == "bus"]
    assert bus["what"].endswith(
        "refuses the login; check user and password in [bus] url"
        if wrong == "password"
        else "refuses the vhost; check that it exists and that the user may use it"
    )
    [trouble] = [
        trouble
        for trouble in json.loads(run("status", "--format", "json", **environ).stdout)["troubles"]
        if "RabbitMQ" in trouble["what"]
    ]
    for hint in (bus["hint"], trouble["do"]):
        assert hint.startswith("RabbitMQ is running: correct user, password and vhost in [bus] url")
        assert "start RabbitMQ" not in hint
    assert "hunter2" not in checked.stdout


def test_status_declares_no_queues(run: Run, rabbit_url: str) -> None:
    looks = [run("status", "--format", "json") for _ in range(2)]
    assert [look.stderr for look in looks] == ["", ""]
    first, second = (json.loads(look.stdout) for look in looks)
    assert [queue["workers"] for queue in first["queues"]] == [None] * len(first["queues"])
    assert first["queues"] == second["queues"]
    assert first["healthy"]  # nothing is watched yet


def dead(db: Db, message_id: str, body: str | bytes, **fields: Any) -> None:
    given = {"stage": "fetch", "origin": "nack", "reason": "x", "traceback": None, "now": 1.0, **fields}
    text = body.decode() if isinstance(body, bytes) else body
    dead_letters.record(db, message_id=message_id, body=text, **given)


def envelope(message_id: str, **options: Any) -> bytes:
    message = pack(
        FetchWorkspace(workspace_id=1, source="reddit", fresh_since=0), message_id=message_id, options=options
    )
    return StrictEncoder().encode(message.asdict())


def taken(url: str, queue: str) -> list[tuple[str, dict[str, Any]]]:
    """Empty a queue; return (message id, body) of each message."""
    connection = pika.BlockingConnection(amqp.parameters(url))
    channel = connection.channel()
    got = []
    while (answer := channel.basic_get(queue, auto_ack=True))[0] is not None:
        got.append((answer[1].message_id, json.loads(answer[2])))
    connection.close()
    return got


def parked(url: str, queue: str, *bodies: bytes) -> None:
    """Put messages into a dead-letter queue, as RabbitMQ does."""
    broker = open_broker(
        url, stages=STAGES.values(), metrics=ProcessMetrics(CollectorRegistry()), record_dead=lambda recorded: None
    )
    broker.declare_queue(queue, ensure=True)
    broker.release()
    connection = pika.BlockingConnection(amqp.parameters(url))
    channel = connection.channel()
    for body in bodies:
        channel.basic_publish("", f"{queue}.XQ", body, pika.BasicProperties(delivery_mode=2))
    connection.close()


def test_replay_sends_dead_letters_as_new_messages_and_deletes_them(run: Run, db: Db, rabbit_url: str) -> None:
    used = {"retries": 8, "traceback": "old", "requeue_timestamp": 1, "slot": 5.0, "slot_key": "reddit:x"}
    dead(db, "m1", envelope("m1", **used))
    delayed = json.loads(envelope("m2")) | {"queue_name": "fetch.DQ", "options": {"eta": 1}}
    dead(db, "m2", json.dumps(delayed))
    for number in range(3):
        dead(db, f"broken{number}", "{}" + " " * number)
    dead(db, "other", envelope("other"), stage="match")
    replayed = run("dead-letters", "replay", "--stage", "fetch", "--yes")
    assert replayed.returncode == 1
    assert replayed.stdout == "✓ 2 dead letters sent again.\n"
    summary, last = replayed.stderr.splitlines()
    assert summary.startswith("! 3 dead letters not sent: cannot be replayed: not an envelope of ours")
    assert last == "overheard: 3 dead letters not sent"
    assert sorted(row.message_id for row in dead_letters.listing(db)) == ["broken0", "broken1", "broken2", "other"]
    wait_for(lambda: depth(rabbit_url, "fetch") == 2, "the messages")
    sent = taken(rabbit_url, "fetch")
    assert [(message_id, body["message_id"], body["options"]) for message_id, body in sent] == [
        ("m1", "m1", {}), ("m2", "m2", {})
    ]  # fmt: skip


def test_replay_publishes_rejected_events_that_may_succeed_now(run: Run, db: Db, rabbit_url: str) -> None:
    event: dict[str, Any] = {"stage": "ingress", "origin": "rejected"}
    dead(db, "e1", '{"workspace": "acme"}', routing_key="workspace.due", **event)
    dead(db, "e2", "nonsense", routing_key="workspace.due", **event)
    dead(db, "e3", "{}", routing_key="workspace.deu", **event)
    dead(db, "e4", "{}", **event)
    replayed = run("dead-letters", "replay", "--all", "--yes")
    assert replayed.stdout == "✓ 1 dead letter sent again.\n"
    assert "it would be rejected again: body is not JSON" in replayed.stderr
    assert "no such event type" in replayed.stderr
    assert "type was not recorded" in replayed.stderr
    assert taken(rabbit_url, "overheard.ingress") == [("e1", {"workspace": "acme"})]
    assert sorted(row.message_id for row in dead_letters.listing(db)) == ["e2", "e3", "e4"]


def test_two_replays_at_once_send_nothing_twice(
    environ: dict[str, str], tmp_path: Path, db: Db, rabbit_url: str
) -> None:
    for number in range(300):
        dead(db, f"m{number}", envelope(f"m{number}"))
    command = [sys.executable, "-m", "overheard.cli", "dead-letters", "replay", "--all", "--yes"]
    both = [
        subprocess.Popen(command, env=environ, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60) for process in both]
    # The first to end may see dead letters that the other one is still sending, and reports them.
    for process, (_, complaint) in zip(both, outputs, strict=True):
        assert process.returncode == (1 if "being sent by another process" in complaint else 0), outputs
    wait_for(lambda: depth(rabbit_url, "fetch") == 300, "the messages")
    assert len({message_id for message_id, _ in taken(rabbit_url, "fetch")}) == 300
    assert dead_letters.count(db) == 0


@pytest.mark.parametrize("which", [["2"], ["--stage", "fetch", "--yes"], ["--all", "--yes"]])
def test_replay_reports_dead_letters_leased_by_a_killed_replay(
    run: Run, db: Db, rabbit_url: str, which: list[str]
) -> None:
    for number in range(2):
        dead(db, f"m{number}", envelope(f"m{number}"))
    _, claimed = dead_letters.claim(db, DeadLetterFilter(), after_id=0, limit=2)
    if which != ["2"]:
        dead(db, "free", envelope("free"))
    replayed = run("dead-letters", "replay", *which)
    held = "1 dead letter is" if which == ["2"] else "2 dead letters are"
    assert replayed.returncode == 1
    assert replayed.stdout == ("" if which == ["2"] else "✓ 1 dead letter sent again.\n")
    assert replayed.stderr == (
        f"overheard: {held} being sent by another process; any that remain can be replayed in 5 min\n"
    )
    dead_letters.release(db, [claimed])
    assert run("dead-letters", "replay", "2").stdout == "✓ 1 dead letter sent again.\n"
    assert [row.id for row in dead_letters.listing(db)] == [1]


def test_a_replayed_message_does_not_return_from_its_dead_letter_queue(run: Run, db: Db, rabbit_url: str) -> None:
    broken = b"\xff\x00broken"
    parked(rabbit_url, "fetch", envelope("m1"), broken)
    dead(db, "m1", envelope("m1"))  # as its stage has recorded it
    replayed = run("dead-letters", "replay", "--all", "--yes")
    assert replayed.stdout == "✓ 1 dead letter sent again.\n"
    (listed,) = dead_letters.listing(db)
    left = dead_letters.get(db, listed.id)
    assert left is not None
    assert (json.loads(left.body)["size"], left.origin) == (len(broken), "xq")
    assert depth(rabbit_url, "fetch.XQ") == 0
    assert [message_id for message_id, _ in taken(rabbit_url, "fetch")] == ["m1"]


def test_forget_erases_dead_letters_that_are_still_on_the_bus(run: Run, db: Db, rabbit_url: str) -> None:
    world = World(db, Clock())
    acme, bolt = world.workspace(), world.workspace("bolt")
    matched = world.matched((world.item(1), (acme,)), (world.item(2, author="Quill"), (bolt,)))
    parked(rabbit_url, "store", StrictEncoder().encode(pack(matched).asdict()))
    parked(rabbit_url, "fetch", envelope("m1"))
    assert acme == 1
    forgotten = run("forget", "--workspace", "acme", "--yes", "--format", "json")
    assert forgotten.returncode == 0, forgotten.stderr
    assert json.loads(forgotten.stdout)["erased"]["letters"] == 1
    assert (depth(rabbit_url, "store.XQ"), depth(rabbit_url, "fetch.XQ")) == (0, 0)
    (listed,) = dead_letters.listing(db)
    left = dead_letters.get(db, listed.id)
    assert left is not None
    assert json.loads(left.body)["names"] == ["t3_1", "t3_2"]
    assert "quill" not in str(left).lower()


def test_replay_explains_what_cannot_be_replayed(run: Run, db: Db, rabbit_url: str) -> None:
    parked(
        rabbit_url,
        "match",
        StrictEncoder().encode(pack(ItemsFetched(part=PollPart(poll="p", part=0), items=())).asdict()),
    )
    parked(rabbit_url, "notify", b"rubbish")
    replayed = run("dead-letters", "replay", "--all", "--yes")
    assert (replayed.returncode, replayed.stdout) == (1, "")
    assert sorted(replayed.stderr.splitlines()) == [
        "! 1 dead letter not sent: nothing to replay: it was never a message of ours: find out who publishes it, then "
        "drop it",
        "! 1 dead letter not sent: nothing to replay: its items are read again by the next reading: drop it",
        "overheard: 2 dead letters not sent",
    ]
    assert dead_letters.count(db) == 2


def test_following_yields_a_mention_whose_transaction_committed_late(db: Db, postgresql_url: str) -> None:
    world = World(db, Clock())
    acme = world.workspace()
    arrivals = iter(MentionTail(db))
    slow = open_database(postgresql_url)
    with slow.session(), slow.transaction():
        # It takes the first id and commits last.
        slow.peewee.execute_sql(_copy(acme, "t3_slow"))
        db.peewee.execute_sql(_copy(acme, "t3_quick"))
        assert next(arrivals).item == "t3_quick"
    assert next(arrivals).item == "t3_slow"
    slow.release()


def _copy(workspace: int, name: str) -> str:
    return (
        "WITH new AS (INSERT INTO item (source, ref, kind, place, title, body, permalink, url, created_at, stored_at)"
        f" VALUES ('reddit', '{name}', 'post', 'python', '', '', '/', '', 0, 0) RETURNING id)"
        " INSERT INTO mention (workspace_id, item_id, query_ids, highlights, backfilled, stored_at)"
        f" SELECT {workspace}, id, '[]', '[]', false, extract(epoch FROM now()) FROM new"
    )
