"""``overheard run`` on the embedded bus and SQLite: the same code paths, in one process."""

from __future__ import annotations

from pathlib import Path

from tests.servers.farm import Farm


def test_the_memory_mode_killed_and_restarted_loses_nothing(tmp_path: Path) -> None:
    with Farm(tmp_path, bus="memory://", database=f"sqlite:///{tmp_path}/overheard.db") as farm:
        farm.workspace()
        wanted: set[str] = set()
        for round_ in range(3):
            farm.start("run", "overheard.cli", "run")
            wanted |= farm.post(20, first=20 * round_)
            seen = len(farm.received())
            farm.wait(lambda seen=seen: len(farm.received()) > seen, lambda: "nothing arrived")
            farm.kill9("run")
        farm.start("run", "overheard.cli", "run")
        received = farm.wait_for_items(wanted)
        assert set(received) == wanted
        assert farm.terminate("run") == 0


def test_without_credentials_it_says_what_to_do(tmp_path: Path) -> None:
    with Farm(tmp_path, bus="memory://", database=f"sqlite:///{tmp_path}/o.db", REDDIT__CLIENT_ID="") as farm:
        process = farm.start("run", "overheard.cli", "run")
        assert process.wait(20) == 2
        assert "https://www.reddit.com/prefs/apps" in farm.log("run")
        farm.processes.clear()
