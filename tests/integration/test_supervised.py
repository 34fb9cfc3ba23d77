"""The shipped supervisord configuration under the real supervisord, with real servers around it.

Every process is killed, and servers are stopped and started; then everything that was posted must have been received.
Only folders, ports, Python and the user differ from a real server.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from peewee import SQL, fn

from overheard.db.models import Delivery, Mention
from overheard.programs import PROGRAMS
from overheard.supervisord import URL_VARIABLE
from tests.servers.farm import Farm
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitServer
from tests.servers.sink import Answer, Request
from tests.servers.supervisord import Supervised, free_base

pytestmark = pytest.mark.timeout(600)
RUNNING = sorted(program.name for program in PROGRAMS.values() if program.processes)


@pytest.fixture
def base() -> int:
    return free_base()


@pytest.fixture
def farm(tmp_path: Path, rabbit_url: str, postgresql_url: str, base: int) -> Iterator[Farm]:
    with Farm(tmp_path, bus=rabbit_url, database=postgresql_url, METRICS__PORT=str(base)) as farm:
        farm.workspace()
        yield farm


@contextmanager
def away(rabbit: RabbitServer, postgres: PostgresServer) -> Iterator[None]:
    """Kill both servers as in a power cut; restart them at the end, as other tests use them."""
    rabbit.kill9()
    postgres.stop(immediate=True)
    try:
        yield
    finally:
        postgres.start()
        rabbit.start()


def settle(farm: Farm, posted: set[str], *, repeats: int) -> None:
    """Wait until everything is delivered; check that nothing is lost and little repeated."""
    received = farm.wait_for_items(posted, seconds=60)
    farm.wait(lambda: not farm.scalar(Delivery.select(fn.count(SQL("*"))).where(Delivery.state == "pending")))
    assert set(received) == posted
    assert farm.scalar(Mention.select(fn.count(Mention.id))) == len(posted)
    assert farm.scalar(Delivery.select(fn.count(Delivery.id))) == len(posted)
    ids = Counter(request.headers["webhook-id"] for request in farm.sink.wait_for(0))
    assert len(ids) == len(posted)
    assert sum(ids.values()) - len(ids) <= repeats, ids.most_common(5)


def test_killed_processes_and_servers_come_back_and_nothing_is_lost(
    farm: Farm, base: int, rabbit_server: RabbitServer, postgres_server: PostgresServer
) -> None:
    posted: set[str] = set()

    def post() -> None:
        nonlocal posted
        posted |= farm.post(3, first=len(posted))

    with Supervised(farm, base) as supervised:
        supervised.wait(supervised.well, "the first start")
        assert set(supervised.states()) == {f"{program}_0" for program in RUNNING}
        post()
        for program in RUNNING:
            post()
            supervised.kill9(f"{program}_0")
        farm.db.release()
        with away(rabbit_server, postgres_server):
            post()
            supervised.kill9("store_0")  # they must start without servers
            supervised.kill9("match_0")
            supervised.wait(lambda: "waiting for the database" in supervised.log("match_0"), "match waiting")
        post()
        supervised.wait(supervised.well, "the return of everything")
        settle(farm, posted, repeats=10)

        kills = dict.fromkeys(RUNNING, 1) | {"store": 2, "match": 2}
        ends = re.findall(r"(?:exited|stopped): (\w+)_0 \(", supervised.log("supervisord"))
        assert Counter(ends) == kills
        assert supervised.targets() == {f"127.0.0.1:{base + PROGRAMS[program].port}": program for program in kills}


def test_a_stop_finishes_work_in_progress_and_a_start_resumes(farm: Farm, base: int) -> None:
    under_way, go_on = threading.Event(), threading.Event()

    def slowly(request: Request) -> Answer:
        under_way.set()
        assert go_on.wait(60)
        return Answer()

    farm.sink.always = slowly
    farm.settings |= {"NOTIFY__TIMEOUT": "20", "NOTIFY__LEASE": "30"}  # longer than all the others take to end
    with Supervised(farm, base) as supervised:
        supervised.wait(supervised.answering, "the first start")
        posted = farm.post(3)
        assert under_way.wait(60)
        stopping = threading.Thread(target=supervised.terminate)
        stopping.start()
        more = farm.post(3, first=3)
        # Programs stop one after the other, from source to sink: notify is the last.
        supervised.farm.wait(
            lambda: "waiting for notify_0 to die" in supervised.log("supervisord"), lambda: supervised.ends()
        )
        go_on.set()
        stopping.join(60)
        assert not stopping.is_alive()
        log = supervised.log("supervisord")
        assert "SIGKILL" not in log
        order = [line.split("stopped: ")[1] for line in log.splitlines() if "stopped: " in line]
        assert order == [f"{program}_0 (exit status 0)" for program in reversed(PROGRAMS) if program in RUNNING]
        assert order[0].startswith("tick_0")
        assert order[-1].startswith("notify_0")

        supervised.start()
        supervised.wait(supervised.answering, "the second start")
        settle(farm, posted | more, repeats=0)


OWN = """
[program:fetch]
environment = OVERHEARD_FETCH__THREADS="none"
startretries = 1
startsecs = 60

[program:tick]
stdout_logfile_maxbytes = 500
stdout_logfile_backups = 2

; of a release in which it was a program of its own
[program:recheck]
stdout_logfile_backups = 1
"""


def status(farm: Farm, supervised: Supervised) -> tuple[int, str]:
    """Run ``overheard status`` as on a server, with the address of supervisord."""
    done = subprocess.run(
        [sys.executable, "-m", "overheard.cli", "status"],
        env=farm.environment | {URL_VARIABLE: supervised.url, "COLUMNS": "1000"},
        cwd=farm.folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_a_program_that_cannot_start_is_reported_and_logs_are_rotated(
    tmp_path: Path, rabbit_url: str, postgresql_url: str, base: int
) -> None:
    settings = {"METRICS__PORT": str(base)}
    with (
        Farm(tmp_path, bus=rabbit_url, database=postgresql_url, **settings) as farm,
        Supervised(farm, base, own=OWN) as supervised,
    ):
        for number in range(10):
            farm.workspace(f"ws{number}", every="1s")
        supervised.wait(lambda: supervised.states()["fetch_0"] == "FATAL", "FATAL")
        assert "[fetch] threads: Input should be a valid integer" in supervised.log("fetch_0")
        code, output = status(farm, supervised)
        assert code == 1
        assert "fetch:fetch_0 is FATAL" in output
        advice = f"see the end of {supervised.logs}/fetch_0.log, fix the cause, then: supervisorctl restart"
        assert f"{advice} fetch:fetch_0" in output
        assert "tick_0 is" not in output
        assert "fetch:fetch_0 is FATAL" in supervised.unhealthy()
        assert supervised.targets()[f"127.0.0.1:{base + PROGRAMS['fetch'].port}"] == "fetch"  # so that up is 0

        supervised.wait(lambda: (supervised.logs / "tick_0.log.2").exists(), "two old logs of tick")
        assert not (supervised.logs / "tick_0.log.3").exists()

        # Two match processes, and recheck in its own process, as docs/operations.md describes.
        own = f"{OWN}numprocs = 1\n\n[program:match]\nnumprocs = 2\n"
        supervised.own.write_text(own)
        updated = supervised.ctl("update")
        for program, number in (("match", 1), ("recheck", 0)):
            assert f"{program}: updated process group" in updated
            port = base + PROGRAMS[program].port + number
            assert supervised.targets()[f"127.0.0.1:{port}"] == program
        second = base + PROGRAMS["match"].port + 1
        supervised.wait(lambda: supervised.get(second, "/healthz")[0] == 200, "the second match")
