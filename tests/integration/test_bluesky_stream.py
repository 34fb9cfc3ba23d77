"""Bluesky from the stream to the receiver, with processes that are killed: nothing is lost, nothing comes twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from peewee import fn

from overheard.db.models import Feed, Gap, Mention, SourceStatus, StoredItem, Watch
from overheard.simulators.bluesky import BlueskySimulator, StreamFault
from overheard.workspaces import WatchSpec
from tests.servers.farm import Farm

BLUESKY = (WatchSpec("bluesky", ("all",)),)


@contextmanager
def watching(folder: Path, simulator: BlueskySimulator, **places: str) -> Iterator[Farm]:
    """A farm with a workspace that watches the simulated Bluesky."""
    with Farm(folder, SOURCES__BLUESKY__URL=simulator.url, **places) as farm:
        farm.workspace(subreddits=(), watch=BLUESKY)
        yield farm


@pytest.fixture
def simulator() -> Iterator[BlueskySimulator]:
    with BlueskySimulator() as made:
        yield made


def embedded(folder: Path) -> dict[str, str]:
    return {"bus": "memory://", "database": f"sqlite:///{folder}/overheard.db"}


def post(simulator: BlueskySimulator, count: int, first: int = 0) -> set[str]:
    return {simulator.add_post(f"needle number {number}") for number in range(first, first + count)}


def count(farm: Farm, table: Any, *where: Any) -> int:
    return int(farm.scalar(table.select(fn.count(1)).where(*where, True)))


def test_a_killed_run_resumes_where_the_last_stored_page_ended(tmp_path: Path, simulator: BlueskySimulator) -> None:
    with watching(tmp_path, simulator, **embedded(tmp_path)) as farm:
        farm.start("run", "overheard.cli", "run")
        assert simulator.wait_for_connections(1)
        wanted = post(simulator, 5)
        farm.wait_for_items(wanted)
        farm.kill9("run")
        wanted |= post(simulator, 50, first=5)
        farm.start("run", "overheard.cli", "run")
        wanted |= post(simulator, 50, first=55)
        farm.wait_for_items(wanted)
        assert (count(farm, Mention), count(farm, StoredItem), count(farm, Gap)) == (105, 105, 0)
        assert farm.terminate("run") == 0


def test_what_is_deleted_there_is_erased_here_and_edits_are_taken_over(
    tmp_path: Path, simulator: BlueskySimulator
) -> None:
    with watching(tmp_path, simulator, **embedded(tmp_path)) as farm:
        farm.start("run", "overheard.cli", "run")
        assert simulator.wait_for_connections(1)
        kept, deleted = simulator.add_post("needle one"), simulator.add_post("needle two")
        leaving = [simulator.add_post(f"needle {number}", "did:plc:leaving") for number in range(3)]
        farm.wait_for_items({kept, deleted, *leaving})
        simulator.delete_post(deleted)
        farm.wait(lambda: count(farm, StoredItem) == 4)
        simulator.set_account("did:plc:leaving", active=False, status="deactivated")
        farm.wait(lambda: count(farm, StoredItem) == 1)
        simulator.set_account("did:plc:leaving", active=True)
        returned = simulator.add_post("needle again", "did:plc:leaving")
        farm.wait_for_items({returned})
        assert count(farm, StoredItem, StoredItem.ref.in_([kept, returned])) == 2
        simulator.edit_post(kept, "needle, edited")
        farm.wait(lambda: count(farm, StoredItem, StoredItem.body == "needle, edited") == 1)


def test_nothing_is_connected_until_somebody_watches(tmp_path: Path, simulator: BlueskySimulator) -> None:
    with Farm(tmp_path, SOURCES__BLUESKY__URL=simulator.url, **embedded(tmp_path)) as farm:
        farm.workspace()
        farm.start("run", "overheard.cli", "run")
        farm.wait_for_items(farm.post(1))
        assert simulator.targets() == []
        simulator.add_post("needle, from before")
        farm.workspace("second", subreddits=(), watch=BLUESKY)
        assert simulator.wait_for_connections(1)
        assert "cursor" not in simulator.targets()[-1]
        added = simulator.add_post("needle, from now on")
        farm.wait_for_items({added})
        assert count(farm, StoredItem, StoredItem.source == "bluesky") == 1
        farm.db.release()
        with farm.db.session():
            Watch.delete().where(Watch.feed.in_(Feed.select(Feed.id).where(Feed.source == "bluesky"))).execute(
                farm.db.peewee
            )
            farm.db.release()
        assert simulator.wait_for_connections(0)


def test_the_stream_on_rabbitmq_and_postgresql_loses_nothing(
    tmp_path: Path, rabbit_url: str, postgresql_url: str, simulator: BlueskySimulator
) -> None:
    with watching(tmp_path, simulator, bus=rabbit_url, database=postgresql_url) as farm:
        farm.everything()
        farm.start("stream", "producers", "stream", "bluesky")
        assert simulator.wait_for_connections(1)
        wanted: set[str] = set()
        for kill in range(3):
            wanted |= post(simulator, 400, first=1000 * kill)
            seen = len(farm.received())
            farm.wait(lambda seen=seen: len(farm.received()) > seen, lambda: "nothing arrived")
            farm.kill9("stream")
            if kill == 1:
                farm.kill9("actors")
                farm.actors(*("fetch", "match", "store", "notify", "digest", "recheck"), name="actors")
            wanted |= post(simulator, 100, first=1000 * kill + 500)
            farm.start("stream", "producers", "stream", "bluesky")
        simulator.faults.inject(StreamFault("reset", after=20))
        wanted |= post(simulator, 100, first=5000)
        farm.wait_for_items(wanted, 90)
        assert (count(farm, Mention), count(farm, StoredItem)) == (len(wanted), len(wanted))
        assert count(farm, Gap) == 0
        assert farm.terminate("stream") == 0


def test_two_streams_side_by_side_do_no_harm(
    tmp_path: Path, rabbit_url: str, postgresql_url: str, simulator: BlueskySimulator
) -> None:
    with watching(tmp_path, simulator, bus=rabbit_url, database=postgresql_url) as farm:
        farm.everything()
        for name in ("one", "two"):
            farm.start(name, "producers", "stream", "bluesky")
        assert simulator.wait_for_connections(1)
        wanted = post(simulator, 50)
        farm.wait_for_items(wanted)
        farm.wait(lambda: farm.log("two").count("process started") == 1)
        assert len(simulator.targets()) == 1, "the second one stands by"
        reading = "one" if "stream connected" in farm.log("one") else "two"
        farm.kill9(reading)
        wanted |= post(simulator, 50, first=50)
        farm.wait_for_items(wanted)
        assert len(simulator.targets()) == 2
        assert (count(farm, Mention), count(farm, Gap)) == (100, 0)


def test_a_stream_too_late_for_its_cursor_tells_of_a_gap(
    tmp_path: Path, rabbit_url: str, postgresql_url: str, simulator: BlueskySimulator
) -> None:
    with watching(tmp_path, simulator, bus=rabbit_url, database=postgresql_url) as farm:
        farm.everything()
        farm.start("stream", "producers", "stream", "bluesky")
        assert simulator.wait_for_connections(1)
        first = post(simulator, 1)
        farm.wait_for_items(first)
        assert farm.terminate("stream") == 0
        post(simulator, 1, first=1)
        simulator.advance(40 * 3600)
        simulator.faults.inject(StreamFault("refuse", status=502))
        kept = simulator.add_post("needle, after two days")
        farm.start("stream", "producers", "stream", "bluesky")
        farm.wait(lambda: count(farm, Gap, Gap.reason == "outdated") == 1)
        gap = farm.scalar(Gap.select(Gap.from_item.concat(" ").concat(Gap.to_item)))
        assert gap == f"{first.pop()} {kept}"
        assert count(farm, StoredItem, StoredItem.ref == kept) == 1
        assert count(farm, SourceStatus, SourceStatus.failing_since.is_null()) >= 1
