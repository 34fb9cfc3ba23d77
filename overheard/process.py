"""What every process of ours begins and ends with: configuration, logs, database, metrics, signals."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

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

REASON_MAX_CHARS = 300  # characters
DATABASE_RETRY_SECONDS = 2.0  # seconds between two looks at whether the database is there


NO_DATABASE = (
    "there is no database yet: {}\n"
    "`overheard workspace add`, `import` or `run` makes it; or is it elsewhere? See [database] url"
)


class DatabaseWatch:
    """Whether the database answers, found out on a connection and a thread of its own, which is never busy.

    Each look also reads the database's clock anew (``Db.clock``), for all threads.
    """

    def __init__(self, db: Db) -> None:
        self._db = db
        self.problem: str | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Look meanwhile. SQLite is a file, which is there or not at each use."""
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
                self._look()
        finally:
            self._db.release()

    def _look(self) -> None:
        try:
            self._db.ping()
        except (Unavailable, ConfigError) as error:
            if self.problem != str(error):  # a connection that was cut, then a login that is refused
                log.warning("the database cannot be used", reason=str(error))
            self.problem = str(error)
        else:
            if self.problem is not None:
                log.info("the database can be used again")
            self.problem = None


class RunningProcess:
    """The parts that stages, producers and the command line share. ``stop`` is set when the process is to end."""

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
        """What keeps the process from its work, as found out a moment ago: a database that does not answer."""
        return self._database.problem

    def ready_database(self) -> None:
        """SQLite migrates itself; PostgreSQL is migrated by the operator, and must be current. Raises ConfigError.

        Processes that stay begin with it; from here on their pages say whose they are.
        """
        self.require_usable_file()
        if self.config.database.embedded:
            migrate.migrate(self.db)
        else:
            migrate.require_current(self.db)
        with self.db.session():
            self.instance = instance.ensure_id(self.db)

    def require_database(self, *, create: bool = False) -> None:
        """What commands begin with: nothing is migrated, and made only with ``create``. Raises ConfigError.

        Raises DatabaseMissing where there is none yet: to look at it would make a new one, in whatever folder we are.
        """
        self.require_usable_file()
        if self.config.database.embedded and not self._has_database():
            if not create:
                raise DatabaseMissing([NO_DATABASE.format(self.db.file.absolute())])
            migrate.migrate(self.db)
        migrate.require_current(self.db)

    def require_usable_file(self) -> None:
        """Raise ConfigError with the remedy when SQLite cannot use its file."""
        obstacle = sqlite_file.obstacle(self.db.file) if self.config.database.embedded else None
        if obstacle is not None:
            raise ConfigError([f"[database] url: {obstacle}"])

    def _has_database(self) -> bool:
        if not self.db.file.exists():
            return False
        with self.db.session():
            return not migrate.is_empty(self.db)

    def await_database(self) -> bool:
        """As ``ready_database``, but a server that is away is waited for. False: told to stop meanwhile.

        For processes that nobody sits before: ending would only have a supervisor start them again and again.
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

    def record_dead(self, letters: Sequence[DeadLetterRecord]) -> None:
        """Keep messages that died here, or public events that were refused, or none of them."""
        with self.db.session(), self.db.transaction():
            for letter in letters:
                dead_letters.record(self.db, **msgspec.structs.asdict(self._kept(letter)))

    def record_collected(self, letters: Sequence[DeadLetterRecord]) -> None:
        """Keep dead letters that were found on the bus, or none of them."""
        with self.db.session(), self.db.transaction():
            dead_letters.record_found(self.db, [self._kept(letter) for letter in letters])

    def _kept(self, letter: DeadLetterRecord) -> dead_letters.NewDeadLetter:
        return dead_letters.NewDeadLetter(
            message_id=letter.message_id,
            stage=letter.stage,
            origin=letter.origin,
            reason=letter.reason,
            traceback=letter.traceback or None,
            body=redacted_body(letter).decode("utf-8", "backslashreplace"),
            now=self.clock(),
            routing_key=letter.routing_key,
        )

    @contextmanager
    def exposed(self, port_offset: int, problems: Callable[[], list[str]]) -> Iterator[int]:
        """Serve /metrics and /healthz meanwhile, on [metrics] port + ``port_offset`` (port 0: any free one).

        From then on it is known whether the database answers (``unavailable_reason``), which /healthz tells first.
        """
        disable_created_metrics()  # type: ignore[no-untyped-call]  # when each series began: as many series again, which nobody asks for
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
        """Tell that the process ``name`` ends without having been asked to, to be started anew.

        The error's own words are told too, as far as one line goes: no item passes through a process's main.
        """
        said = str(error).strip().splitlines()[:1] if error is not None else []
        told = {"reason": said[0][:REASON_MAX_CHARS]} if said else {}
        log.critical("giving up, to be restarted", process=name, exc_info=error, **told)
        try:
            with self.db.session():
                incidents.record(self.db, "process gave up", name, self.clock())
        except Exception as error:
            log.warning("the operator will not be told", process=name, exc_info=error)

    def stop_on_signals(self) -> None:
        """SIGTERM and SIGINT ask for a graceful end; a second one ends at once."""

        def on_signal(number: int, frame: object) -> None:
            if self.stop.is_set():
                sys.exit(128 + number)
            self.stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, on_signal)


def start(path: Path | None, environ: Mapping[str, str]) -> RunningProcess:
    """A program with its configuration loaded and its logs set up. Raises ConfigError."""
    config = load(path, environ)
    logs.configure(config.log.level, style=config.log.format)
    for line in config.deprecated:
        log.warning("deprecated setting", reason=line)
    return RunningProcess(config)


def exit_code(run: Callable[[], int]) -> int:
    """Run a command's main; faults that an operator can mend are told in plain words (exit 2, or 1 for a server)."""
    try:
        return run()
    except (ConfigError, Unavailable) as error:
        _complain(error)
        return _code(error)


def main(name: str, begin: Callable[[], RunningProcess], run: Callable[[RunningProcess], int]) -> int:
    """Run a process that is to stay; its exit code. From the configuration on, all it says is lines of the log.

    1. begin: what is wrong with the configuration is told in plain words;
    2. run: faults that an operator can mend end it with 2 (configuration) or 1 (a server);
    3. whatever else ends it is a fault of ours: 1, to be started anew.
    """
    try:
        running = begin()
    except ConfigError as error:
        _complain(error)
        return _code(error)
    logs.log_uncaught()
    log.info("process started", process=name, pid=os.getpid(), version=__version__)
    code = 1
    try:
        code = run(running)
    except (ConfigError, Unavailable) as error:
        code = _code(error)
        if logs.is_text(running.config.log.format):
            _complain(error)
        else:
            log.critical("giving up", process=name, exc_info=error)
    except Exception as error:  # noqa: BLE001 (the last one who can tell of it)
        running.gave_up(name, error)
    log.info("process ended", process=name, code=code)
    return code


def _complain(error: ConfigError | Unavailable) -> None:
    for problem in error.problems if isinstance(error, ConfigError) else [str(error)]:
        print(f"overheard: {problem}", file=sys.stderr)  # noqa: T201


def _code(error: ConfigError | Unavailable) -> int:
    return 2 if isinstance(error, ConfigError) else 1
