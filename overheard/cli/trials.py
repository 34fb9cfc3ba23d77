"""What ``overheard check`` tries. Each trial takes seconds at most, and changes nothing that anybody uses."""

from __future__ import annotations

import re
import shutil
import socket
import textwrap
import time
from pathlib import Path
from typing import Literal

import msgspec

from actors.wiring import limiter, reddit_budget, reddit_source
from overheard.bus import queues
from overheard.bus.amqp import BusRefused
from overheard.channels.registry import redact
from overheard.cli import processes
from overheard.cli.processes import Process
from overheard.cli.saving import ALL_IS_PARTIAL, INSTEAD_OF_ALL
from overheard.cli.times import span
from overheard.config import Config
from overheard.db import beats, migrate, sources, sqlite_file, workspaces
from overheard.db import instance as instances
from overheard.errors import ConfigError, InvalidInput, LoginRefused, Permanent, Postponed, TryAgain, Unavailable
from overheard.limits import Turn
from overheard.program import Program
from overheard.sources import Budget
from overheard.sources.reddit_items import SOURCE
from producers.alerts import alert_channel, said

PATIENCE = 5.0  # seconds
APART = 5.0  # seconds that two machines' clocks may differ
RELEASED = 1_767_225_600  # 2026-01-01: a clock before that is wrong
REFUSED = (
    "RabbitMQ runs: correct user, password and vhost in [bus] url, or give them to it "
    "(rabbitmqctl list_users, list_vhosts, change_password, set_permissions)"
)
VAR = Path("/var")  # where RabbitMQ and PostgreSQL have their data on Debian
LEAST_ROOM = 500_000_000  # bytes
NAMED = 5  # workspaces
SCARCE = 0.1  # of a file system


class Outcome(msgspec.Struct, frozen=True):
    """``ready``: what was tried can be used by the trials that follow."""

    sign: Literal["ok", "warning", "failed"]
    what: str
    hint: str | None = None
    ready: bool = False


def where(path: Path | None) -> str:
    """Which configuration it is."""
    if path is None and not Path("pipeline.toml").exists():
        return "the defaults, as there is no ./pipeline.toml"
    return str(path or "pipeline.toml")


def database(program: Program) -> Outcome:
    """Connect, and see whether it can be written to and is up to date."""
    url = program.config.database.url.get_secret_value()
    if program.config.database.embedded:
        if (obstacle := sqlite_file.obstacle(program.db.file)) is not None:
            return Outcome("failed", obstacle)
        if not program.db.file.exists():
            return Outcome(
                "ok", f"SQLite, {program.db.file}: not there yet; `overheard workspace add` or `run` makes it"
            )
    name = "SQLite" if program.config.database.embedded else "PostgreSQL"
    place = url.removeprefix("sqlite:///") if program.config.database.embedded else _server(url)
    try:
        with program.db.session(), program.db.transaction():
            pending = migrate.pending(program.db)
            if not pending:
                beats.beat(program.db, "check", program.clock())  # a full disk shows in what is written only
    except ConfigError as error:
        return Outcome("failed", f"{name}, {place}: {error}")
    except Unavailable as error:
        hint = (
            "is the file writable, and is there room?"
            if program.config.database.embedded
            else "start it, or mend [database] url"
        )
        return Outcome("failed", f"{name}, {place}: {error}", hint)
    if not pending:
        return Outcome("ok", f"{name}, {place}", ready=True)
    behind = f"{name}, {place}: {len(pending)} migration(s) behind"
    if program.config.database.embedded:
        return Outcome("ok", f"{behind}: `overheard migrate` or `overheard run` copies it and applies them")
    return Outcome("failed", behind, "run: overheard migrate")


def bus(config: Config) -> Outcome:
    """Connect to RabbitMQ and log in."""
    if config.bus.embedded:
        return Outcome("ok", "memory://, inside one process: for `overheard run`")
    try:
        found, _ = queues.look(config.bus.address)
    except ConfigError as error:
        return Outcome("failed", str(error))
    except BusRefused as error:
        return Outcome("failed", str(error), REFUSED)
    except Unavailable as error:
        return Outcome("failed", str(error), "start RabbitMQ (systemctl start rabbitmq-server), or mend [bus] url")
    place = _server(config.bus.address)
    busy = sum(1 for queue in found if queue.workers)
    return Outcome("ok", f"RabbitMQ, {place}; {busy} of {len(found)} queues have somebody who works on them")


def reddit(program: Program, *, budgeted: bool) -> Outcome:
    """Log in and read one post, within the shared budget (where there is no database yet, nobody shares it)."""
    config = program.config
    reddit = config.sources.reddit
    shorter = reddit.model_copy(update={"timeout": min(reddit.timeout, PATIENCE)})
    sources = config.sources.model_copy(update={"reddit": shorter})
    try:
        source = reddit_source(config.model_copy(update={"sources": sources}), program.metrics)
    except ConfigError as error:
        return Outcome("failed", error.problems[0], textwrap.dedent("\n".join(error.problems[1:])))
    try:
        if not budgeted:
            return Outcome("ok", source.verify(_Free()))
        with program.db.session():
            return Outcome("ok", source.verify(_turn(program)))
    except Postponed as wait:
        return Outcome("warning", f"not asked: the budget of requests is booked for the next {span(wait.delay)}")
    except LoginRefused as error:
        return Outcome("failed", str(error), "is the app still listed at https://www.reddit.com/prefs/apps?")
    except TryAgain as error:
        return Outcome("failed", str(error), "try again later; is the network there, and reddit_url right?")
    except Permanent as error:
        return Outcome("failed", str(error))
    finally:
        source.close()


def clients(config: Config) -> Outcome | None:
    """Return a warning when Reddit has more clients than are used; None when it has not."""
    reddit = config.sources.reddit
    if len(reddit.clients) < 2:
        return None
    what = f"of the {len(reddit.clients)} of Reddit, only the first is used yet: {reddit.client_in_use}"
    return Outcome("warning", what, "several at once are for a later version; the others do no harm")


def coverage(program: Program) -> Outcome | None:
    """Whether somebody watches all of Reddit, of which most is missed; None: nobody does."""
    try:
        with program.db.session():
            slugs = sources.followed_whole(program.db, SOURCE, NAMED + 1)
    except Unavailable:
        return None  # which `database` has just told of, or the next check will
    if not slugs:
        return None
    named = ", ".join(slugs[:NAMED]) + (" …" if len(slugs) > NAMED else "")
    return Outcome("warning", f"{ALL_IS_PARTIAL} ({named})", INSTEAD_OF_ALL)


def _turn(program: Program) -> Turn:
    key = reddit_budget(program.config)
    return Turn(limiter(program.config, program.db), key, wait=program.stop.wait, on_wait=lambda seconds: None)


class _Free:
    """A budget for somebody who is alone."""

    def take(self) -> None: ...

    def observe(self, remaining: float, reset: float) -> None: ...

    def block(self, seconds: float) -> None: ...


_: Budget = _Free()


def whose(program: Program, *, known: bool) -> str | None:
    """Which Overheard this is; None where the database, which knows it, does not answer."""
    if not known:
        return "" if program.config.database.embedded and not program.db.file.exists() else None
    try:
        with program.db.session():
            return instances.known(program.db)
    except Unavailable:
        return None


def metrics(config: Config, instance: str | None) -> Outcome:
    """Whether the port is free, or this Overheard's already."""
    host, port = config.metrics.host, config.metrics.port
    place = f"http://{host}:{port}/metrics"
    if port == 0:
        return Outcome("ok", f"any free port of {host}")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            probe.bind((host, port))
            probe.listen(1)
        return Outcome("ok", f"{place}: the port is free")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return _served(processes.ask(config.metrics), place, reason, instance)


def _served(process: Process | None, place: str, reason: str, instance: str | None) -> Outcome:
    another = "set [metrics] port, or host, to another"
    if process is None:
        return Outcome("failed", f"{place}: {reason}", another)
    if not process.belongs_to(instance):
        return Outcome("failed", f"{place} is served by another Overheard, on another database", another)
    if not process.instance or instance is None:
        return Outcome("warning", f"{place} is served by an Overheard that may be another", f"if it is: {another}")
    return Outcome("ok", f"{place} is served by this Overheard, which runs")


def alerts(config: Config) -> Outcome:
    """Whether the operator's channel can be used. Nothing is sent: `overheard alert test` does that."""
    url = config.alerts.url.get_secret_value()
    if not url:
        return Outcome("ok", "off: the operator is told nothing ([alerts] url)")
    try:
        alert_channel(config)
    except InvalidInput as error:
        return Outcome("failed", f"[alerts] {said(error)}")
    return Outcome("ok", f"{redact(url)} (not tried: overheard alert test)")


def limits(program: Program, *, known: bool) -> Outcome:
    """What one workspace may have, and which have more of it already."""
    rules = program.config.limits
    allowed = {part: int(getattr(rules, part)) for part in workspaces.BOUNDED}
    parts = ", ".join(f"{number:,} {part}" for part, number in allowed.items())
    what = f"for each workspace: {parts}, {rules.triggers_per_hour:,} triggers an hour"
    if not known:
        return Outcome("ok", what)
    try:
        with program.db.session():
            beyond = workspaces.beyond(program.db, allowed)
    except Unavailable as error:
        return Outcome("warning", f"{what}; workspaces not looked at: {error}")
    if not beyond:
        return Outcome("ok", what)
    named = ", ".join(f"{slug} has {number:,} {part}" for slug, part, number in beyond[:NAMED])
    more = f" and {len(beyond) - NAMED:,} more" if len(beyond) > NAMED else ""
    return Outcome("warning", f"{what}; {named}{more}", "all of it is kept; raise [limits], or make several of them")


def clock(program: Program, *, known: bool) -> Outcome:
    """Whether this machine's clock can be right, and is that of the database's machine."""
    now = time.time()
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < RELEASED:
        return Outcome("failed", f"{when}, which is past", "set it, or let NTP do it (timedatectl set-ntp true)")
    if not known or program.config.database.embedded:
        return Outcome("ok", when)
    try:
        with program.db.session():
            ahead = time.time() - program.db.clock()
    except Unavailable as error:
        return Outcome("failed", f"the database's cannot be asked: {error}")
    if abs(ahead) > APART:
        what = f"{when}, which is {span(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the database's"
        return Outcome("failed", what, "let NTP set both (timedatectl set-ntp true)")
    return Outcome("ok", f"{when}, as the database's")


def disk(config: Config) -> Outcome:
    """Whether there is room where data are kept on this machine."""
    folder = VAR
    if config.database.embedded:
        folder = Path(config.database.url.get_secret_value().removeprefix("sqlite:///")).absolute().parent
    while not folder.is_dir():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    room = f"{usage.free / 1e9:,.1f} GB free of {usage.total / 1e9:,.0f} GB in {folder}"
    if usage.free < LEAST_ROOM:
        return Outcome("failed", room, f"make room: RabbitMQ and databases stop below {LEAST_ROOM / 1e9:g} GB")
    if usage.free < SCARCE * usage.total:
        return Outcome("warning", room, "make room soon: du -xsh /var/* shows what takes it")
    return Outcome("ok", room)


def _server(url: str) -> str:
    """``host:port/name`` of a URL, without user and password."""
    return re.sub(r"^[a-z]+://(?:[^/]*@)?", "", url).partition("?")[0].removesuffix("/%2F")
