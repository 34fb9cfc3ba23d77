"""Folding with our own processes: each mention is told once, however many there are, and whatever is killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.farm import ALL_STAGES, Farm

PACE = {"summary_every": "2s"}


@pytest.fixture(params=["servers", "memory"])
def farm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Farm]:
    """Everything on RabbitMQ and PostgreSQL, or in one process on memory:// and SQLite."""
    urls = ("rabbit_url", "postgresql_url")
    bus, database = (
        map(request.getfixturevalue, urls)
        if request.param == "servers"
        else ("memory://", f"sqlite:///{tmp_path}/overheard.db")
    )
    with Farm(tmp_path, bus=bus, database=database) as farm:
        yield farm


def start(farm: Farm) -> None:
    if farm.bus == "memory://":
        farm.start("run", "overheard.cli", "run")
    else:
        farm.everything()


def told(farm: Farm) -> int:
    """How many mentions the receiver was told of; a message that was repeated counts once."""
    counts = {
        request.headers["webhook-id"]: 1 if request.json["type"] == "mention.created" else request.json["data"]["total"]
        for request in farm.sink.wait_for(0)
    }
    return sum(counts.values())


def test_a_flood_is_folded_and_counted_exactly(farm: Farm) -> None:
    farm.workspace(pace=PACE)
    start(farm)
    farm.wait_for_items(farm.post(1))
    for round_ in range(4):
        farm.post(50, first=100 * round_ + 1)
        seen = len(farm.sink.wait_for(0))
        farm.sink.wait_for(seen + 1, timeout=30)
    farm.wait(lambda: told(farm) == 201, lambda: f"{told(farm)} of 201")
    messages = farm.sink.wait_for(0)
    assert [request.json["type"] for request in messages[:10]] == ["mention.created"] * 10
    assert len(messages) <= 20
    assert all(request.verified_by(farm.secret) for request in messages)


def test_a_killed_notify_loses_and_doubles_nothing(farm: Farm) -> None:
    farm.workspace(pace=PACE)
    victim = "run" if farm.bus == "memory://" else "actors"
    start(farm)
    for round_ in range(4):
        farm.post(40, first=100 * round_)
        seen = len(farm.sink.wait_for(0))
        farm.sink.wait_for(seen + 1, timeout=30)
        farm.kill9(victim)
        farm.start(victim, "overheard.cli", "run") if victim == "run" else farm.actors(*ALL_STAGES, name=victim)
    farm.wait(lambda: told(farm) == 160, lambda: f"{told(farm)} of 160", seconds=60)


def test_another_query_does_not_wait_for_a_flood(farm: Farm) -> None:
    farm.workspace(pace={"summary_every": "1m"}, query={"brand": "needle", "rival": "thimble"})
    start(farm)
    farm.wait_for_items(farm.post(1))
    flood = farm.post(60, first=1)
    farm.sink.wait_for(10, timeout=30)
    farm.wait(lambda: told(farm) == 10)
    quiet = farm.simulator.add_post("python", "a thimble", "in the haystack", "someone")
    farm.wait_for_items({quiet}, seconds=20)
    assert told(farm) == 11
    assert len(flood) == 60
