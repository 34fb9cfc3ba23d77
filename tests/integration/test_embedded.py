"""``overheard run`` on the embedded bus and SQLite: the whole pipeline in one process."""

from __future__ import annotations

import time
from pathlib import Path

from overheard.db.models import FeedGroup
from tests.servers.farm import Farm


def test_a_killed_embedded_run_loses_nothing(tmp_path: Path) -> None:
    with Farm(tmp_path, bus="memory://", database=f"sqlite:///{tmp_path}/overheard.db") as farm:
        farm.workspace()
        wanted: set[str] = set()
        for round_ in range(3):
            farm.start("run", "overheard.cli", "run")
            wanted |= farm.post(20, first=20 * round_)
            seen = len(farm.received())
            farm.wait(lambda seen=seen: len(farm.received()) > seen, lambda: "nothing arrived")
            farm.kill9("run")
        # Not always three: a kill may come before the line is printed.
        before = farm.log("run").count("Overheard is running")
        farm.start("run", "overheard.cli", "run")
        received = farm.wait_for_items(wanted)
        assert set(received) == wanted
        farm.wait(lambda: farm.log("run").count("Overheard is running") > before)  # signals are handled from then on
        assert farm.terminate("run") == 0


def test_what_the_last_run_has_held_is_read_at_once(tmp_path: Path) -> None:
    """On memory:// its messages have ended with it: no poll will use these leases."""
    with Farm(tmp_path, bus="memory://", database=f"sqlite:///{tmp_path}/overheard.db") as farm:
        farm.workspace()
        with farm.db.session():
            FeedGroup.update(poll="lost", lease_until=time.time() + 3600.0).execute(farm.db.peewee)
            farm.db.release()
        farm.start("run", "overheard.cli", "run")
        posted = farm.post(3)
        assert set(farm.wait_for_items(posted)) == posted


def test_without_credentials_run_logs_a_remedy_and_keeps_running(tmp_path: Path) -> None:
    with Farm(tmp_path, bus="memory://", database=f"sqlite:///{tmp_path}/o.db", REDDIT__CLIENT_ID="") as farm:
        farm.start("run", "overheard.cli", "run")
        farm.wait(lambda: "https://www.reddit.com/prefs/apps" in farm.log("run"))
        assert farm.terminate("run") == 0


def test_everything_in_one_process_on_rabbitmq_and_postgresql(
    tmp_path: Path, rabbit_url: str, postgresql_url: str
) -> None:
    with Farm(tmp_path, bus=rabbit_url, database=postgresql_url) as farm:
        farm.workspace()
        farm.start("run", "overheard.cli", "run")
        posted = farm.post(5)
        assert set(farm.wait_for_items(posted)) == posted
        assert farm.terminate("run") == 0


def test_a_digest_channel_gets_one_message_per_period(tmp_path: Path) -> None:
    with Farm(tmp_path, bus="memory://", database=f"sqlite:///{tmp_path}/overheard.db") as farm:
        farm.workspace(mode="digest", digest="3s")
        farm.start("run", "overheard.cli", "run")
        posted = farm.post(12)
        farm.wait_for_items(posted)
        later = farm.post(3, first=12)
        farm.wait_for_items(later)
        requests = farm.sink.wait_for(2)
        assert {request.json["type"] for request in requests} == {"digest"}
        assert all(request.json["data"]["mentions"] for request in requests), "never an empty one"
        received = farm.received()
        assert sorted(received) == sorted(posted | later)
        assert farm.terminate("run") == 0


def test_run_exits_with_1_if_its_tick_dies(tmp_path: Path) -> None:
    """supervisord then restarts it. Here, a heartbeat that the database rejects kills the tick."""
    with Farm(tmp_path, bus="memory://", database=f"sqlite:///{tmp_path}/o.db") as farm:
        farm.workspace()
        farm.spoil()
        process = farm.start("run", "overheard.cli", "run")
        assert process.wait(60) == 1
        assert "exiting for restart" in farm.log("run")
        farm.processes.clear()
