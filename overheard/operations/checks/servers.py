"""Checks of the servers: database, bus, metrics port and alert channel. Each takes seconds at most."""

from __future__ import annotations

import re
import socket

from overheard.bus import queue_depths
from overheard.bus.amqp import BusRefused
from overheard.channels.redact import redact
from overheard.config import Config
from overheard.db import heartbeats, migrate, sqlite_file
from overheard.db import instance as instances
from overheard.db.database import Db
from overheard.errors import ConfigError, InvalidInput, Unavailable
from overheard.operations import processes
from overheard.operations.checks.outcome import CheckOutcome
from overheard.operations.facts import BUS_LOGIN_REMEDY
from overheard.operations.operator_alert import alert_channel, alert_error
from overheard.operations.processes import ProcessReport
from overheard.process import RunningProcess


def database(running: RunningProcess) -> CheckOutcome:
    """Connect to the database; check that it is writable and up to date."""
    db, embedded = running.db, running.config.database.embedded
    if embedded and (obstacle := sqlite_file.obstacle(db.file)) is not None:
        return CheckOutcome("failed", obstacle)
    # Connecting would create the file, and a check creates nothing.
    if embedded and not db.file.exists():
        return CheckOutcome("ok", f"SQLite, {db.file}: not created yet; `overheard workspace add` or `run` creates it")
    url = running.config.database.url.get_secret_value()
    name = f"SQLite, {url.removeprefix('sqlite:///')}" if embedded else f"PostgreSQL, {_server(url)}"
    try:
        with db.session(), db.transaction():
            pending = migrate.pending(db)
            if not pending:
                heartbeats.record(db, "check", running.clock())  # only a write notices a full disk
    except ConfigError as error:
        return CheckOutcome("failed", f"{name}: {error}")
    except Unavailable as error:
        remedy = (
            "check that the file is writable and the disk is not full"
            if embedded
            else "start it, or fix [database] url"
        )
        return CheckOutcome("failed", f"{name}: {error}", remedy)
    if not pending:
        return CheckOutcome("ok", name, ready=True)
    behind = f"{name}: {len(pending)} migration(s) behind"
    if embedded:
        return CheckOutcome("ok", f"{behind}: `overheard migrate` or `overheard run` copies the file and applies them")
    return CheckOutcome("failed", behind, "run: overheard migrate")


def bus(config: Config) -> CheckOutcome:
    """Connect to RabbitMQ and log in."""
    if config.bus.embedded:
        return CheckOutcome("ok", "memory://, inside one process (overheard run)")
    try:
        queues, _ = queue_depths.inspect(config.bus.address)
    except ConfigError as error:
        return CheckOutcome("failed", str(error))
    except BusRefused as error:
        return CheckOutcome("failed", str(error), BUS_LOGIN_REMEDY)
    except Unavailable as error:
        return CheckOutcome("failed", str(error), "start RabbitMQ (systemctl start rabbitmq-server), or fix [bus] url")
    place = _server(config.bus.address)
    consumed = sum(1 for queue in queues if queue.workers)
    return CheckOutcome("ok", f"RabbitMQ, {place}; {consumed} of {len(queues)} queues have workers")


def metrics(running: RunningProcess, db: Db | None) -> CheckOutcome:
    """Check that the metrics port is free, or already served by this Overheard."""
    settings = running.config.metrics
    host, port = settings.host, settings.port
    place = f"http://{host}:{port}/metrics"
    if port == 0:
        return CheckOutcome("ok", f"any free port of {host}")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            # As the metrics server does: otherwise a port just closed would look taken.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
        return CheckOutcome("ok", f"{place}: the port is free")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return _served(processes.probe(settings), f"{place}: {reason}", place, _instance(running, db))


def _instance(running: RunningProcess, db: Db | None) -> str | None:
    """Return the id of this installation; None if the database, which has it, does not answer."""
    if db is not None:
        return instances.stored_id(db)
    # Without a file there is no installation yet, so an Overheard that answers is another one.
    return "" if running.config.database.embedded and not running.db.file.exists() else None


def _served(process: ProcessReport | None, taken: str, place: str, instance: str | None) -> CheckOutcome:
    remedy = "set a different [metrics] port or host"
    if process is None:
        return CheckOutcome("failed", taken, remedy)
    if not process.belongs_to(instance):
        return CheckOutcome("failed", f"{place} is served by another Overheard, on another database", remedy)
    if not process.instance or instance is None:
        return CheckOutcome(
            "warning", f"{place} is served by an Overheard, possibly another one", f"if it is another: {remedy}"
        )
    return CheckOutcome("ok", f"{place} is served by this Overheard, which is running")


def alerts(running: RunningProcess, db: Db | None) -> CheckOutcome:
    """Check that the alert channel can be opened. Nothing is sent: `overheard alert test` does that."""
    url = running.config.alerts.url.get_secret_value()
    if not url:
        return CheckOutcome("ok", "off: no alerts are sent ([alerts] url is empty)")
    try:
        alert_channel(running.config)
    except InvalidInput as error:
        return CheckOutcome("failed", f"[alerts] {alert_error(error)}")
    return CheckOutcome("ok", f"{redact(url)} (not tried; to send one: overheard alert test)")


def _server(url: str) -> str:
    """Return ``host:port/name`` of a URL, without user and password."""
    # %2F is RabbitMQ's default vhost, which tells a reader nothing.
    return re.sub(r"^[a-z]+://(?:[^/]*@)?", "", url).partition("?")[0].removesuffix("/%2F")
