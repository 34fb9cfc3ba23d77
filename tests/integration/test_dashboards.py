"""Every query of every dashboard, asked of a real Prometheus that scrapes a live pipeline with our rules loaded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prometheus_client import CollectorRegistry

from overheard.metrics import EVERY, TICK, Metrics
from overheard.stages import STAGES
from tests.monitoring import boards, panels
from tests.servers.farm import Farm
from tests.servers.ports import free_range
from tests.servers.prometheus import PrometheusServer
from tests.servers.rabbitmq import RabbitServer

PATIENCE = 60.0
OFFSETS = {"tick": 0, "ingress": 5, "fetch": 10, "match": 20}  # match: a process of all the other stages
SUBREDDIT = "haystacks"
WINDOW = "15s"  # for Grafana's $__rate_interval

# Panels about processes that this test does not run: supervision, rechecks, the canary.
COMES_WITH_OTHERS = {
    "Canary",
    "supervisord",
    "Processes by state",
    "Unasked ends, last hour",
    "Rechecks overdue",
    "Overdue",
}
SET_BY_OTHERS = {
    "overheard_recheck_overdue_items",
    "overheard_canary_last_delivered_timestamp_seconds",
    "overheard_canary_interval_seconds",
}
# What is wrong with the machine that runs the tests is not the pipeline's fault.
OF_THE_MACHINE = {"DiskSpaceLow", "RabbitMQAlarm"}


class Asked(NamedTuple):
    board: str
    panel: str
    expr: str


@pytest.fixture
def farm(tmp_path: Path, rabbit_url: str, postgresql_url: str) -> Iterator[Farm]:
    base = free_range(70)
    # One request a second: posts and comments together have to wait for their turns, which fills those panels.
    budget = {"REDDIT__REQUESTS_PER_MINUTE": "60", "REDDIT__BURST": "1"}
    with Farm(tmp_path, bus=rabbit_url, database=postgresql_url, METRICS__PORT=str(base), **budget) as farm:
        farm.workspace("acme-workspace", subreddits=(SUBREDDIT,))
        farm.producer("ingress")
        farm.producer("tick")
        farm.actors("fetch")
        farm.actors(*(stage for stage in STAGES if stage not in ("fetch", "recheck")), name="rest")
        yield farm


@pytest.fixture
def prometheus(farm: Farm, rabbit_server: RabbitServer, tmp_path: Path) -> Iterator[PrometheusServer]:
    base = int(farm.environment["OVERHEARD_METRICS__PORT"])
    targets = {base + offset: program for program, offset in OFFSETS.items()}
    with PrometheusServer(tmp_path, targets=targets, rabbit_port=rabbit_server.metrics_port) as server:
        yield server


def queries() -> list[Asked]:
    return [
        Asked(name, panel["title"], target["expr"].replace("$__rate_interval", WINDOW))
        for name, board in boards().items()
        for panel in panels(board)
        if panel["title"] not in COMES_WITH_OTHERS
        for target in panel["targets"]
    ]


def has_data(samples: list[dict[str, Any]]) -> bool:
    return any(not math.isnan(float(sample["value"][1])) for sample in samples)


def test_every_panel_has_data_and_nothing_is_alarmed(farm: Farm, prometheus: PrometheusServer) -> None:
    wanting, posted = queries(), set()
    assert len(wanting) > 80

    def answered() -> bool:
        # Something new each time: an age needs items that were written while somebody watched.
        posted.update(farm.post(2, SUBREDDIT, first=len(posted)))
        wanting[:] = [asked for asked in wanting if not has_data(prometheus.query(asked.expr))]
        return not wanting

    farm.wait(answered, lambda: "\n".join(["no data:", *map(str, wanting)]), PATIENCE)
    the_titles_left_out_are_titles()
    no_alert_fires_but_the_watchdog(prometheus)
    everything_is_scraped(prometheus)
    the_whole_systems_gauges_come_from_the_tick_alone(prometheus)
    nothing_of_a_users_is_shown(prometheus)


def the_titles_left_out_are_titles() -> None:
    assert {panel["title"] for board in boards().values() for panel in panels(board)} >= COMES_WITH_OTHERS


def no_alert_fires_but_the_watchdog(prometheus: PrometheusServer) -> None:
    listed = [rule for group in prometheus.api("rules")["groups"] for rule in group["rules"]]
    assert {(rule["health"], rule.get("lastError", "")) for rule in listed} == {("ok", "")}
    firing = {sample["metric"]["alertname"] for sample in prometheus.query('ALERTS{alertstate="firing"}')}
    assert firing - OF_THE_MACHINE == {"Watchdog"}


def everything_is_scraped(prometheus: PrometheusServer) -> None:
    targets = prometheus.api("targets")["activeTargets"]
    assert {(target["labels"]["job"], target["health"], target["lastError"]) for target in targets} == {
        (job, "up", "") for job in ("overheard", "rabbitmq", "node", "prometheus")
    }
    assert {target["labels"]["program"] for target in targets if target["labels"]["job"] == "overheard"} == set(OFFSETS)


def the_whole_systems_gauges_come_from_the_tick_alone(prometheus: PrometheusServer) -> None:
    shown: dict[str, set[str]] = {}
    for sample in prometheus.query('count by (__name__, program) ({job="overheard", __name__=~"overheard_.*"})'):
        shown.setdefault(sample["metric"]["__name__"], set()).add(sample["metric"]["program"])
    for series in Metrics(CollectorRegistry()).series:
        if series.type != "gauge" or series.name in SET_BY_OTHERS:
            continue
        if series.by == TICK:
            assert shown[series.name] == {"tick"}, series.name
        elif series.by != EVERY:
            assert not shown[series.name] & {"tick", "ingress"}, series.name


def nothing_of_a_users_is_shown(prometheus: PrometheusServer) -> None:
    listed = prometheus.api("series", **{"match[]": '{job="overheard"}'})
    texts = {text for labels in listed for text in labels.values()}
    secret = ("acme", "needle", SUBREDDIT, "://", "whsec")
    assert not [text for text in texts if any(word in text for word in secret)]
