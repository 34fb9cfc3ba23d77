"""Rules, their tests and the runbook belong together. The real promtool evaluates the rules."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from overheard.cli import cli
from tests.monitoring import PROMETHEUS, ROOT, alerts, known, named_in, promtool, records, rules

TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
OTHER_SECTIONS = {"Where to look first", "Having alerts sent"}


@pytest.mark.servers
def test_the_configuration_and_the_rules_are_valid() -> None:
    promtool("check", "config", "prometheus.yml", folder=PROMETHEUS)


@pytest.mark.servers
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_the_rules_do_what_their_tests_say(path: Path) -> None:
    promtool("test", "rules", path.name, folder=path.parent)


def expected() -> dict[str, set[bool]]:
    """Return for each alert whether tests expect it to fire (True) and not to fire (False)."""
    found: dict[str, set[bool]] = defaultdict(set)
    for path in TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for check in test.get("promql_expr_test", ()):
                (name,) = re.findall(r'alertname="(\w+)"', check["expr"])
                found[name].add(bool(check["exp_samples"]))
    return found


def test_every_alert_is_seen_firing_and_not_firing() -> None:
    found = expected()
    assert set(found) == set(alerts())
    assert {name for name, seen in found.items() if seen != {True, False}} == {"Watchdog"}, "which always fires"


def test_every_alert_has_its_section_in_the_runbook_and_every_section_its_alert() -> None:
    sections = set(re.findall(r"^## (.+)$", RUNBOOK, re.MULTILINE)) - OTHER_SECTIONS
    assert sections == set(alerts())


def test_alerts_are_labelled_described_and_linked_to_the_runbook() -> None:
    assert {name: lacking for name, alert in alerts().items() if (lacking := lacks(name, alert))} == {}


def lacks(name: str, alert: dict[str, Any]) -> list[str]:
    """Return what is missing in an alert, its annotations, or its section of the runbook."""
    notes = alert["annotations"]
    section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    bold = " ".join(re.findall(r"^\*\*(.+?)\*\*", section[1], re.MULTILINE)).lower() if section else ""
    right = {
        "severity alone as label": set(alert["labels"]) == {"severity"},
        "severity": alert["labels"].get("severity") in {"critical", "warning"} or name == "Watchdog",
        "annotations": set(notes) == {"summary", "description", "runbook_url"},
        "link": notes.get("runbook_url") == f"/opt/overheard/current/docs/runbook.md#{name.lower()}",
        "full stop": notes.get("description", "").endswith("."),
        "section": section is not None,
    }
    parts = ("meaning:", "diagnose", "fix", "impact")
    return [what for what, holds in (right | {part: part in bold for part in parts}).items() if not holds]


def test_no_advice_discards_future_dead_letters() -> None:
    assert "purge_queue" not in RUNBOOK
    assert "rabbitmqadmin" not in RUNBOOK, "root's login may not read the queues"


def test_links_within_the_runbook_lead_somewhere() -> None:
    anchors = {head.lower().replace(" ", "-") for head in re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) <= anchors
    for path in re.findall(r"\]\((\.\./[^)#]+)", RUNBOOK):
        assert (ROOT / "docs" / path).exists(), path


def test_the_runbooks_commands_exist() -> None:
    context = click.Context(cli)
    lines = re.findall(r"`overheard ([a-z][^`]*)`|^overheard ([a-z]\S*)", RUNBOOK, re.MULTILINE)
    for words in {(inline or block).split()[0:2] and (inline or block) for inline, block in lines}:
        first, *rest = words.split()
        command = cli.get_command(context, first)
        assert command is not None, words
        if isinstance(command, click.Group):
            assert rest, words
            assert command.get_command(context, rest[0]) is not None, words


def test_rules_name_series_that_exist() -> None:
    series = known()
    assert [rule for rule in rules() if not named_in(rule["expr"]) <= series] == []


def test_every_recorded_series_is_used() -> None:
    dashboards = "".join(path.read_text() for path in (ROOT / "deploy/grafana/dashboards").glob("*.json"))
    used = "".join(rule["expr"] for rule in rules()) + dashboards
    assert {name for name in records() if name not in used} == set()


def test_the_names_in_an_expression() -> None:
    expr = 'sum by (le, stage) (rate(a_bucket{job="x", le=~"9|y"}[5m])) / on(z) b:c == 1 and max(d) > 3.5e2 or up'
    assert named_in(expr) == {"a_bucket", "b:c", "d", "up"}
