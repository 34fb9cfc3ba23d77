"""The canary goes the whole way through the real processes, and its silence is heard."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peewee import fn
from prometheus_client.parser import text_string_to_metric_families

from overheard import canary
from overheard.db.models import Feed, RefreshDemand, StoredItem, Workspace
from tests.servers.farm import Farm
from tests.servers.forks import shared_forks
from tests.servers.supervisord import free_base

INTERVAL = 2  # seconds
STAGES = ("fetch", "match", "store")


@pytest.fixture
def farm(tmp_path: Path, rabbit_url: str, postgresql_url: str) -> Iterator[Farm]:
    settings = {"CANARY__INTERVAL": str(INTERVAL), "METRICS__PORT": str(free_base())}
    with Farm(tmp_path, bus=rabbit_url, database=postgresql_url, **settings) as farm:
        yield farm


def metric(farm: Farm, name: str) -> float:
    """A gauge of the tick's; 0 while it does not answer yet."""
    url = f"http://127.0.0.1:{farm.environment['OVERHEARD_METRICS__PORT']}/metrics"
    try:
        with urllib.request.urlopen(url) as answer:
            families = text_string_to_metric_families(answer.read().decode())
    except urllib.error.URLError:
        return 0.0
    samples = (sample.value for family in families for sample in family.samples if sample.name == f"overheard_{name}")
    return next(samples, 0.0)


def delivered_at(farm: Farm) -> float:
    return metric(farm, "canary_last_delivered_timestamp_seconds")


def overheard(farm: Farm, *command: str) -> subprocess.CompletedProcess[str]:
    return shared_forks().run("overheard.cli", *command, env=farm.environment, cwd=farm.folder)


def troubles(farm: Farm) -> list[dict[str, Any]]:
    return list(json.loads(overheard(farm, "status", "--format", "json").stdout)["troubles"])


def canary_troubles(farm: Farm) -> list[dict[str, Any]]:
    """What is wrong with the canary: nothing, if one has arrived in the last six seconds."""
    return [trouble for trouble in troubles(farm) if "canary" in trouble["what"]]


def test_it_arrives_is_late_when_a_stage_dies_and_comes_back(farm: Farm) -> None:
    farm.producer("ingress")
    farm.producer("tick")
    farm.actors(*STAGES, name="stages")
    farm.actors("notify")
    farm.wait(lambda: delivered_at(farm) > 0)
    first = delivered_at(farm)
    farm.wait(lambda: delivered_at(farm) > first)
    assert metric(farm, "canary_interval_seconds") == INTERVAL
    farm.wait(lambda: not canary_troubles(farm), lambda: f"{canary_troubles(farm)}")

    farm.kill9("notify")
    farm.wait(lambda: farm.db.clock() - delivered_at(farm) > canary.LATE_AFTER_INTERVALS * INTERVAL)
    (late,) = canary_troubles(farm)
    assert late["severe"]
    silent = delivered_at(farm)

    farm.actors("notify")
    farm.wait(lambda: delivered_at(farm) > silent)
    farm.wait(lambda: not canary_troubles(farm), lambda: f"{canary_troubles(farm)}")


def test_it_costs_no_request_and_is_nobodys_mention(farm: Farm) -> None:
    farm.workspace("everything", subreddits=("all",), query="overheard OR canary OR needle", every="1d")
    farm.workspace("acme", every="1d")
    farm.everything()
    posted = farm.post(1)
    farm.wait(
        lambda: farm.scalar(StoredItem.select(fn.count(StoredItem.id)).where(StoredItem.source == canary.SOURCE)) >= 2
    )
    farm.wait(lambda: farm.scalar(RefreshDemand.select(fn.min(RefreshDemand.served_at))) > 0)
    asked = farm.simulator.counts()["total"]
    first = delivered_at(farm)
    farm.wait(lambda: delivered_at(farm) > first)
    assert farm.simulator.counts()["total"] == asked
    assert set(farm.received()) <= posted
    found = [json.loads(line) for line in overheard(farm, "mentions", "--format", "json").stdout.splitlines()]
    assert {mention["workspace"] for mention in found} <= {"everything", "acme"}
    listed = overheard(farm, "workspace", "list", "--format", "json").stdout
    assert canary.WORKSPACE not in listed + overheard(farm, "export").stdout
    # On demand; there is one each second, and its own tick may have had this one.
    farm.wait(lambda: "1 new mention" in overheard(farm, "trigger", canary.WORKSPACE, "--wait").stdout)


def test_turned_off_it_is_gone(farm: Farm) -> None:
    farm.everything()
    farm.wait(lambda: delivered_at(farm) > 0)
    farm.terminate("tick")
    farm.settings["CANARY__INTERVAL"] = "0"
    farm.producer("tick")
    farm.wait(lambda: not farm.scalar(Workspace.select(fn.count(Workspace.id))))
    farm.wait(lambda: metric(farm, "tick_last_success_timestamp_seconds") > 0)
    assert metric(farm, "canary_interval_seconds") == 0
    assert not farm.scalar(Feed.select(fn.count(Feed.id)))


def test_without_credentials_the_canary_alone_is_read(tmp_path: Path) -> None:
    settings = {"CANARY__INTERVAL": str(INTERVAL), "REDDIT__CLIENT_ID": ""}
    with Farm(tmp_path, bus="memory://", database=f"sqlite:///{tmp_path}/o.db", **settings) as farm:
        farm.workspace(every="1d")
        farm.start("run", "overheard.cli", "run")
        farm.wait(lambda: farm.scalar(StoredItem.select(fn.count(StoredItem.id))) >= 2)
        farm.wait(lambda: "source postponed" in farm.log("run"))
        assert "https://www.reddit.com/prefs/apps" in farm.log("run")
        assert farm.simulator.counts()["total"] == 0
        (told,) = [trouble for trouble in troubles(farm) if "Reddit" in trouble["what"]]
        assert told["severe"]
        assert "overheard check" in told["do"]
        assert farm.terminate("run") == 0
