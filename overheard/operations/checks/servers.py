"""Checks of servers, ours and others': each is connected to, for seconds at most."""

from __future__ import annotations

import re
import socket
import textwrap
from collections.abc import Callable

from overheard.bus import queue_depths
from overheard.bus.amqp import BusRefused
from overheard.channels.redact import redact
from overheard.config import Config
from overheard.db import heartbeats, migrate, refreshes, sqlite_file
from overheard.db import instance as instances
from overheard.db.database import Db
from overheard.errors import (
    BudgetExhausted,
    ConfigError,
    InvalidInput,
    LoginRefused,
    PermanentError,
    RetryableError,
    Unavailable,
)
from overheard.operations import processes
from overheard.operations.checks.outcome import CheckOutcome
from overheard.operations.facts import BUS_REFUSES
from overheard.operations.operator_alert import alert_channel, said
from overheard.operations.processes import Process
from overheard.operations.wording import span
from overheard.permits import UnlimitedPermit
from overheard.process import RunningProcess
from overheard.sources import RequestTokens
from overheard.sources.reddit.names import SOURCE, budget_key
from overheard.sources.reddit.source import open_source

REDDIT_TIMEOUT_SECONDS = 5.0

OpenBudget = Callable[[str], RequestTokens]  # by its key


def database(program: RunningProcess) -> CheckOutcome:
    """Connect, and check that it can be written to and is up to date."""
    db, embedded = program.db, program.config.database.embedded
    if embedded and (obstacle := sqlite_file.obstacle(db.file)) is not None:
        return CheckOutcome("failed", obstacle)
    if embedded and not db.file.exists():
        return CheckOutcome("ok", f"SQLite, {db.file}: not there yet; `overheard workspace add` or `run` makes it")
    url = program.config.database.url.get_secret_value()
    name = f"SQLite, {url.removeprefix('sqlite:///')}" if embedded else f"PostgreSQL, {_server(url)}"
    try:
        with db.session(), db.transaction():
            pending = migrate.pending(db)
            if not pending:
                heartbeats.record(db, "check", program.clock())  # a full disk shows in what is written only
    except ConfigError as error:
        return CheckOutcome("failed", f"{name}: {error}")
    except Unavailable as error:
        remedy = "is the file writable, and is there room?" if embedded else "start it, or mend [database] url"
        return CheckOutcome("failed", f"{name}: {error}", remedy)
    if not pending:
        return CheckOutcome("ok", name, ready=True)
    behind = f"{name}: {len(pending)} migration(s) behind"
    if embedded:
        return CheckOutcome("ok", f"{behind}: `overheard migrate` or `overheard run` copies it and applies them")
    return CheckOutcome("failed", behind, "run: overheard migrate")


def bus(config: Config) -> CheckOutcome:
    """Connect to RabbitMQ and log in."""
    if config.bus.embedded:
        return CheckOutcome("ok", "memory://, inside one process: for `overheard run`")
    try:
        found, _ = queue_depths.inspect(config.bus.address)
    except ConfigError as error:
        return CheckOutcome("failed", str(error))
    except BusRefused as error:
        return CheckOutcome("failed", str(error), BUS_REFUSES)
    except Unavailable as error:
        return CheckOutcome("failed", str(error), "start RabbitMQ (systemctl start rabbitmq-server), or mend [bus] url")
    place = _server(config.bus.address)
    busy = sum(1 for queue in found if queue.workers)
    return CheckOutcome("ok", f"RabbitMQ, {place}; {busy} of {len(found)} queues have somebody who works on them")


def reddit(program: RunningProcess, open_budget: OpenBudget | None) -> CheckOutcome:
    """Log in and read one post, within the shared budget; without a database there are no others to share it with."""
    config = program.config
    rules = config.sources.reddit
    shorter = rules.model_copy(update={"timeout": min(rules.timeout, REDDIT_TIMEOUT_SECONDS)})
    places = config.sources.model_copy(update={"reddit": shorter})
    try:
        source = open_source(config.model_copy(update={"sources": places}), program.metrics, program.clock)
    except ConfigError as error:
        needed = open_budget is None or _needed(program)
        return CheckOutcome(
            "failed" if needed else "warning", error.problems[0], textwrap.dedent("\n".join(error.problems[1:]))
        )
    try:
        if open_budget is None:
            return CheckOutcome("ok", source.check_login(UnlimitedPermit()))
        with program.db.session():
            return CheckOutcome("ok", source.check_login(open_budget(budget_key(rules.client_in_use))))
    except BudgetExhausted as wait:
        return CheckOutcome("warning", f"not asked: the budget of requests is booked for the next {span(wait.delay)}")
    except LoginRefused as error:
        return CheckOutcome("failed", str(error), "is the app still listed at https://www.reddit.com/prefs/apps?")
    except RetryableError as error:
        return CheckOutcome("failed", str(error), "try again later; is the network there, and reddit_url right?")
    except PermanentError as error:
        return CheckOutcome("failed", str(error))
    finally:
        source.close()


def clients(program: RunningProcess, db: Db | None) -> CheckOutcome | None:
    """Warn where Reddit has more clients than are used; None where it has not."""
    reddit = program.config.sources.reddit
    if len(reddit.clients) < 2:
        return None
    what = f"of the {len(reddit.clients)} of Reddit, only the first is used yet: {reddit.client_in_use}"
    return CheckOutcome("warning", what, "several at once are for a later version; the others do no harm")


def _needed(program: RunningProcess) -> bool:
    """Return whether Reddit is watched, or nothing is yet: a source that nobody watches may be left unconfigured."""
    with program.db.session():
        watched = refreshes.watched_sources(program.db)
    return not watched or SOURCE in watched


def metrics(program: RunningProcess, db: Db | None) -> CheckOutcome:
    """Check that the port is free, or this Overheard's already."""
    rules = program.config.metrics
    host, port = rules.host, rules.port
    place = f"http://{host}:{port}/metrics"
    if port == 0:
        return CheckOutcome("ok", f"any free port of {host}")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            probe.bind((host, port))
            probe.listen(1)
        return CheckOutcome("ok", f"{place}: the port is free")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return _served(processes.ask(rules), f"{place}: {reason}", place, _instance(program, db))


def _instance(program: RunningProcess, db: Db | None) -> str | None:
    """Return which Overheard this is; None where the database, which knows it, does not answer."""
    if db is not None:
        return instances.stored_id(db)
    return "" if program.config.database.embedded and not program.db.file.exists() else None


def _served(process: Process | None, taken: str, place: str, instance: str | None) -> CheckOutcome:
    another = "set [metrics] port, or host, to another"
    if process is None:
        return CheckOutcome("failed", taken, another)
    if not process.belongs_to(instance):
        return CheckOutcome("failed", f"{place} is served by another Overheard, on another database", another)
    if not process.instance or instance is None:
        return CheckOutcome("warning", f"{place} is served by an Overheard that may be another", f"if it is: {another}")
    return CheckOutcome("ok", f"{place} is served by this Overheard, which runs")


def alerts(program: RunningProcess, db: Db | None) -> CheckOutcome:
    """Check that the operator's channel can be used. Nothing is sent: `overheard alert test` does that."""
    url = program.config.alerts.url.get_secret_value()
    if not url:
        return CheckOutcome("ok", "off: the operator is told nothing ([alerts] url)")
    try:
        alert_channel(program.config)
    except InvalidInput as error:
        return CheckOutcome("failed", f"[alerts] {said(error)}")
    return CheckOutcome("ok", f"{redact(url)} (not tried: overheard alert test)")


def _server(url: str) -> str:
    """Return ``host:port/name`` of a URL, without user and password."""
    return re.sub(r"^[a-z]+://(?:[^/]*@)?", "", url).partition("?")[0].removesuffix("/%2F")
