"""What is shipped for Prometheus and Grafana, read for the tests."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CollectorRegistry

from overheard.observability.metrics import ProcessMetrics

ROOT = Path(__file__).parents[1]
PROMETHEUS = ROOT / "deploy/prometheus"
DASHBOARDS = ROOT / "deploy/grafana/dashboards"

# Series that others export: RabbitMQ's plugin, the node exporter, client libraries, Prometheus itself.
FOREIGN = {
    "ALERTS",
    "node_cpu_seconds_total",
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
    "node_memory_MemAvailable_bytes",
    "node_memory_MemTotal_bytes",
    "overheard_backup_last_success_timestamp_seconds",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "rabbitmq_alarms_file_descriptor_limit",
    "rabbitmq_alarms_free_disk_space_watermark",
    "rabbitmq_alarms_memory_used_watermark",
    "rabbitmq_connections",
    "rabbitmq_disk_space_available_bytes",
    "rabbitmq_disk_space_available_limit_bytes",
    "rabbitmq_process_resident_memory_bytes",
    "rabbitmq_resident_memory_limit_bytes",
    "up",
}


def promtool(*args: str, folder: Path) -> None:
    """Run it, which must succeed."""
    assert shutil.which("promtool"), "promtool is not installed here; run: deploy/install --test"
    lazy = os.environ | {"GOGC": "400"}  # it collects garbage for a quarter of its time
    done = subprocess.run(["promtool", *args], cwd=folder, env=lazy, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"promtool {' '.join(args)}\n{done.stdout}{done.stderr}"


def rules() -> list[dict[str, Any]]:
    """All rules, recording and alerting."""
    files = [yaml.safe_load(path.read_text()) for path in sorted((PROMETHEUS / "rules").glob("*.yml"))]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def records() -> dict[str, str]:
    """The recorded series' names and expressions."""
    return {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}


def boards() -> dict[str, dict[str, Any]]:
    """The committed dashboards by file name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))}


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The panels of a dashboard, without its rows."""
    for panel in board["panels"]:
        if panel["type"] != "row":
            yield panel
        yield from panel.get("panels", ())


def known() -> set[str]:
    """Every series that a query may name."""
    own = set()
    for series in ProcessMetrics(CollectorRegistry()).definitions:
        suffixes = ("_bucket", "_count", "_sum") if series.type == "histogram" else ("",)
        own |= {series.name + suffix for suffix in suffixes}
    return own | set(records()) | FOREIGN


NO_SERIES = (
    r'"[^"]*"',  # texts
    r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)",  # lists of labels
    r"\[[^\]]*\]",  # ranges
    r"\w+\s*(=~|!~|!=|=(?!=))",  # matchers
    r"\b(and|or|unless|bool|offset)\b",
    r"\b\d[\d.e]*\b",
    r"[\w:]+\s*(?=\()",  # functions
)


def named_in(expr: str) -> set[str]:
    """The series that an expression names."""
    for pattern in NO_SERIES:
        expr = re.sub(pattern, " ", expr)
    return set(re.findall(r"[A-Za-z_][\w:]*", expr))
