"""One clock (I10): machines an hour ahead and an hour behind do their part, and leave nothing wrong behind them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from peewee import DoubleField, fn

from overheard.db.models import TABLES, Delivery
from tests.servers import wrong_clock
from tests.servers.farm import ALL_STAGES, Farm

HOUR = 3600.0
FARTHEST_SECONDS = 600.0  # the longest lease, with room
SCHEDULED = {"next_digest_at"}  # tomorrow, by right


@pytest.fixture
def farm(tmp_path: Path, rabbit_url: str, postgresql_url: str) -> Iterator[Farm]:
    with Farm(tmp_path, bus=rabbit_url, database=postgresql_url) as farm:
        yield farm


def start(farm: Farm, name: str, ahead: float, module: str, *arguments: str) -> None:
    with (farm.folder / f"{name}.log").open("ab") as log:
        farm.processes[name] = subprocess.Popen(
            wrong_clock.command(ahead, module, *arguments),
            env=farm.environment, cwd=farm.folder, stdout=log, stderr=log,
        )  # fmt: skip


def wrong(farm: Farm, began: float) -> dict[str, tuple[float, float]]:
    """(first, last) of each column of times that has one long before ``began`` or far in the future."""
    found = {}
    columns = [
        field
        for table in TABLES
        for field in table._meta.sorted_fields
        if isinstance(field, DoubleField) and field.name.endswith(("_at", "_until", "_since", "_before", "tat"))
    ]
    assert len(columns) > 20
    for column in columns:
        query = column.model.select(fn.min(column), fn.max(column)).where(column > 1.0)
        with farm.db.session():
            ((first, last),) = query.tuples().execute(farm.db.peewee)
            farm.db.release()
        if first is None or column.name in SCHEDULED:
            continue
        if first < began - FARTHEST_SECONDS or last > farm.db.clock() + FARTHEST_SECONDS:
            found[f"{column.model.__name__}.{column.name}"] = (first - began, last - began)
    return found


def test_machines_with_wrong_clocks_read_deliver_and_take_over(farm: Farm) -> None:
    names = [f"place{number}" for number in range(6)]
    for name in names:
        farm.workspace(name, subreddits=(name,))
    farm.db.ping()
    began = farm.db.clock()
    start(farm, "ahead", HOUR, "actors", *ALL_STAGES)
    start(farm, "behind", -HOUR, "actors", *ALL_STAGES)
    start(farm, "tick", HOUR, "producers", "tick")
    start(farm, "ingress", -HOUR, "producers", "ingress")
    wanted = {item for name in names for item in farm.post(3, name)}
    farm.wait_for_items(wanted)

    # One machine dies with what it has claimed; the other goes on with it when the lease has run out.
    farm.kill9("ahead")
    wanted |= {item for name in names for item in farm.post(3, name, first=3)}
    farm.wait_for_items(wanted)
    start(farm, "ahead", HOUR, "actors", *ALL_STAGES)
    farm.kill9("behind")
    wanted |= {item for name in names for item in farm.post(3, name, first=6)}
    farm.wait_for_items(wanted)

    assert farm.scalar(Delivery.select(fn.count(Delivery.id)).where(Delivery.sent_at.is_null(False))) == len(wanted)
    assert wrong(farm, began) == {}
