"""Metrics: the names that others rely on, and never a label that a user can write."""

from __future__ import annotations

import ast
import math
from collections import defaultdict
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from overheard.channels.registry import chat_kinds, default_kind, kinds
from overheard.config import Config
from overheard.observability.metric_catalogue import LabelValues
from overheard.observability.metrics import INVALID_CHANNEL_KIND, ProcessMetrics
from overheard.sources.registry import budgets, watchable

ROOT = Path(__file__).parents[3]

PROMISED = {
    "stage_messages_total": ("stage", "outcome"),
    "stage_duration_seconds": ("stage",),
    "stage_in_progress": ("stage",),
    "items_read_total": ("source", "kind"),
    "mentions_stored_total": (),
    "deliveries_total": ("channel_kind", "outcome"),
    "item_to_stored_seconds": (),
    "item_to_delivered_seconds": (),
    "source_up": ("source",),
    "source_client_refused": ("source", "client"),
    "source_lag_seconds": ("source",),
    "reddit_requests_total": ("endpoint", "status"),
    "reddit_budget_remaining": (),
    "rate_limit_waits_total": ("key_kind",),
    "rate_limit_wait_seconds": (),
    "feeds": ("state",),
    "feed_lag_seconds": (),
    "coverage_gaps_total": ("source", "reason"),
    "second_looks_total": ("source", "outcome"),
    "gaps_filled_total": ("source",),
    "gaps_lost_total": ("source", "reason"),
    "gaps_open": ("source",),
    "gap_numbers_left": ("source",),
    "queries": (),
    "index_build_seconds": (),
    "tick_last_success_timestamp_seconds": (),
    "due_workspaces": (),
    "deliveries_pending": (),
    "dead_letters": (),
    "worker_threads_alive": ("role",),
}
FORBIDDEN = {"workspace", "slug", "subreddit", "feed", "query", "url", "channel", "author", "name", "id", "user"}


OWN = {"overheard_build_info"}  # shown by a process that has done nothing


@pytest.fixture
def series() -> dict[str, tuple[str, ...]]:
    """Return the labels of every exported metric, by name without the prefix."""
    defined = ProcessMetrics(CollectorRegistry()).definitions
    assert all(each.name.startswith("overheard_") for each in defined)
    return {each.name.removeprefix("overheard_"): tuple(label for label, _ in each.labels) for each in defined}


def test_every_promised_series_is_there_with_its_labels(series: dict[str, tuple[str, ...]]) -> None:
    assert PROMISED.items() <= series.items()


def test_no_label_has_values_that_users_write(series: dict[str, tuple[str, ...]]) -> None:
    assert {label for labels in series.values() for label in labels} & FORBIDDEN == set()


def test_every_defined_metric_is_exported() -> None:
    registry = CollectorRegistry()
    defined = {
        each.name.removesuffix("_total"): (each.type, each.help) for each in ProcessMetrics(registry).definitions
    }
    assert defined == {family.name: (family.type, family.documentation) for family in registry.collect()}


def test_names_have_units_and_help() -> None:
    for each in ProcessMetrics(CollectorRegistry()).definitions:
        assert each.help.endswith(".")
        assert each.set_by
        assert each.name.endswith("_total") is (each.type == "counter")
        assert each.type != "histogram" or each.unit == "seconds"


def test_counters_start_at_0_and_gauges_when_they_are_set() -> None:
    registry = CollectorRegistry()
    metrics = ProcessMetrics(registry)
    assert registry.get_sample_value("overheard_alerts_total", {"outcome": "failed"}) == 0
    deliveries = {"channel_kind": "webhook", "outcome": "disabled"}
    assert registry.get_sample_value("overheard_deliveries_total", deliveries) == 0
    shown = {sample.name for family in registry.collect() if family.type == "gauge" for sample in family.samples}
    assert {name for name in shown if not name.endswith("_created")} == OWN
    metrics.dead_letters.set(0)
    metrics.longest_in_progress.set_function(lambda: 2.5)
    assert registry.get_sample_value("overheard_dead_letters") == 0
    assert registry.get_sample_value("overheard_longest_in_progress_seconds") == 2.5
    metrics.longest_in_progress.set_function(lambda: math.nan)
    assert registry.get_sample_value("overheard_longest_in_progress_seconds") is None


def documented() -> dict[str, list[LabelValues]]:
    """Return the allowed label values of each metric, by its name in the code."""
    made = ProcessMetrics(CollectorRegistry())
    values = {each.name.removesuffix("_total"): [known for _, known in each.labels] for each in made.definitions}
    described = {name: metric for name, metric in vars(made).items() if hasattr(metric, "describe")}
    return {name: values[metric.describe()[0].name] for name, metric in described.items()}


def written() -> dict[tuple[str, int], set[str | None]]:
    """Return the values that the code gives to each label, by metric and place; None for a computed one."""
    found = defaultdict(set)
    for folder in ("overheard", "actors", "producers"):
        for path in (ROOT / folder).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text())):
                match call:
                    case ast.Call(func=ast.Attribute(value=ast.Attribute(attr=metric), attr="labels"), args=args):
                        for place, given in enumerate(args):
                            literal = given.value if isinstance(given, ast.Constant) else None
                            found[metric, place].add(literal if isinstance(literal, str) else None)
    return found


def test_each_value_in_the_code_is_a_documented_one_and_each_documented_one_is_in_the_code() -> None:
    known, found = documented(), written()
    assert {("items_erased", 0), ("alerts", 0), ("deliveries", 1)} <= set(found)
    for (metric, place), values in found.items():
        documented_ones = known[metric][place]
        if isinstance(documented_ones, str):
            continue
        assert values - {None} <= set(documented_ones), metric
        assert None in values or values == set(documented_ones), f"{metric}: a documented value is never set"


def test_the_kinds_of_channels_and_sources_are_documented() -> None:
    named = {kind.kind for kind in (*kinds().values(), *chat_kinds(), default_kind())}
    assert set(documented()["deliveries"][0]) == named | {INVALID_CHANNEL_KIND}
    labels = {metric: set(documented()[metric][0]) for metric in ("items_read", "items_unreadable", "coverage_gaps")}
    assert labels == {metric: set(watchable()) for metric in labels}, (
        "SOURCE_NAMES in overheard/observability/metrics.py has to name every source that workspaces can watch, "
        "and no internal one; then run: make generate"
    )


def test_the_kinds_of_budgets_are_documented() -> None:
    of_sources = {budget.key.partition(":")[0] for budget in budgets(Config())}
    assert set(documented()["rate_limit_waits"][0]) == of_sources | {"channel"}


def test_two_registries_in_one_process_are_independent() -> None:
    one, two = CollectorRegistry(), CollectorRegistry()
    ProcessMetrics(one).queries.set(5)
    ProcessMetrics(two)
    assert two.get_sample_value("overheard_queries") is None
