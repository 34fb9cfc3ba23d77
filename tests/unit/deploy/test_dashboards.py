"""The dashboards: generated, complete, and laid out on Grafana's grid. Their queries run in tests/integration."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from deploy.generate.files import generated
from deploy.grafana.boards import BOARDS
from deploy.grafana.document import dashboard
from deploy.grafana.panels import Thresholds, _thresholds, stat_panel
from deploy.grafana.queries import PanelQuery
from overheard.observability.metrics import ProcessMetrics
from tests.monitoring import DASHBOARDS, PROMETHEUS, ROOT, boards, known, named_in, panels, promtool, records, rules

COLUMNS = 24
PANELS = [(name, panel) for name, board in boards().items() for panel in panels(board)]


def test_what_is_committed_is_what_is_generated() -> None:
    files = generated().items()
    stale = [name for name, text in files if (ROOT / name).read_text(encoding="utf-8") != text]
    assert stale == [], "run: make generate"


def test_there_is_no_other_dashboard() -> None:
    folder = str(DASHBOARDS.relative_to(ROOT))
    assert {str(path.relative_to(ROOT)) for path in DASHBOARDS.iterdir()} == {
        name for name in generated() if name.startswith(folder)
    }


def test_boards_keep_their_uids_and_link_to_each_other() -> None:
    assert set(BOARDS) == {f"overheard-{name}" for name in ("overview", "stages", "sources", "reddit", "delivery")}
    for name, board in boards().items():
        assert board["uid"] == f"overheard-{name}"
        assert board["title"].startswith("Overheard / ")
        assert board["tags"] == ["overheard"]
        (link,) = board["links"]
        assert (link["type"], link["tags"], link["keepTime"]) == ("dashboards", ["overheard"], True)
        assert board["description"]


def wrong(holds: Callable[[dict[str, Any]], None]) -> list[str]:
    """Return each panel for which the assertions fail, with the failure."""
    found = []
    for name, panel in PANELS:
        try:
            holds(panel)
        except AssertionError as error:
            found.append(f"{name}: {panel['title']}: {error}")
    return found


def test_panels_have_a_description_a_unit_and_queries_of_existing_series() -> None:
    series = known()

    def documented(panel: dict[str, Any]) -> None:
        assert len(panel["description"]) > 20
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        values = [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
        assert values[0] is None
        assert values[1:] == sorted(values[1:])
        for target in panel["targets"]:
            assert target["expr"]
            assert panel["type"] != "timeseries" or target["legendFormat"]
            assert "$" not in target["expr"].replace("$__rate_interval", "").replace('source="$source"', "")
            assert named_in(target["expr"]) <= series, target["expr"]

    assert wrong(documented) == []


def test_panels_use_the_selected_prometheus() -> None:
    def uses_the_selected(panel: dict[str, Any]) -> None:
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert all("datasource" not in target for target in panel["targets"])

    assert wrong(uses_the_selected) == []


FIGURES = {panel["title"]: panel for name, panel in PANELS if name == "overview" and panel["type"] == "stat"}
KIND = {"stat": "instant", "gauge": "instant", "table": "instant", "timeseries": "range"}


def test_stat_panels_show_the_current_value_and_no_earlier_one() -> None:
    def of_now(panel: dict[str, Any]) -> None:
        wanted = {"instant": KIND[panel["type"]] == "instant", "range": KIND[panel["type"]] == "range"}
        assert all({**target, **wanted} == target for target in panel["targets"])
        if panel["type"] == "stat":
            assert panel["options"]["graphMode"] == "none", "an instant query has no sparkline"
            (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
            assert mapping["options"] == {"match": "null+nan", "result": {"text": "–", "color": "text"}}

    assert wrong(of_now) == []


MOMENTS = {
    "Last tick": "overheard_tick_last_success_timestamp_seconds",
    "Canary": "overheard_canary_last_delivered_timestamp_seconds",
    "Last backup": "overheard_backup_last_success_timestamp_seconds",
}
INTERVAL = 'overheard_canary_interval_seconds{job="overheard"}'


def figure(title: str, at: str, value: float | None) -> dict[str, Any]:
    """Return what promtool expects of a panel."""
    (target,) = FIGURES[title]["targets"]
    return {"expr": target["expr"], "eval_time": at, "exp_samples": [] if value is None else [{"value": value}]}


def evaluate(folder: Path, series: dict[str, str], *figures: dict[str, Any]) -> None:
    given = [{"series": name, "values": values} for name, values in series.items()]
    test = {"interval": "1m", "input_series": given, "promql_expr_test": figures}
    (folder / "figures.yml").write_text(json.dumps({"evaluation_interval": "1m", "tests": [test]}))
    promtool("test", "rules", "figures.yml", folder=folder)


@pytest.mark.servers
@pytest.mark.parametrize("title", MOMENTS)
def test_an_age_grows_after_the_exporting_process_has_died(title: str, tmp_path: Path) -> None:
    """The timestamp is of minute 10; the process dies at minute 12."""
    job = "node" if title == "Last backup" else "overheard"
    series = {MOMENTS[title] + f'{{job="{job}"}}': "0+60x10 600x2 stale", INTERVAL: "300x12 stale"}
    evaluate(tmp_path, series, figure(title, "11m", 60), figure(title, "30m", 1200), figure(title, "6h", 21000))


@pytest.mark.servers
def test_a_canary_that_is_off_has_no_age(tmp_path: Path) -> None:
    """It is switched off at minute 10: no age is shown, although the last canary is recent."""
    series = {MOMENTS["Canary"] + '{job="overheard"}': "0+60x10 0x20", INTERVAL: "300x10 0x20"}
    evaluate(tmp_path, series, figure("Canary", "9m", 0), figure("Canary", "20m", None))
    evaluate(tmp_path, {MOMENTS["Canary"] + '{job="overheard"}': "0x20"}, figure("Canary", "20m", None))


@pytest.mark.servers
def test_gauges_of_dead_processes_have_no_value(tmp_path: Path) -> None:
    series = {
        'overheard_dead_letters{job="overheard"}': "0x10 stale",
        'overheard_oldest_work_seconds{job="overheard",work="run"}': "3x10 stale",
        'up{job="overheard",program="fetch"}': "1x5 0x5 stale",
    }
    known_then = figure("Dead letters", "9m", 0), figure("Oldest work", "9m", 3), figure("Not answering", "9m", 1)
    not_now = (figure(title, "12m", None) for title in ("Dead letters", "Oldest work", "Not answering"))
    evaluate(tmp_path, series, *known_then, figure("Not answering", "3m", 0), *not_now)


@pytest.mark.parametrize("name", boards())
def test_the_layout_fills_the_grid_without_overlap(name: str) -> None:
    places = [panel["gridPos"] for panel in boards()[name]["panels"]]
    for place in places:
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= COLUMNS
    for one, two in combinations(places, 2):
        beside = one["x"] + one["w"] <= two["x"] or two["x"] + two["w"] <= one["x"]
        above = one["y"] + one["h"] <= two["y"] or two["y"] + two["h"] <= one["y"]
        assert beside or above, (one, two)
    bottom = max(place["y"] + place["h"] for place in places)
    assert sum(place["w"] * place["h"] for place in places) == COLUMNS * bottom, "there is a hole"
    numbers = [panel["id"] for panel in boards()[name]["panels"]]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_the_first_row_of_the_overview_is_eight_stat_panels() -> None:
    first = list(panels(boards()["overview"]))[:8]
    assert {panel["type"] for panel in first} == {"stat"}
    assert len({panel["gridPos"]["y"] for panel in first}) == 1


def by_source(board: str) -> list[tuple[str, str]]:
    """Return the metrics with the label ``source`` in a board's queries, each with the labels that it chooses by."""
    defined = ProcessMetrics(CollectorRegistry()).definitions
    labelled = {each.name for each in defined if "source" in dict(each.labels)}
    queries = [target["expr"] for name, panel in PANELS if name == board for target in panel["targets"]]
    chosen = [found for query in queries for found in re.findall(r"(\w+)\{([^}]*)\}", query)]
    return [(name, labels) for name, labels in chosen if name in labelled]


def test_the_board_of_reddit_shows_nothing_of_other_sources() -> None:
    chosen = by_source("reddit")
    assert {"overheard_items_read_total", "overheard_coverage_gaps_total"} <= {name for name, _ in chosen}
    assert [name for name, labels in chosen if 'source="reddit"' not in labels] == []


def test_the_board_of_sources_has_a_row_for_each_with_every_metric_that_a_source_has() -> None:
    (variable,) = (each for each in boards()["sources"]["templating"]["list"] if each["name"] == "source")
    assert (variable["multi"], variable["includeAll"], variable["current"]["value"]) == (True, True, ["$__all"])
    assert "overheard_source_up" in variable["query"]
    rows = [panel for panel in boards()["sources"]["panels"] if panel["type"] == "row"]
    assert [(row["title"], row.get("repeat")) for row in rows] == [("All sources", None), ("$source", "source")]
    labelled = {each.name: dict(each.labels) for each in ProcessMetrics(CollectorRegistry()).definitions}
    repeated = {name for name, labels in by_source("sources") if 'source="$source"' in labels}
    assert repeated == {name for name, labels in labelled.items() if "reddit" in labels.get("source", ())}


def test_every_metric_is_used_by_a_panel_or_an_alert() -> None:
    queries = [target["expr"] for _, panel in PANELS for target in panel["targets"]]
    named = set().union(*(named_in(expr) for expr in [*queries, *(rule["expr"] for rule in rules())]))
    defined = ProcessMetrics(CollectorRegistry()).definitions
    unseen = {each.name for each in defined if not any(name.startswith(each.name) for name in named)}
    unused = sorted(unseen - {"overheard_build_info"})
    assert not unused, f"no panel or alert uses: {', '.join(unused)}"
    assert "overheard_build_info" in unseen, "a panel or alert uses it: it needs no exception here"
    assert set(records()) <= named


@pytest.mark.parametrize("count", [0, 5, 7, 9])
def test_a_row_that_does_not_fill_the_grid_is_an_error(count: int) -> None:
    row = tuple(stat_panel("Title", "What it shows.", "short", PanelQuery("up")) for _ in range(count))
    with pytest.raises(ValueError, match=rf"'Now' has {count} panels.*1, 2, 3, 4, 6, 8.*table counts twice"):
        dashboard("uid", "Title", "", {"Now": [row]})


def test_thresholds_may_apply_below_their_value() -> None:
    steps = _thresholds(Thresholds(0.99, 0.9, below=True)).build().steps
    assert [(step.value, step.color) for step in steps] == [(None, "red"), (0.9, "orange"), (0.99, "green")]
    steps = _thresholds(Thresholds(bad=1, below=True)).build().steps
    assert [(step.value, step.color) for step in steps] == [(None, "red"), (1, "green")]


def test_provisioning_points_to_the_installed_files() -> None:
    folder = ROOT / "deploy/grafana/provisioning"
    (provider,) = yaml.safe_load((folder / "dashboards/overheard.yml").read_text())["providers"]
    assert provider["options"]["path"] == f"/opt/overheard/current/{DASHBOARDS.relative_to(ROOT)}"
    (source,) = yaml.safe_load((folder / "datasources/overheard.yml").read_text())["datasources"]
    prometheus = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    assert source["jsonData"]["timeInterval"] == prometheus["global"]["scrape_interval"]
    own = next(job for job in prometheus["scrape_configs"] if job["job_name"] == "prometheus")
    assert source["url"] == f"http://{own['static_configs'][0]['targets'][0]}"
