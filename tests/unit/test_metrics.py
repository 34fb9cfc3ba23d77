"""Metrics: the names that others rely on (DESIGN §3), and never a label that a user can write."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from overheard.metrics import Metrics

PROMISED = {
    "stage_messages_total": ("stage", "outcome"),
    "stage_duration_seconds": ("stage",),
    "stage_in_progress": ("stage",),
    "items_fetched_total": ("source", "kind"),
    "mentions_stored_total": (),
    "deliveries_total": ("channel_kind", "outcome"),
    "item_to_stored_seconds": (),
    "item_to_delivered_seconds": (),
    "reddit_requests_total": ("endpoint", "status"),
    "reddit_budget_remaining": (),
    "rate_limit_waits_total": ("key_kind",),
    "rate_limit_wait_seconds": (),
    "feeds": ("state",),
    "feed_lag_seconds": (),
    "coverage_gaps_total": (),
    "queries": (),
    "index_build_seconds": (),
    "tick_last_success_timestamp_seconds": (),
    "due_workspaces": (),
    "deliveries_pending": (),
    "dead_letters": (),
    "worker_threads_alive": ("role",),
}
FORBIDDEN = {"workspace", "slug", "subreddit", "feed", "query", "url", "channel", "author", "name", "id", "user"}


@pytest.fixture
def series() -> dict[str, tuple[str, ...]]:
    """Every series' name without the prefix, as /metrics shows it, with its labels."""
    metrics = Metrics(CollectorRegistry())
    found = {}
    for metric in vars(metrics).values():
        if metric is not metrics.registry:
            name = metric._name + ("_total" if metric._type == "counter" else "")
            assert name.startswith("overheard_")
            found[name.removeprefix("overheard_")] = tuple(metric._labelnames)
    return found


def test_every_promised_series_is_there_with_its_labels(series: dict[str, tuple[str, ...]]) -> None:
    assert PROMISED.items() <= series.items()


def test_no_label_is_a_user_s(series: dict[str, tuple[str, ...]]) -> None:
    assert {label for labels in series.values() for label in labels} & FORBIDDEN == set()


def test_names_have_units_and_help(series: dict[str, tuple[str, ...]]) -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    for family in registry.collect():
        assert family.documentation.endswith(".")
        if family.type == "histogram":
            assert family.name.endswith("_seconds")


def test_two_processes_in_one_do_not_meet() -> None:
    one, two = CollectorRegistry(), CollectorRegistry()
    Metrics(one).queries.set(5)
    Metrics(two)
    assert two.get_sample_value("overheard_queries") == 0
