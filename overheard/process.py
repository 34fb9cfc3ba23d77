"""The frame of every process: configuration, logs, database, metrics, signals, exit codes."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TextIO

import msgspec
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from overheard import __version__
from overheard.bus.dead_letters import DeadLetterRecord, redacted_body
from overheard.config import Config
from overheard.config.loading import load
from overheard.db import dead_letters, incidents, instance, migrate, sqlite_file
from overheard.db.database import Db, open_database
from overheard.errors import ConfigError, DatabaseMissing, Unavailable
from overheard.observability import log as logs
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.observability.metrics_server import MetricsServer

log = get_logger(__name__)

REASON_MAX_CHARS = 300
DATABASE_RETRY_SECONDS = 2.0  # between two checks whether the database answers
M_ARENA_MAX = -8  # in malloc.h

NO_DATABASE = "there is no database yet: {}"
NO_DATABASE_REMEDY = (
    "`overheard workspace add`, `import` or `run` creates it; if you already have one, check [database] url"
)


class DatabaseWatch:
    """Checks whether the database answers, on a thread and connection that no work can hold up.

    Each check also reads the database's clock again (``Db.clock``), for all threads. ``problem`` is None or the reason.
    """

    def __init__(self, db: Db) -> None:
        self._db = db
        self.problem: str | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Check in the background during the block. SQLite needs no check: a file is there or not at each use."""
        ended = threading.Event()
        if not self._db.sqlite:
            threading.Thread(target=self._run, args=(ended,), name="database watch", daemon=True).start()
        try:
            yield
        finally:
            ended.set()

    def _run(self, ended: threading.Event) -> None:
        try:
            while not ended.wait(DATABASE_RETRY_SECONDS):
                self._check()
        finally:
            self._db.release()

    def _check(self) -> None:
        try:
            self._db.ping()
        except (Unavailable, ConfigError) as error:
            if self.problem != str(error):  # log again if the reason changes: a lost connection, then a refused login
                log.warning("the database cannot be used", reason=str(error))
            self.problem = str(error)
        else:
            if self.problem is not None:
                log.info("the database can be used again")
            self.problem = None


class RunningProcess:
    """The parts that stages, producers and commands share. ``stop`` is set when the process has to end."""

    def __init__(self, config: Config, *, stop: threading.Event | None = None) -> None:
        self.config = config
        self.stop = stop if stop is not None else threading.Event()
        self.registry = CollectorRegistry()
        self.metrics = ProcessMetrics(self.registry)
        self.db: Db = open_database(config.database.url.get_secret_value())
        self.clock = self.db.clock
        self.instance = ""
        self._database = DatabaseWatch(self.db)

    def unavailable_reason(self) -> str | None:
        """Return why the process cannot work, by the last check of the database; None if it can."""
        return self._database.problem

    def ready_database(self) -> None:
        """Migrate SQLite; require that the operator has migrated PostgreSQL. Raises ConfigError.

        For long-running processes. From here on /metrics and /healthz name the instance.
        """
        self.require_usable_file()
        if self.config.database.embedded:
            migrate.migrate(self.db)
        else:
            migrate.require_current(self.db)
        with self.db.session():
            self.instance = instance.ensure_id(self.db)

    def require_database(self, *, create: bool = False) -> None:
        """Require a migrated database; with ``create``, create a missing SQLite file. For commands. Raises ConfigError.

        Raises DatabaseMissing if there is none: opening it would create an empty one in the current folder.
        """
        self.require_usable_file()
        if self.config.database.embedded and not self._has_database():
            if not create:
                raise DatabaseMissing([f"{NO_DATABASE.format(self.db.file.absolute())}\n{NO_DATABASE_REMEDY}"])
            migrate.migrate(self.db)
        migrate.require_current(self.db)

    def require_usable_file(self) -> None:
        """Raise ConfigError with the remedy if SQLite cannot use its file."""
        obstacle = sqlite_file.obstacle(self.db.file) if self.config.database.embedded else None
        if obstacle is not None:
            raise ConfigError([f"[database] url: {obstacle}"])

    def _has_database(self) -> bool:
        if not self.db.file.exists():
            return False
        with self.db.session():
            return not migrate.is_empty(self.db)

    def await_database(self) -> bool:
        """Wait until ``ready_database`` succeeds; return False if the process is stopped first.

        A supervised process waits rather than exits: the supervisor would only restart it again and again.
        """
        while True:
            try:
                self.ready_database()
                self._database.problem = None
                return True
            except Unavailable as error:
                self._database.problem = str(error)
                log.warning("waiting for the database", reason=str(error))
            if self.stop.wait(DATABASE_RETRY_SECONDS):
                return False

    def record_dead(self, records: Sequence[DeadLetterRecord]) -> None:
        """Record messages that failed here and rejected public events: all of them, or none."""
        with self.db.session(), self.db.transaction():
            for record in records:
                dead_letters.record(self.db, **msgspec.structs.asdict(self._new_dead_letter(record)))

    def record_collected(self, records: Sequence[DeadLetterRecord]) -> None:
        """Record dead letters collected from the bus: all of them, or none."""
        with self.db.session(), self.db.transaction():
            dead_letters.record_found(self.db, [self._new_dead_letter(record) for record in records])

    def _new_dead_letter(self, record: DeadLetterRecord) -> dead_letters.NewDeadLetter:
        return dead_letters.NewDeadLetter(
            message_id=record.message_id,
            stage=record.stage,
            origin=record.origin,
            reason=record.reason,
            traceback=record.traceback or None,
            body=redacted_body(record).decode("utf-8", "backslashreplace"),
            now=self.clock(),
            routing_key=record.routing_key,
        )

    @contextmanager
    def exposed(self, port_offset: int, problems: Callable[[], list[str]]) -> Iterator[int]:
        """Serve /metrics and /healthz during the block, on [metrics] port + ``port_offset`` (port 0: any free one).

        Also run the check of the database behind ``unavailable_reason``, which /healthz reports first.
        """
        # _created series, one for each of ours, would double their number and serve no query.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        # Only here, not with our own metrics: a command that serves no page does not need them.
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        server = MetricsServer(
            self.registry,
            lambda: list(dict.fromkeys([*filter(None, [self.unavailable_reason()]), *problems()])),
            instance=lambda: self.instance,
        )
        base = self.config.metrics.port
        port = server.start(self.config.metrics.host, base + port_offset if base else 0)
        try:
            with self._database.running():
                yield port
        finally:
            server.stop()

    def gave_up(self, name: str, error: BaseException | None = None) -> None:
        """Log and record as an incident that the process ``name`` ends by itself, for a supervisor to restart it.

        The first line of the error's text is logged, too: no item passes through a process's main.
        """
        lines = str(error).strip().splitlines() if error is not None else []
        fields = {"reason": lines[0][:REASON_MAX_CHARS]} if lines else {}
        log.critical("exiting for restart", process=name, exc_info=error, **fields)
        try:
            with self.db.session():
                incidents.record(self.db, "process gave up", name, self.clock())
        except Exception as error:
            log.warning("incident not recorded", process=name, exc_info=error)

    def stop_on_signals(self) -> None:
        """Set ``stop`` at the first SIGTERM or SIGINT; exit at once at the second."""
        # A thread of its own sets it: the handler runs in the main thread, which may hold the event's lock in ``wait``.
        # Putting into a SimpleQueue is all that may be done there.
        signals: SimpleQueue[int] = SimpleQueue()
        stopping = False

        def stop_at_signal() -> None:
            signals.get()
            self.stop.set()

        def on_signal(number: int, frame: object) -> None:
            nonlocal stopping
            if stopping or self.stop.is_set():
                sys.exit(128 + number)
            stopping = True
            signals.put(number)

        threading.Thread(target=stop_at_signal, name="signals", daemon=True).start()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, on_signal)


def start(
    path: Path | None, environ: Mapping[str, str], *, stream: TextIO | None = None, level: str | None = None
) -> RunningProcess:
    """Load the configuration and set up the logs, which go to ``stream`` (stderr). Raises ConfigError.

    ``level``: another one than that of the configuration.
    """
    config = load(path, environ)
    logs.configure(level or config.log.level, style=config.log.format, stream=stream)
    for line in config.deprecated:
        log.warning("deprecated setting", reason=line)
    return RunningProcess(config)


def exit_code(run: Callable[[], int]) -> int:
    """Run a command; print errors that an operator can fix, and return 2 (configuration) or 1 (a server)."""
    try:
        return run()
    except (ConfigError, Unavailable) as error:
        _print_problems(error)
        return _exit_code(error)


def share_arena() -> None:
    """Let all threads that start from now on allocate memory from one arena, where the C library is glibc.

    By default each thread has one of its own, and what is freed in one is of no use to the others. That is for threads
    that allocate at the same time, which Python's do not.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)


def main(name: str, begin: Callable[[], RunningProcess], run: Callable[[RunningProcess], int]) -> int:
    """Run a long-running process; return its exit code. Once the configuration is loaded, all output is log lines.

    1. begin: print the problems of the configuration, and return 2;
    2. run: errors that an operator can fix return 2 (configuration) or 1 (a server);
    3. any other error is a bug: 1, for a supervisor to restart the process.
    """
    share_arena()
    try:
        running = begin()
    except ConfigError as error:
        _print_problems(error)
        return _exit_code(error)
    logs.log_uncaught()
    log.info("process started", process=name, pid=os.getpid(), version=__version__)
    code = 1
    try:
        code = run(running)
    except (ConfigError, Unavailable) as error:
        code = _exit_code(error)
        if logs.is_text(running.config.log.format):
            _print_problems(error)
        else:
            log.critical("giving up", process=name, exc_info=error)
    except Exception as error:  # noqa: BLE001 (the last place that can report it)
        running.gave_up(name, error)
    log.info("process ended", process=name, code=code)
    return code


def _print_problems(error: ConfigError | Unavailable) -> None:
    for problem in error.problems if isinstance(error, ConfigError) else [str(error)]:
        print(f"overheard: {problem}", file=sys.stderr)  # noqa: T201


def _exit_code(error: ConfigError | Unavailable) -> int:
    return 2 if isinstance(error, ConfigError) else 1
