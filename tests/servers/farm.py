"""Overheard's processes, started as by an operator, with simulators of Reddit and Hacker News, and a receiver."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from overheard import schedule
from overheard.channels.signing import new_secret
from overheard.db import migrate, workspace_specs
from overheard.db.database import Db, open_database
from overheard.simulators.hackernews import HackerNewsSimulator
from overheard.simulators.reddit import CLIENT_ID, CLIENT_SECRET, RedditSimulator
from overheard.stages import STAGES
from overheard.workspaces import ChannelSpec, QuerySpec, WatchSpec, WorkspaceSpec
from tests.servers.forks import PYTHON, Fork, shared_forks
from tests.servers.ports import free_ports
from tests.servers.sink import HttpSink
from tests.servers.waiting import PATIENCE, wait_for

ALL_STAGES = tuple(STAGES)
HACKER_NEWS = WatchSpec("hackernews", ("all",))


class Farm:
    """Processes by name: forks, or with ``fresh`` interpreters of their own (``forks.py`` says for which tests).

    ``settings`` are environment variables on top of the farm's own.
    """

    def __init__(
        self,
        folder: Path,
        *,
        bus: str,
        database: str,
        simulator: RedditSimulator | None = None,
        fresh: bool = False,
        **settings: str,
    ) -> None:
        self.folder = folder
        self.fresh = fresh
        self.simulator = simulator or RedditSimulator(requests_per_minute=6000)
        self.hackernews = HackerNewsSimulator()
        # Ports that no other test gets: what a killed process, or another test's, still asks for goes elsewhere.
        sink_port, *self._ports = free_ports(3)
        self.sink = HttpSink(port=sink_port)
        self.secret = new_secret()
        self.bus = bus
        self.database = database
        self.db: Db = open_database(database)
        self.processes: dict[str, subprocess.Popen[bytes] | Fork] = {}
        self.settings = settings

    def __enter__(self) -> Self:
        for server, port in zip((self.simulator, self.hackernews), self._ports, strict=True):
            server.start(port)
        self.sink.__enter__()
        migrate.migrate(self.db)
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.processes):
            self.kill9(name)
        self.db.release()
        self.sink.__exit__()
        self.hackernews.stop()
        self.simulator.stop()

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of the farm's processes: of the machine's own, only the path."""
        ours = {
            # A short wait for a publisher that an alarm blocks; the memory bus has none.
            "BUS__URL": self.bus if self.bus == "memory://" else f"{self.bus}?blocked_connection_timeout=5",
            "DATABASE__URL": self.database,
            "REDDIT__CLIENT_ID": CLIENT_ID,
            "REDDIT__CLIENT_SECRET": CLIENT_SECRET,
            "REDDIT__USER_AGENT": "linux:overheard-tests:1 (by /u/tests)",
            "REDDIT__REDDIT_URL": self.simulator.url,
            "REDDIT__OAUTH_URL": self.simulator.url,
            "REDDIT__REQUESTS_PER_MINUTE": "6000",
            "REDDIT__TIMEOUT": "5",
            "SOURCES__HACKERNEWS__URL": self.hackernews.url,
            "SOURCES__HACKERNEWS__SEARCH_URL": self.hackernews.url,
            "SOURCES__HACKERNEWS__REQUESTS_PER_SECOND": "1000",
            "SOURCES__HACKERNEWS__TIMEOUT": "5",
            "TICK__INTERVAL": "0.2",
            "TICK__JITTER": "0",
            "TICK__SWEEP_AFTER": "2",
            "FETCH__FRESH_FOR": "0.5",
            "FETCH__LEASE": "3",
            "NOTIFY__ALLOW_PRIVATE": "true",
            "NOTIFY__PER_MINUTE": "60000",
            "NOTIFY__TIMEOUT": "3",
            "NOTIFY__LEASE": "9",
            "METRICS__PORT": "0",
            "LOG__FORMAT": "json",
        } | self.settings
        base = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONUNBUFFERED": "1"}
        return base | {f"OVERHEARD_{key}": value for key, value in ours.items()}

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes] | Fork:
        """Start ``python -m …`` under a name; its output is added to ``<name>.log``."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = self._spawn(command, log)
        self.processes[name] = process
        return process

    def _spawn(self, command: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes] | Fork:
        environment, folder = self.environment, self.folder
        if self.fresh:
            return subprocess.Popen([*PYTHON, *command], env=environment, cwd=folder, stdout=log, stderr=log)
        return shared_forks().start(command, env=environment, cwd=folder, output=log)

    def actors(self, *stages: str, name: str | None = None) -> subprocess.Popen[bytes] | Fork:
        return self.start(name or "+".join(stages), "actors", *stages)

    def producer(self, which: str, name: str | None = None) -> subprocess.Popen[bytes] | Fork:
        return self.start(name or which, "producers", which)

    def everything(self) -> None:
        """Start tick, ingress, and one process for all stages."""
        self.producer("ingress")
        self.producer("tick")
        self.actors(*ALL_STAGES, name="actors")

    def kill9(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def terminate(self, name: str, seconds: float = PATIENCE) -> int:
        """Send SIGTERM and return the exit code."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(seconds)

    def workspace(
        self,
        slug: str = "acme",
        *,
        subreddits: tuple[str, ...] = ("python",),
        query: str | Mapping[str, str] = "needle",
        every: str = "2s",
        mode: str = "instant",
        url: str | None = None,
        pace: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """Save a workspace that sends to the farm's receiver; without a ``pace``, a message for each mention."""
        for name in subreddits:
            if name not in self.simulator.store.subreddits and name != "all":
                self.simulator.set_subreddit(name, "public")
        url = url or f"{self.sink.url}/{slug}"
        secret = self.secret if url.startswith("http") else None
        pace = {"max_per_hour": 0} if pace is None else pace
        queries = {"q": query} if isinstance(query, str) else query
        channel = ChannelSpec("hook", url, mode, secret, **pace)  # type: ignore[arg-type]
        spec = WorkspaceSpec(
            slug=slug,
            subreddits=subreddits,
            every=every,
            query=tuple(QuerySpec(name, text) for name, text in queries.items()),
            channel=(channel,),
            **more,
        )
        now = time.time()
        with self.db.session():
            workspace_specs.save(
                self.db,
                spec,
                now,
                following=lambda text, timezone: schedule.next_due(text, timezone, now),
                secret=lambda channel: channel.secret,
            )
            self.db.release()

    def spoil(self) -> None:
        """Make SQLite refuse the tick's heartbeat, so that a tick that gets this far dies."""
        when, then = "BEFORE INSERT ON beat WHEN NEW.name = 'tick'", "SELECT RAISE(ABORT, 'spoilt');"
        self._execute(f"CREATE TRIGGER spoilt {when} BEGIN {then} END")

    def repair(self) -> None:
        """Undo ``spoil``."""
        self._execute("DROP TRIGGER spoilt")

    def _execute(self, statement: str) -> None:
        with self.db.session():
            self.db.peewee.execute_sql(statement)
            self.db.release()

    def post(self, count: int, subreddit: str = "python", first: int = 0, author: str = "someone") -> set[str]:
        """Add posts that match the query, and return their fullnames."""
        return {
            self.simulator.add_post(subreddit, f"needle number {number}", "in the haystack", author)
            for number in range(first, first + count)
        }

    def tell(self, count: int, first: int = 0) -> set[str]:
        """Add stories to Hacker News that match the query, and return their numbers."""
        return {
            str(self.hackernews.add_story(f"needle number {number}", "in the haystack"))
            for number in range(first, first + count)
        }

    def received(self) -> list[str]:
        """Return the ids of all received items, in order, with signatures verified."""
        requests = self.sink.wait_for(0)
        unsigned = [f"{each.method} {each.path}" for each in requests if "webhook-id" not in each.headers]
        assert not unsigned, unsigned
        assert all(request.verified_by(self.secret) for request in requests)
        return [mention["item"] for request in requests for mention in mentions_in(request.json)]

    def wait_for_items(self, wanted: set[str], seconds: float = PATIENCE) -> list[str]:
        """Wait until all of ``wanted`` were received, and return everything received.

        ``seconds`` may pass without one of them: how long many take depends on the machine.
        """
        while missing := wanted - set(self.received()):
            self.wait(
                lambda missing=missing: not missing <= wanted - set(self.received()),  # type: ignore[misc]
                lambda missing=missing: f"{len(missing)} of {len(wanted)} items are missing; no other has come",  # type: ignore[misc]
                seconds,
            )
        return self.received()

    def scalar(self, query: Any) -> Any:
        """Run a query for one value, on a temporary connection."""
        with self.db.session():
            value = query.scalar(self.db.peewee)
            self.db.release()
        return value

    def wait(
        self,
        condition: Callable[[], object],
        what: Callable[[], str] = lambda: "the condition",
        seconds: float = PATIENCE,
    ) -> None:
        """Poll for a condition in other processes; fail early if one of them exits."""

        def holds() -> bool:
            if condition():
                return True
            ended = [name for name, process in self.processes.items() if process.poll() is not None]
            assert not ended, f"{ended[0]} has ended:\n{self.log(ended[0])[-3000:]}"
            return False

        try:
            wait_for(holds, "the condition", seconds)
        except TimeoutError:
            raise AssertionError(f"{what()} after {seconds} s\n{self.logs()}") from None

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def logs(self) -> str:
        """Return the last lines of all logs, for a failure message."""
        return "\n".join(f"== {path.name}\n{path.read_text()[-2500:]}" for path in sorted(self.folder.glob("*.log")))


def mentions_in(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the mentions in a webhook's body."""
    data = body["data"]
    return [data] if body["type"] == "mention.created" else data["mentions"]
