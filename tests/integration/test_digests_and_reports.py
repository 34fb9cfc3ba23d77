"""A digest with its numbers, and a report of a flood, from the source to the receiver, in one process."""

from __future__ import annotations

from pathlib import Path

from overheard.operations.query_health import FLOOD_PER_DAY
from tests.servers.farm import Farm


def test_a_digest_arrives_with_the_numbers_of_its_period(tmp_path: Path) -> None:
    with Farm(tmp_path, bus="memory://", database=f"sqlite:///{tmp_path}/overheard.db") as farm:
        farm.workspace(mode="digest", digest="4s", timezone="Europe/Berlin", subreddits=("python", "rust"))
        farm.start("run", "overheard.cli", "run")
        posted = farm.post(5) | farm.post(3, "rust", first=5)
        farm.wait_for_items(posted)
        told = [request.json["data"] for request in farm.sink.wait_for(1)]
        assert sum(data["total"] for data in told) == sum(data["by_query"]["q"] for data in told) == 8
        for data in told:
            assert data["total"] == len(data["mentions"]) == sum(place["count"] for place in data["by_place"])
            assert data["total"] == sum(count for _, count in data["by_day"])
            assert all(data["since"] < mention["stored_at"] <= data["until"] for mention in data["mentions"])
        assert farm.terminate("run") == 0


def test_a_flood_is_reported_to_the_channel_that_gets_it(tmp_path: Path) -> None:
    with Farm(tmp_path, bus="memory://", database=f"sqlite:///{tmp_path}/overheard.db") as farm:
        farm.workspace()
        farm.start("run", "overheard.cli", "run")
        posted = farm.post(FLOOD_PER_DAY + 1)
        farm.wait_for_items(posted, seconds=60)
        assert farm.terminate("run") == 0
        farm.start("run", "overheard.cli", "run")  # a tick that starts looks at once, and then every five minutes

        def reports() -> list[dict[str, object]]:
            bodies = [request.json for request in farm.sink.wait_for(0)]
            return [body["data"] for body in bodies if body["type"] == "workspace.report"]

        farm.wait(lambda: reports(), lambda: "no report arrived")
        [report] = reports()
        assert (report["kind"], report["name"]) == ("query flooding", "q")
        assert report["title"] == "The query “q” finds too much: 201 mentions in 24 hours"
        assert farm.terminate("run") == 0
