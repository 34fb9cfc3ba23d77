"""Every query of every dashboard, asked of a real Prometheus that scrapes a live pipeline with our rules loaded."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prometheus_client import CollectorRegistry

from overheard.observability.metrics import SET_BY_EVERY_PROCESS, SET_BY_STAGES_AND_INGRESS, SET_BY_TICK, ProcessMetrics
from overheard.programs import PROGRAMS
from tests.monitoring import boards, panels
from tests.servers.farm import Farm
from tests.servers.prometheus import PrometheusServer
from tests.servers.rabbitmq import RabbitServer
from tests.servers.supervisord import Supervised, free_base

PATIENCE = 150.0
SUBREDDIT = "haystacks"
BACKUP = "overheard_backup_last_success_timestamp_seconds"  # which deploy/backup leaves for the node exporter
WINDOW = "20s"  # for Grafana's $__rate_interval

# What is wrong with the machine that runs the tests is not the pipeline's fault.
OF_THE_MACHINE = {"DiskSpaceLow", "RabbitMQAlarm"}


class Asked(NamedTuple):
    board: str
    panel: str
    expr: str


@pytest.fixture
def farm(tmp_path: Path, rabbit_url: str, postgresql_url: str) -> Iterator[Farm]:
    base = free_base()
    # One request a second: posts and comments together have to wait for their turns, which fills those panels.
    settings = {"REDDIT__REQUESTS_PER_MINUTE": "60", "REDDIT__BURST": "1", "CANARY__INTERVAL": "5"}
    with Farm(tmp_path, bus=rabbit_url, database=postgresql_url, METRICS__PORT=str(base), **settings) as farm:
        farm.workspace("acme-workspace", subreddits=(SUBREDDIT,))
        with Supervised(farm, base) as supervised:
            (tmp_path / "targets.json").write_text(supervised.script("targets"))
            (tmp_path / "backup.prom").write_text(f"{BACKUP} {time.time():.0f}\n")
            yield farm


@pytest.fixture
def prometheus(farm: Farm, rabbit_server: RabbitServer, tmp_path: Path) -> Iterator[PrometheusServer]:
    targets = tmp_path / "targets.json"
    with PrometheusServer(tmp_path, targets=targets, rabbit_port=rabbit_server.metrics_port) as server:
        yield server


def queries() -> list[Asked]:
    return [
        Asked(name, panel["title"], target["expr"].replace("$__rate_interval", WINDOW).replace("$source", "reddit"))
        for name, board in boards().items()
        for panel in panels(board)
        for target in panel["targets"]
    ]


def has_data(samples: list[dict[str, Any]]) -> bool:
    return any(not math.isnan(float(sample["value"][1])) for sample in samples)


def test_every_panel_has_data_and_nothing_is_alarmed(farm: Farm, prometheus: PrometheusServer) -> None:
    wanting, posted = queries(), set()
    assert len(wanting) > 80

    def answered() -> bool:
        # Something new each time: an age needs items that were written while somebody watched, an index new queries.
        posted.update(farm.post(2, SUBREDDIT, first=len(posted)))
        farm.workspace(f"acme-{len(posted)}", subreddits=(SUBREDDIT,))
        wanting[:] = [asked for asked in wanting if not has_data(prometheus.query(asked.expr))]
        return not wanting

    farm.wait(answered, lambda: "\n".join(["no data:", *map(str, wanting)]), PATIENCE)
    no_alert_fires_but_the_watchdog(prometheus)
    everything_is_scraped(farm, prometheus)
    the_whole_systems_gauges_come_from_the_tick_alone(prometheus)
    nothing_of_a_users_is_shown(prometheus)
    every_value_is_documented(prometheus)


def no_alert_fires_but_the_watchdog(prometheus: PrometheusServer) -> None:
    listed = [rule for group in prometheus.api("rules")["groups"] for rule in group["rules"]]
    assert {(rule["health"], rule.get("lastError", "")) for rule in listed} == {("ok", "")}
    firing = {sample["metric"]["alertname"] for sample in prometheus.query('ALERTS{alertstate="firing"}')}
    assert firing - OF_THE_MACHINE == {"Watchdog"}


def everything_is_scraped(farm: Farm, prometheus: PrometheusServer) -> None:
    def scraped() -> set[tuple[str, str, str]]:
        targets = prometheus.api("targets")["activeTargets"]
        return {(target["labels"]["job"], target["health"], target["lastError"]) for target in targets}

    wanted = {(job, "up", "") for job in ("overheard", "rabbitmq", "node", "prometheus")}
    farm.wait(lambda: scraped() == wanted, lambda: str(scraped() ^ wanted))
    targets = prometheus.api("targets")["activeTargets"]
    assert {target["labels"]["program"] for target in targets if target["labels"]["job"] == "overheard"} == {
        program.name for program in PROGRAMS.values() if program.processes
    }


def the_whole_systems_gauges_come_from_the_tick_alone(prometheus: PrometheusServer) -> None:
    shown: dict[str, set[str]] = {}
    for sample in prometheus.query('count by (__name__, program) ({job="overheard", __name__=~"overheard_.*"})'):
        shown.setdefault(sample["metric"]["__name__"], set()).add(sample["metric"]["program"])
    for series in ProcessMetrics(CollectorRegistry()).definitions:
        if series.type != "gauge":
            continue
        if series.set_by == SET_BY_TICK:
            assert shown[series.name] == {"tick"}, series.name
        elif series.set_by == SET_BY_STAGES_AND_INGRESS:
            assert shown[series.name] & {"tick", "ingress"} == {"ingress"}, series.name
        elif series.set_by != SET_BY_EVERY_PROCESS:
            assert not shown[series.name] & {"tick", "ingress"}, series.name


def nothing_of_a_users_is_shown(prometheus: PrometheusServer) -> None:
    listed = prometheus.api("series", **{"match[]": '{job="overheard"}'})
    texts = {text for labels in listed for text in labels.values()}
    secret = ("acme", "needle", SUBREDDIT, "://", "whsec")
    assert not [text for text in texts if any(word in text for word in secret)]


def every_value_is_documented(prometheus: PrometheusServer) -> None:
    defined = ProcessMetrics(CollectorRegistry()).definitions
    for series in defined:
        for label, values in series.labels:
            if isinstance(values, tuple):
                shown = prometheus.query(f"count by ({label}) ({series.name})")
                assert {sample["metric"][label] for sample in shown} <= set(values), series.name
