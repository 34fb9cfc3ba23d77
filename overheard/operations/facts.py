"""Facts about the running system: database, bus, processes and backups. ``problems.py`` interprets them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from overheard import supervisord
from overheard.bus.amqp import BusRefused
from overheard.bus.queue_depths import PublicQueueDepths, QueueDepth, QueueInspector
from overheard.db import instance
from overheard.errors import DatabaseMissing, Unavailable
from overheard.operations import processes
from overheard.operations.database_state import DatabaseState, database_state
from overheard.operations.processes import ProcessReport
from overheard.process import RunningProcess
from overheard.supervisord import SupervisedProcess

T = TypeVar("T")

RABBITMQ_ALARM = "RabbitMQ accepts no messages: it is out of memory or disk space (rabbitmq-diagnostics alarms)"
BUS_LOGIN_REMEDY = (
    "RabbitMQ is running: correct user, password and vhost in [bus] url, or create them in RabbitMQ "
    "(rabbitmqctl list_users, list_vhosts, change_password, set_permissions)"
)
# deploy/backup writes this file for the node exporter: its modification time is that of the last backup.
BACKUP_MARK = Path("/var/lib/prometheus/node-exporter/overheard.prom")


class SystemState(msgspec.Struct, frozen=True):
    """The state of the whole system at ``now``.

    - ``stored``: None if the database does not answer; ``database_fault`` then has the reason, and
      ``database_missing`` is True if it has not been created yet.
    - ``queues``, ``event_queues``: None without RabbitMQ, or with a ``bus_fault``. ``bus_refuses`` is True if RabbitMQ
      answers but rejects the login or the vhost.
    - ``processes``: None if their ports are unknown. ``foreign_ports`` are the ports in our range where processes of
      another Overheard answer.
    - ``supervised``: the processes of supervisord, on a server; None elsewhere, or with a ``supervisor_fault``.
    - ``backed_up``: the time of the last backup, or of setting backups up (Unix time); None without backups.
    """

    now: float
    stored: DatabaseState | None
    database_fault: str | None
    queues: list[QueueDepth] | None
    event_queues: PublicQueueDepths | None
    bus_fault: str | None
    processes: list[ProcessReport] | None
    foreign_ports: tuple[int, ...] = ()
    database_missing: bool = False
    bus_refuses: bool = False
    supervised: list[SupervisedProcess] | None = None
    supervisor_fault: str | None = None
    backed_up: float | None = None


class Observer:
    """Reads the system's state repeatedly over the same connections. Not thread-safe.

    ``server`` is the URL of this server's supervisord, None elsewhere; ``backup_mark`` is only read on a server.
    """

    def __init__(self, running: RunningProcess, *, server: str | None = None, backup_mark: Path = BACKUP_MARK) -> None:
        self.running = running
        self._server = server
        self._backup_mark = backup_mark
        self._ready = False
        self._instance: str | None = None
        self._bus = None if running.config.bus.embedded else QueueInspector(running.config.bus.address)

    def read(self) -> SystemState:
        """Read everything once. Raises ConfigError if the database's schema is of another version."""
        now = self.running.clock()  # needs no statement, so it works while the database is down
        stored, no_database = _attempt(self._database)
        if isinstance(no_database, DatabaseMissing):
            self._instance = ""
        bus, no_bus = _attempt(self._read_bus)
        queues, event_queues, alarm = bus or (None, None, None)
        supervised, no_supervisor = _attempt(self._read_supervisord)
        # After the database, whose id tells our processes from those of another Overheard.
        reports = processes.scan(self.running.config.metrics)
        own = None if reports is None else [process for process in reports if process.belongs_to(self._instance)]
        return SystemState(
            now,
            stored,
            _reason(no_database),
            queues,
            event_queues,
            alarm or _reason(no_bus),
            own,
            foreign_ports=tuple(process.port for process in reports or () if process not in (own or ())),
            database_missing=isinstance(no_database, DatabaseMissing),
            bus_refuses=isinstance(no_bus, BusRefused),
            supervised=supervised,
            supervisor_fault=_reason(no_supervisor),
            backed_up=self._last_backup(),
        )

    def close(self) -> None:
        if self._bus is not None:
            self._bus.close()
        self.running.db.release()

    def _database(self) -> DatabaseState:
        running = self.running
        if not self._ready:
            running.require_database()
            self._ready = True
        with running.db.session():
            self._instance = instance.stored_id(running.db)
            return database_state(running.db, running.config, running.clock())

    def _read_supervisord(self) -> list[SupervisedProcess] | None:
        return None if self._server is None else supervisord.processes(self._server)

    def _last_backup(self) -> float | None:
        if self._server is None or not self._backup_mark.exists():
            return None
        return self._backup_mark.stat().st_mtime

    def _read_bus(self) -> tuple[list[QueueDepth], PublicQueueDepths, str | None] | None:
        if self._bus is None:
            return None
        return *self._bus.inspect(), None if self._bus.takes_messages() else RABBITMQ_ALARM


def _attempt(read: Callable[[], T]) -> tuple[T | None, DatabaseMissing | Unavailable | None]:
    try:
        return read(), None
    except (DatabaseMissing, Unavailable) as error:
        return None, error


def _reason(error: DatabaseMissing | Unavailable | None) -> str | None:
    """Return what is wrong, without the remedy: ``problems.py`` has its own."""
    if isinstance(error, DatabaseMissing):
        return error.problems[0].partition("\n")[0]
    return None if error is None else str(error)
