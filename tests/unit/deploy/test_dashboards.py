"""The dashboards: generated, whole, and laid out on Grafana's grid. Whether their queries work: tests/integration."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from deploy.generate.files import generated
from deploy.grafana.boards import BOARDS
from deploy.grafana.panels import Steps, _thresholds
from overheard.metrics import Metrics, ProcessMetrics
from tests.monitoring import DASHBOARDS, PROMETHEUS, ROOT, boards, known, named_in, panels, records, rules

COLUMNS = 24
PANELS = [(name, panel) for name, board in boards().items() for panel in panels(board)]
IDS = [f"{name}: {panel['title']}" for name, panel in PANELS]


@pytest.mark.parametrize("name", generated())
def test_what_is_committed_is_what_is_generated(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == generated()[name], "run: make generate"


def test_there_is_no_other_dashboard() -> None:
    assert {str(path.relative_to(ROOT)) for path in DASHBOARDS.iterdir()} == set(generated()) - {"docs/metrics.md"}


def test_boards_keep_their_uids_and_know_each_other() -> None:
    assert set(BOARDS) == {f"overheard-{name}" for name in ("overview", "stages", "reddit", "delivery")}
    for name, board in boards().items():
        assert board["uid"] == f"overheard-{name}"
        assert board["title"].startswith("Overheard / ")
        assert board["tags"] == ["overheard"]
        (link,) = board["links"]
        assert (link["type"], link["tags"], link["keepTime"]) == ("dashboards", ["overheard"], True)
        assert board["description"]


@pytest.mark.parametrize(("name", "panel"), PANELS, ids=IDS)
def test_a_panel_says_what_it_shows_and_in_what_unit(name: str, panel: dict[str, Any]) -> None:
    assert len(panel["description"]) > 20
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    values = [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
    assert values[0] is None
    assert values[1:] == sorted(values[1:])
    for target in panel["targets"]:
        assert target["expr"]
        assert panel["type"] != "timeseries" or target["legendFormat"]
        assert "$" not in target["expr"].replace("$__rate_interval", "")
        assert named_in(target["expr"]) <= known(), target["expr"]


@pytest.mark.parametrize(("name", "panel"), PANELS, ids=IDS)
def test_a_panel_asks_the_prometheus_that_was_chosen(name: str, panel: dict[str, Any]) -> None:
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert all("datasource" not in target for target in panel["targets"])


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


def test_the_first_row_of_the_overview_says_whether_it_works() -> None:
    first = list(panels(boards()["overview"]))[:8]
    assert {panel["type"] for panel in first} == {"stat"}
    assert len({panel["gridPos"]["y"] for panel in first}) == 1


def test_every_series_of_ours_is_looked_at() -> None:
    queries = [target["expr"] for _, panel in PANELS for target in panel["targets"]]
    named = set().union(*(named_in(expr) for expr in [*queries, *(rule["expr"] for rule in rules())]))
    defined = [*Metrics(CollectorRegistry()).series, *ProcessMetrics(CollectorRegistry()).series]
    unseen = {each.name for each in defined if not any(name.startswith(each.name) for name in named)}
    assert unseen == {"overheard_build_info"}
    assert set(records()) <= named


def test_thresholds_below_which_it_is_bad() -> None:
    steps = _thresholds(Steps(0.99, 0.9, low=True)).build().steps
    assert [(step.value, step.color) for step in steps] == [(None, "red"), (0.9, "orange"), (0.99, "green")]
    steps = _thresholds(Steps(bad=1, low=True)).build().steps
    assert [(step.value, step.color) for step in steps] == [(None, "red"), (1, "green")]


def test_provisioning_leads_to_what_is_installed() -> None:
    folder = ROOT / "deploy/grafana/provisioning"
    (provider,) = yaml.safe_load((folder / "dashboards/overheard.yml").read_text())["providers"]
    assert provider["options"]["path"] == f"/opt/overheard/current/{DASHBOARDS.relative_to(ROOT)}"
    (source,) = yaml.safe_load((folder / "datasources/overheard.yml").read_text())["datasources"]
    prometheus = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    assert source["jsonData"]["timeInterval"] == prometheus["global"]["scrape_interval"]
    own = next(job for job in prometheus["scrape_configs"] if job["job_name"] == "prometheus")
    assert source["url"] == f"http://{own['static_configs'][0]['targets'][0]}"
