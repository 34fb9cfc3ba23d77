"""What processes log: one line an event, the same keys everywhere, a run that can be followed, and nobody's words."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika
import pytest
from peewee import fn

from overheard.db.models import Channel, Delivery, RefreshDemand
from tests.servers.farm import ALL_STAGES, Farm
from tests.servers.forks import PYTHON
from tests.servers.sink import HttpSink, echo

EVENT = "order-66"
REFUSED = "order-67"
AUTHOR = "quillwright"  # a name that no other text contains
WORDS = ("needle", "haystack", AUTHOR, "hook-secret")


def lines(farm: Farm, name: str) -> list[dict[str, Any]]:
    """Every line of a process: none that is not JSON."""
    return [json.loads(line) for line in farm.log(name).splitlines()]


@pytest.fixture
def farm(tmp_path: Path, rabbit_url: str, postgresql_url: str) -> Iterator[Farm]:
    with Farm(tmp_path, bus=rabbit_url, database=postgresql_url, fresh=True) as farm:
        yield farm


def publish(farm: Farm, body: bytes, key: str = "workspace.due") -> None:
    connection = pika.BlockingConnection(pika.URLParameters(farm.bus))
    connection.channel().basic_publish("overheard.events", key, body)
    connection.close()


def test_a_run_can_be_followed_from_the_event_to_the_receiver(farm: Farm) -> None:
    farm.workspace(every="1d")
    farm.producer("ingress")
    farm.producer("tick")
    for stage in ALL_STAGES:
        farm.actors(stage)
    farm.wait(lambda: farm.scalar(RefreshDemand.select(fn.min(RefreshDemand.served_at))) > 0)
    posted = farm.post(2)
    publish(farm, json.dumps({"workspace": "acme", "event_id": EVENT}).encode())
    farm.wait_for_items(posted)
    farm.wait(lambda: f'"{EVENT}"' in farm.log("notify") and '"message done"' in farm.log("notify").splitlines()[-1])
    publish(farm, b"{", "workspace.due")
    publish(farm, json.dumps({"workspace": "acme", "event_id": REFUSED, "urgent": True}).encode())
    farm.wait(lambda: farm.log("ingress").count('"event rejected"') == 2)
    codes = [farm.terminate(name) for name in ("tick", "ingress", *ALL_STAGES)]
    assert codes == [0] * (2 + len(ALL_STAGES))

    told = {name: lines(farm, name) for name in ("tick", "ingress", *ALL_STAGES)}
    (event,) = [line for line in told["ingress"] if line.get("run") == EVENT]
    assert event | {"event": "event done", "stage": "ingress", "type": "workspace.due", "workspace": "acme"} == event
    sent = event["sent"]
    for stage in ("fetch", "match", "store", "notify"):
        run = [line for line in told[stage] if line.get("run") == EVENT]
        assert {line["stage"] for line in run} == {stage}
        assert {line["workspace"] for line in run} == {"acme"}, stage
        by_message: dict[str, list[dict[str, Any]]] = {}
        for line in run:
            by_message.setdefault(line["message_id"], []).append(line)
        for of_one in by_message.values():
            assert of_one[0]["event"] == "message started"
            assert of_one[-1]["event"] == "message done"
            assert of_one[-1]["ms"] > 0
        if stage == "fetch":
            assert next(iter(by_message)) == sent, "then it may look again, as other messages of the same run"
    reads = [line for line in told["fetch"] if line["event"] == "poll read" and line["run"] == EVENT]
    assert {line["poll"] for line in reads} == {line["poll"] for line in told["match"] if line.get("run") == EVENT}
    assert {line["items"] for line in reads} == {2, 0}
    stored = [line for line in told["store"] if line.get("run") == EVENT and line["event"] == "message done"]
    assert sum(line["mentions"] for line in stored) == 2
    for stage, done in (("match", "message done"), ("store", "message done"), ("notify", "delivery sent")):
        named = " ".join(line.get("item_ids", "") for line in told[stage] if line["event"] == done)
        assert {f"reddit:{item}" for item in posted} <= set(named.split()), stage
    rejected = [line for line in told["ingress"] if line["event"] == "event rejected"]
    assert "not JSON" in rejected[0]["reason"]
    (found,) = [line for line in told["ingress"] if REFUSED in str(line)]
    assert found | {"event": "event rejected", "run": REFUSED, "workspace": "acme", "stage": "ingress"} == found
    assert found["ms"] >= 0


def test_the_logs_hold_nobodys_words_and_no_secret(farm: Farm) -> None:
    farm.workspace(every="1d", query="needle")
    farm.workspace("sick", every="1d", url=f"http://127.0.0.1:{farm.sink.port}/hook-secret/down")
    farm.post(3, author=AUTHOR)
    farm.everything()
    farm.wait(lambda: len(farm.received()) >= 6)
    assert farm.sink.wait_for(1)[0].json["data"]["author"] == AUTHOR, "there is a name that could be logged"
    farm.simulator.faults.fail(503, times=2)
    publish(farm, b'{"workspace": "acme", "event_id": "again"}')
    farm.wait(lambda: "source postponed" in farm.log("actors"))
    text = farm.logs()
    everything = "".join(farm.log(name) for name in ("tick", "ingress", "actors"))
    for word in (*WORDS, farm.secret, "overheard-tests", farm.bus.rpartition("@")[0].rpartition(":")[2]):
        assert word not in everything, f"{word}\n{text}"
    assert all(json.loads(line)["event"] for line in everything.splitlines())


def test_a_receiver_that_repeats_what_it_got_has_nobodys_words_kept(farm: Farm) -> None:
    with HttpSink() as sink:
        sink.always = echo
        farm.workspace(every="1d", query="needle", url=f"ntfy://127.0.0.1:{sink.port}/topic")
        farm.post(1, author=AUTHOR)
        farm.everything()
        farm.wait(lambda: "delivery rescheduled" in farm.log("actors"))
        (sent,) = sink.wait_for(1)[:1]
    assert "needle number 0" in sent.body.decode(), "the receiver has something to repeat"
    assert AUTHOR in sent.body.decode()
    command = [*PYTHON, "overheard.cli", "status"]
    shown = subprocess.run(command, env=farm.environment, cwd=farm.folder, capture_output=True, text=True).stdout
    assert "127.0.0.1 answered 400 Bad Request" in shown
    kept = [str(farm.scalar(query)) for query in (Channel.select(Channel.reason), Delivery.select(Delivery.error))]
    for where in (shown, *kept, *(farm.log(name) for name in ("tick", "ingress", "actors"))):
        for word in WORDS:
            assert word not in where


def test_a_process_that_gives_up_says_so_in_one_line(tmp_path: Path) -> None:
    with Farm(tmp_path, bus="memory://", database=f"sqlite:///{tmp_path}/o.db") as farm:
        farm.workspace()
        farm.spoil()
        process = farm.start("run", "overheard.cli", "run")
        assert process.wait(60) == 1
        farm.processes.clear()
        told = [
            json.loads(line) for line in farm.log("run").splitlines() if not line.startswith("Overheard is running")
        ]
    (given_up,) = [line for line in told if line["level"] == "critical"]
    assert given_up["event"] == "exiting for restart"
    assert (given_up["process"], given_up["error"]) == ("tick", "IntegrityError")
    assert given_up["reason"] == "spoilt"
    assert any(frame.startswith("producers/tick.py:") for frame in given_up["frames"])
    assert told[-1] | {"event": "process ended", "process": "run", "code": 1} == told[-1]
