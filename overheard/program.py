"""What every process of ours begins and ends with: configuration, logs, database, metrics, signals."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from overheard import log
from overheard.bus.dead import DeadLetter
from overheard.clock import system_clock
from overheard.config import Config, load
from overheard.db import dead_letters, migrate
from overheard.db.connect import Db, open_database
from overheard.errors import ConfigError, Unavailable
from overheard.exposition import Exposition
from overheard.metrics import Metrics

LOOK_AGAIN = 2.0  # seconds between two looks at whether the database is there


class Program:
    """The parts that stages, producers and the command line share. ``stop`` is set when the process is to end."""

    def __init__(self, config: Config, *, stop: threading.Event | None = None) -> None:
        self.config = config
        self.stop = stop if stop is not None else threading.Event()
        self.clock = system_clock
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.db: Db = open_database(config.database.url.get_secret_value())

    def ready_database(self) -> None:
        """SQLite migrates itself; PostgreSQL is migrated by the operator, and must be current."""
        if self.config.database.embedded:
            migrate.migrate(self.db)
        else:
            migrate.require_current(self.db)

    def await_database(self) -> bool:
        """As ``ready_database``, but a server that is away is waited for. False: told to stop meanwhile.

        For processes that nobody sits before: ending would only have a supervisor start them again and again.
        """
        while True:
            try:
                self.ready_database()
                return True
            except Unavailable as error:
                log.get_logger(__name__).warning("waiting for the database", reason=str(error))
            if self.stop.wait(LOOK_AGAIN):
                return False

    def record_dead(self, letter: DeadLetter) -> None:
        """Keep a dead letter in the database."""
        with self.db.session():
            dead_letters.record(
                self.db,
                message_id=letter.message_id,
                stage=letter.stage,
                origin=letter.origin,
                reason=letter.reason,
                traceback=letter.traceback or None,
                body=letter.body.decode("utf-8", "backslashreplace"),
                now=self.clock(),
            )

    @contextmanager
    def exposed(self, port_offset: int, problems: Callable[[], list[str]]) -> Iterator[int]:
        """Serve /metrics and /healthz meanwhile, on [metrics] port + ``port_offset`` (port 0: any free one)."""
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        server = Exposition(self.registry, problems)
        base = self.config.metrics.port
        port = server.start(self.config.metrics.host, base + port_offset if base else 0)
        try:
            yield port
        finally:
            server.stop()

    def stop_on_signals(self) -> None:
        """SIGTERM and SIGINT ask for a graceful end; a second one ends at once."""

        def on_signal(number: int, frame: object) -> None:
            if self.stop.is_set():
                sys.exit(128 + number)
            self.stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, on_signal)


def start(path: Path | None, environ: Mapping[str, str]) -> Program:
    """A program with its configuration loaded and its logs set up. Raises ConfigError."""
    config = load(path, environ)
    log.configure(config.log.level, style=config.log.format)
    return Program(config)


def exit_code(run: Callable[[], int]) -> int:
    """Run a process's main; faults that an operator can mend are told in plain words (exit 2, or 1 for a server)."""
    try:
        return run()
    except ConfigError as error:
        for problem in error.problems:
            print(f"overheard: {problem}", file=sys.stderr)  # noqa: T201
        return 2
    except Unavailable as error:
        print(f"overheard: {error}", file=sys.stderr)  # noqa: T201
        return 1
