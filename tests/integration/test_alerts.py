"""Alerts from real processes: failures arrive together at the operator's channel, after a restart too."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika
import pytest
from peewee import fn

from overheard.channels.signing import new_secret
from overheard.db.models import Budget, DeadLetter, Incident
from tests.servers.farm import Farm
from tests.servers.forks import shared_forks
from tests.servers.sink import Answer, HttpSink

SECRET = new_secret()


@pytest.fixture
def operator() -> Iterator[HttpSink]:
    with HttpSink() as sink:
        yield sink


@pytest.fixture
def farm(tmp_path: Path, rabbit_url: str, postgresql_url: str, operator: HttpSink) -> Iterator[Farm]:
    settings = {
        "ALERTS__URL": f"{operator.url}/alert-token",
        "ALERTS__SECRET": SECRET,
        "ALERTS__ALLOW_PRIVATE": "true",
        "NOTIFY__ALLOW_PRIVATE": "false",
    }
    with Farm(tmp_path, bus=rabbit_url, database=postgresql_url, **settings) as farm:
        yield farm


def publish_rejected(farm: Farm, count: int, first: int = 0) -> None:
    """Publish events that ingress refuses; each becomes a dead letter."""
    connection = pika.BlockingConnection(pika.URLParameters(farm.bus))
    for number in range(first, first + count):
        connection.channel().basic_publish("overheard.events", "workspace.due", b'{"workspace": "nobody-%d"}' % number)
    connection.close()


def counts_of(request: Any) -> dict[str, int]:
    assert request.verified_by(SECRET)
    assert request.json["type"] == "alert"
    return {each["kind"]: each["count"] for each in request.json["data"]["incidents"]}


def free_the_slot(farm: Farm) -> None:
    """Make the next alert possible, as if [alerts] every had passed."""
    with farm.db.session():
        Budget.update(tat=farm.db.now - 1).where(Budget.key == "alerts").execute(farm.db.peewee)
        farm.db.release()


def test_two_ticks_report_dead_letters_together_and_once(farm: Farm, operator: HttpSink) -> None:
    operator.answer(Answer(500), Answer(500))
    farm.producer("ingress")
    farm.producer("tick", name="tick-1")
    farm.producer("tick", name="tick-2")
    farm.wait(lambda: "working" in farm.log("ingress"))
    publish_rejected(farm, 1)
    operator.wait_for(1)
    publish_rejected(farm, 4, first=1)
    farm.wait(lambda: farm.scalar(DeadLetter.select(fn.count(DeadLetter.id))) == 5)
    farm.wait(lambda: "alert failed" in farm.log("tick-1") + farm.log("tick-2"))
    for name in ("tick-1", "tick-2"):
        farm.kill9(name)
    free_the_slot(farm)
    farm.producer("tick", name="tick-1")
    farm.producer("tick", name="tick-2")
    operator.wait_for(2)
    farm.wait(lambda: (farm.log("tick-1") + farm.log("tick-2")).count("alert failed") == 2)
    free_the_slot(farm)
    alerts = operator.wait_for(3)
    assert counts_of(alerts[2]) == {"dead letter": 5}
    assert alerts[2].json["data"]["incidents"][0]["where"] == ["ingress"]
    farm.wait(lambda: not farm.scalar(Incident.select(fn.count(Incident.kind))))
    free_the_slot(farm)
    farm.terminate("tick-1")
    farm.terminate("tick-2")
    assert len(operator.wait_for(3)) == 3
    for name in ("tick-1", "tick-2", "ingress"):
        assert "alert-token" not in farm.log(name)
        assert SECRET not in farm.log(name)


def test_a_process_that_gave_up_is_reported_after_the_restart(tmp_path: Path, operator: HttpSink) -> None:
    url = f"sqlite:///{tmp_path}/o.db"
    settings = {"ALERTS__URL": f"{operator.url}/x", "ALERTS__SECRET": SECRET, "ALERTS__ALLOW_PRIVATE": "true"}
    with Farm(tmp_path, bus="memory://", database=url, **settings) as farm:
        farm.workspace()
        farm.spoil()
        assert farm.start("run", "overheard.cli", "run").wait(60) == 1
        farm.processes.clear()
        farm.repair()
        farm.start("run", "overheard.cli", "run")
        (alert,) = operator.wait_for(1)
        assert counts_of(alert) == {"process gave up": 1}
        assert alert.json["data"]["incidents"][0]["where"] == ["tick"]


def test_a_test_alert_arrives_or_says_why_not(farm: Farm, operator: HttpSink) -> None:
    def run(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
        return shared_forks().run("overheard.cli", *command, env=farm.environment | more, cwd=farm.folder)

    result = run("alert", "test")
    assert (result.returncode, result.stderr) == (0, "")
    assert "accepted the test alert" in result.stdout
    assert counts_of(operator.wait_for(1)[0]) == {"test alert": 1}
    operator.answer(Answer(503))
    result = run("alert", "test")
    assert (result.returncode, "503" in result.stderr) == (1, True)
    assert "the test alert could not be sent to the alert channel: " in result.stderr
    operator.answer(Answer(404))
    result = run("alert", "test")
    assert (result.returncode, "the alert channel rejected the test alert: " in result.stderr) == (1, True)
    result = run("alert", "test", OVERHEARD_ALERTS__ALLOW_PRIVATE="false")
    assert result.returncode == 1
    assert "[alerts] allow_private" in result.stderr
    assert "alert-token" not in result.stderr
    checked = [json.loads(line) for line in run("check", "--format", "json").stdout.splitlines()]
    (line,) = [line for line in checked if line["part"] == "alerts"]
    assert line["outcome"] == "ok"
    assert "alert-token" not in line["what"]
