"""Measurements of a running soak from outside: processes, queues, connections, requests."""

from __future__ import annotations

import re
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg

from overheard.simulators.reddit import RedditSimulator
from tests.servers.farm import Farm
from tests.servers.rabbitmq import RabbitServer

DEAD, DELAYED = ".XQ", ".DQ"
LISTING = re.compile(r"/r/([^/]+)/(new|comments)")


@dataclass(frozen=True)
class Sample:
    at: float  # monotonic
    mb: float
    files: int


@dataclass
class Life:
    """The samples of one process, from its start to its kill."""

    kind: str
    samples: list[Sample] = field(default_factory=list)

    def grown(self, warm_up: float) -> tuple[Sample, Sample]:
        """Return the first sample after ``warm_up`` seconds, and the last one."""
        since = self.samples[0].at + warm_up
        warm = next((sample for sample in self.samples if sample.at >= since), self.samples[-1])
        return warm, self.samples[-1]

    def mb_per_hour(self) -> float:
        """Return the slope of the memory in the second half of the samples, by least squares."""
        half = self.samples[len(self.samples) // 2 :]
        at = fmean(sample.at for sample in half)
        mb = fmean(sample.mb for sample in half)
        spread = sum((sample.at - at) ** 2 for sample in half)
        return sum((sample.at - at) * (sample.mb - mb) for sample in half) / spread * 3600 if spread else 0.0

    @property
    def seconds(self) -> float:
        return self.samples[-1].at - self.samples[0].at


class Gauges:
    """``look`` samples everything; the other methods evaluate the samples."""

    def __init__(self, farm: Farm, rabbit: RabbitServer, postgres_url: str) -> None:
        self.lives: dict[int, Life] = {}
        self.depth: dict[str, int] = {}
        self.deepest: Counter[str] = Counter()
        self.connections: list[tuple[int, int]] = []  # to RabbitMQ, to PostgreSQL
        self.busiest = 0  # requests to Reddit in any minute
        self.pause = 0.0  # longest time in seconds between two samples: long if the machine is busy or was suspended
        self.database_sizes: list[float] = []  # MB, one for each time that all is looked at while people talk
        self.unanswered = 0  # samples of RabbitMQ without an answer
        self._looked = time.monotonic()
        self._farm = farm
        self._rabbit = rabbit
        self._vhost = farm.bus.rpartition("/")[2]
        self._database = farm.database.rpartition("/")[2]
        self._admin = psycopg.connect(postgres_url, autocommit=True)
        self._minute: deque[tuple[float, int]] = deque()

    def close(self) -> None:
        self._admin.close()

    def look(self) -> None:
        began = time.monotonic()
        self.pause, self._looked = max(self.pause, began - self._looked), began
        self.database_sizes.append(self.database_mb())
        self._look_at_processes()
        self._look_at_requests(self._farm.simulator)
        try:
            self._look_at_queues()
            self._look_at_connections()
        except OSError:  # urllib's, or a timeout: the next sample will have RabbitMQ's answer
            self.unanswered += 1

    def longest(self, kind: str) -> Life | None:
        """Return the process of this kind that lived longest."""
        lives = [life for life in self.lives.values() if life.kind == kind]
        return max(lives, key=lambda life: life.seconds, default=None)

    def database_mb(self) -> float:
        return float(self._one("SELECT pg_database_size(%s) / 1048576.0", self._database))

    def _look_at_processes(self) -> None:
        now = time.monotonic()
        for kind, process in list(self._farm.processes.items()):
            try:
                sample = Sample(now, resident(process.pid), len(list(Path(f"/proc/{process.pid}/fd").iterdir())))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has just exited: the killer restarts it
            self.lives.setdefault(process.pid, Life(kind)).samples.append(sample)

    def _look_at_queues(self) -> None:
        queues: Any = self._rabbit.api("GET", f"/queues/{self._vhost}")
        # A queue that was just declared has no figures yet.
        self.depth = {queue["name"]: int(queue.get("messages", 0)) for queue in queues}
        self.deepest |= Counter(self.depth)

    def _look_at_connections(self) -> None:
        to_rabbit: Any = self._rabbit.api("GET", f"/vhosts/{self._vhost}/connections")
        ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'overheard' AND datname = %s"
        self.connections.append((len(to_rabbit), int(self._one(ours, self._database))))

    def _look_at_requests(self, simulator: RedditSimulator) -> None:
        now, total = time.monotonic(), simulator.counts()["total"]
        self._minute.append((now, total))
        while now - self._minute[0][0] > 60:
            self._minute.popleft()
        self.busiest = max(self.busiest, total - self._minute[0][1])

    def _one(self, query: str, *values: object) -> Any:
        row = self._admin.execute(query, values).fetchone()
        assert row is not None
        return row[0]


@dataclass(frozen=True)
class Reads:
    """Requests for listings: all pages, and the feeds named in their first pages."""

    pages: int
    firsts: int
    feeds: int


def reads(simulator: RedditSimulator) -> Reads:
    """Return the listing requests among the simulator's latest requests (at most 10,000)."""
    pages = firsts = feeds = 0
    for line in simulator.recent_requests():
        target = urlsplit(line.partition(" ")[2])
        listing = LISTING.search(target.path)
        if listing is None:
            continue
        pages += 1
        if "after" not in parse_qs(target.query):
            firsts += 1
            feeds += len(re.split(r"\+|%2B", listing[1]))
    return Reads(pages, firsts, feeds)


def resident(pid: int) -> float:
    """Return a process's resident memory in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    if found is None:
        raise ProcessLookupError(pid)  # a zombie has none
    return int(found[1]) / 1024
