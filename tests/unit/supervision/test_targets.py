"""What Prometheus finds at /targets."""

from __future__ import annotations

import msgspec
import pytest

from overheard.supervision.rpc import Process
from overheard.supervision.targets import targets


def test_each_process_is_a_target_whether_it_runs_or_not() -> None:
    processes = [
        Process("match", "match_1", "fatal"),
        Process("match", "match_0", "running"),
        Process("watcher", "watcher", "running"),
        Process("tick", "tick_0", "stopped"),
    ]
    found = targets(processes, "127.0.0.1", 9400)
    assert msgspec.to_builtins(found) == [
        {"targets": ("127.0.0.1:9420",), "labels": {"program": "match"}},
        {"targets": ("127.0.0.1:9421",), "labels": {"program": "match"}},
        {"targets": ("127.0.0.1:9400",), "labels": {"program": "tick"}},
        {"targets": ("127.0.0.1:9408",), "labels": {"program": "watcher"}},
    ]


def test_what_is_not_ours_serves_nothing() -> None:
    assert targets([Process("backup", "backup", "running")], "127.0.0.1", 9400) == []


@pytest.mark.parametrize(
    ("host", "reached"), [("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::1", "[::1]"), ("10.0.0.5", "10.0.0.5")]
)
def test_addresses_can_be_connected_to(host: str, reached: str) -> None:
    assert targets([Process("tick", "tick_0", "running")], host, 9400)[0].targets == (f"{reached}:9400",)
