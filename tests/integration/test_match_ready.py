"""A match process that cannot load its index yet reports it, consumes nothing, and recovers by itself."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import psycopg

from overheard.bus import queue_depths
from overheard.programs import PROGRAMS
from tests.servers.farm import Farm
from tests.servers.supervisord import free_base
from tests.servers.waiting import wait_for


def health(port: int) -> tuple[int, str]:
    """Return the status and body of /healthz; (0, "") while the port is closed."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except urllib.error.URLError:
        return 0, ""


def consumers(url: str) -> int:
    found, _ = queue_depths.inspect(url)
    return sum(queue.workers or 0 for queue in found if queue.name == "match")


def test_nothing_is_consumed_and_health_fails_until_the_index_is_loaded(
    tmp_path: Path, rabbit_url: str, postgresql_url: str
) -> None:
    base = free_base()
    port = base + PROGRAMS["match"].port
    with Farm(tmp_path, bus=rabbit_url, database=postgresql_url, METRICS__PORT=str(base)) as farm:
        farm.workspace()
        with psycopg.connect(postgresql_url) as blocker:
            blocker.execute("LOCK TABLE query IN ACCESS EXCLUSIVE MODE")
            farm.actors("match")
            wait_for(lambda: health(port)[0] == 503, "the page")
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'query'::regclass"
            wait_for(lambda: blocker.execute(waiting).fetchone() == (1,), "the index")
            assert "starting" in health(port)[1]
            assert consumers(rabbit_url) == 0
        wait_for(lambda: health(port) == (200, "ok\n"), "the stage")
        assert consumers(rabbit_url) == 1
        assert farm.terminate("match") == 0
