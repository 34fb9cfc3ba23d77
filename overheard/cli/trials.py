"""What ``overheard check`` tries. Each trial takes seconds at most, and changes nothing that anybody uses."""

from __future__ import annotations

import os
import re
import shutil
import socket
import textwrap
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Literal

import msgspec

from actors.wiring import limiter, reddit_budget, reddit_source
from overheard.bus import queues
from overheard.channels.registry import redact
from overheard.cli.saving import ALL_IS_PARTIAL, INSTEAD_OF_ALL
from overheard.cli.times import span
from overheard.config import Config
from overheard.db import beats, migrate, sources
from overheard.db.specs import SOURCE
from overheard.errors import ConfigError, InvalidInput, LoginRefused, Permanent, Postponed, TryAgain, Unavailable
from overheard.limits import Turn
from overheard.program import Program
from overheard.sources import Budget
from producers.alerts import alert_channel, said

PATIENCE = 5.0  # seconds
APART = 5.0  # seconds that two machines' clocks may differ
RELEASED = 1_767_225_600  # 2026-01-01: a clock before that is wrong
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
    if program.config.database.embedded and not (file := Path(url.removeprefix("sqlite:///"))).exists():
        return _not_there(file)
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
        return Outcome("ok", f"{behind}; the next start applies them")
    return Outcome("failed", behind, "run: overheard migrate")


def _not_there(file: Path) -> Outcome:
    folder = file.absolute().parent
    if folder.is_dir() and os.access(folder, os.W_OK):
        return Outcome("ok", f"SQLite, {file}: not there yet; the first start makes it")
    return Outcome("failed", f"SQLite, {file}: cannot be made", f"{folder} must be there, and writable for this user")


def bus(config: Config) -> Outcome:
    """Connect to RabbitMQ and log in."""
    if config.bus.embedded:
        return Outcome("ok", "memory://, inside one process: for `overheard run`")
    try:
        found, _ = queues.look(config.bus.address)
    except ConfigError as error:
        return Outcome("failed", str(error))
    except Unavailable as error:
        return Outcome("failed", str(error), "start RabbitMQ (systemctl start rabbitmq-server), or mend [bus] url")
    place = _server(config.bus.address)
    busy = sum(1 for queue in found if queue.workers)
    return Outcome("ok", f"RabbitMQ, {place}; {busy} of {len(found)} queues have somebody who works on them")


def reddit(program: Program, *, budgeted: bool) -> Outcome:
    """Log in and read one post, within the shared budget (where there is no database yet, nobody shares it)."""
    config = program.config
    shorter = config.reddit.model_copy(update={"timeout": min(config.reddit.timeout, PATIENCE)})
    try:
        source = reddit_source(config.model_copy(update={"reddit": shorter}), program.metrics)
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
        return Outcome("failed", str(error), "try again later; is the network there, and [reddit] reddit_url right?")
    except Permanent as error:
        return Outcome("failed", str(error))
    finally:
        source.close()


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


def metrics(config: Config) -> Outcome:
    """Whether the port is free, or ours already."""
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
        if _ours(place):
            return Outcome("ok", f"{place} is served by an Overheard that runs")
        reason = error.strerror or type(error).__name__
        return Outcome("failed", f"{place}: {reason}", "set [metrics] port, or host, to another")


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


def _ours(place: str) -> bool:
    try:
        with urllib.request.urlopen(place, timeout=PATIENCE) as answer:  # noqa: S310 - http, from the configuration
            return b"overheard_" in answer.read()
    except (OSError, ValueError):
        return False


def _server(url: str) -> str:
    """``host:port/name`` of a URL, without user and password."""
    return re.sub(r"^[a-z]+://(?:[^/]*@)?", "", url).partition("?")[0].removesuffix("/%2F")
