"""Live checks of everything that has to be there. Each takes seconds at most, and changes nothing in use."""

from __future__ import annotations

import re
import shutil
import socket
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import msgspec

from overheard.bus import queues
from overheard.bus.amqp import BusRefused
from overheard.channels.redact import redact
from overheard.config import Config
from overheard.db import beats, migrate, refreshes, sources, sqlite_file, workspaces
from overheard.db import instance as instances
from overheard.db import queries as stored_queries
from overheard.db.connect import Db
from overheard.errors import ConfigError, InvalidInput, LoginRefused, Permanent, Postponed, TryAgain, Unavailable
from overheard.limits import NoLimit
from overheard.matching.language import flaw
from overheard.operations import processes
from overheard.operations.facts import BUS_REFUSES
from overheard.operations.operator_alert import alert_channel, said
from overheard.operations.processes import Process
from overheard.operations.wording import counted, first, span
from overheard.operations.workspaces import ALL_IS_PARTIAL, INSTEAD_OF_ALL
from overheard.program import Program
from overheard.sources import Budget
from overheard.sources.reddit.names import SOURCE, budget_key
from overheard.sources.reddit.source import open_source

REDDIT_TIMEOUT_SECONDS = 5.0
CLOCKS_APART_SECONDS = 5.0  # that two machines' clocks may differ
RELEASED = 1_767_225_600  # 2026-01-01: a clock before that is wrong
VAR = Path("/var")  # where RabbitMQ and PostgreSQL have their data on Debian
ROOM_BYTES = 500_000_000
ROOM_SHARE = 0.1  # of a file system
WORKSPACES_NAMED = 5
QUERIES_NAMED = 5
UNREADABLE_REMEDY = (
    "until then they are looked at hourly, and digests are sent at 9:00 UTC; "
    "overheard export SLUG, correct it, overheard import"
)

OpenBudget = Callable[[str], Budget]  # by its key


Sign = Literal["ok", "warning", "failed"]


class Outcome(msgspec.Struct, frozen=True):
    """``ready``: what was checked can be used by the checks that follow."""

    sign: Sign
    what: str
    hint: str | None = None
    ready: bool = False


Check = Callable[[Program, Db | None], Outcome | None]  # without a database where it cannot be used


def run(program: Program, path: Path | None, *, budget: OpenBudget) -> Iterator[tuple[str, Outcome]]:
    """Check all parts, each by its name. ``path``: the configuration file that was named."""
    config = program.config
    yield "configuration", Outcome("ok", _where(path))
    for deprecated in config.deprecated:
        yield "configuration", Outcome("warning", deprecated)
    stored = database(program)
    yield "database", stored
    yield "bus", bus(config)
    yield "Reddit", reddit(program, budget if stored.ready else None)
    for part, check in PARTS.items():
        if (outcome := _outcome(check, program, program.db if stored.ready else None)) is not None:
            yield part, outcome


def _outcome(check: Check, program: Program, db: Db | None) -> Outcome | None:
    try:
        with db.session() if db is not None else nullcontext():
            return check(program, db)
    except Unavailable as error:
        return Outcome("warning", f"not looked at: {error}")


def _where(path: Path | None) -> str:
    if path is None and not Path("pipeline.toml").exists():
        return "the defaults, as there is no ./pipeline.toml"
    return str(path or "pipeline.toml")


def database(program: Program) -> Outcome:
    """Connect, and check that it can be written to and is up to date."""
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
        return Outcome("failed", str(error), BUS_REFUSES)
    except Unavailable as error:
        return Outcome("failed", str(error), "start RabbitMQ (systemctl start rabbitmq-server), or mend [bus] url")
    place = _server(config.bus.address)
    busy = sum(1 for queue in found if queue.workers)
    return Outcome("ok", f"RabbitMQ, {place}; {busy} of {len(found)} queues have somebody who works on them")


def reddit(program: Program, open_budget: OpenBudget | None) -> Outcome:
    """Log in and read one post, within the shared budget; without a database there are no others to share it with."""
    config = program.config
    rules = config.sources.reddit
    shorter = rules.model_copy(update={"timeout": min(rules.timeout, REDDIT_TIMEOUT_SECONDS)})
    places = config.sources.model_copy(update={"reddit": shorter})
    try:
        source = open_source(config.model_copy(update={"sources": places}), program.metrics, program.clock)
    except ConfigError as error:
        sign: Sign = "failed" if open_budget is None or _needed(program) else "warning"
        return Outcome(sign, error.problems[0], textwrap.dedent("\n".join(error.problems[1:])))
    try:
        if open_budget is None:
            return Outcome("ok", source.verify(NoLimit()))
        with program.db.session():
            return Outcome("ok", source.verify(open_budget(budget_key(rules.client_in_use))))
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


def clients(program: Program, db: Db | None) -> Outcome | None:
    """Warn where Reddit has more clients than are used; None where it has not."""
    reddit = program.config.sources.reddit
    if len(reddit.clients) < 2:
        return None
    what = f"of the {len(reddit.clients)} of Reddit, only the first is used yet: {reddit.client_in_use}"
    return Outcome("warning", what, "several at once are for a later version; the others do no harm")


def _needed(program: Program) -> bool:
    """Return whether Reddit is watched, or nothing is yet: a source that nobody watches may be left unconfigured."""
    with program.db.session():
        watched = refreshes.watched_sources(program.db)
    return not watched or SOURCE in watched


def coverage(program: Program, db: Db | None) -> Outcome | None:
    """Warn of workspaces that watch all of Reddit, of which most is missed; None where there are none."""
    slugs = sources.followed_whole(db, SOURCE, WORKSPACES_NAMED + 1) if db is not None else []
    if not slugs:
        return None
    named = ", ".join(slugs[:WORKSPACES_NAMED]) + (" …" if len(slugs) > WORKSPACES_NAMED else "")
    return Outcome("warning", f"{ALL_IS_PARTIAL} ({named})", INSTEAD_OF_ALL)


def metrics(program: Program, db: Db | None) -> Outcome:
    """Check that the port is free, or this Overheard's already."""
    rules = program.config.metrics
    host, port = rules.host, rules.port
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
        return _served(processes.ask(rules), f"{place}: {reason}", place, _instance(program, db))


def _instance(program: Program, db: Db | None) -> str | None:
    """Return which Overheard this is; None where the database, which knows it, does not answer."""
    if db is not None:
        return instances.known(db)
    return "" if program.config.database.embedded and not program.db.file.exists() else None


def _served(process: Process | None, taken: str, place: str, instance: str | None) -> Outcome:
    another = "set [metrics] port, or host, to another"
    if process is None:
        return Outcome("failed", taken, another)
    if not process.belongs_to(instance):
        return Outcome("failed", f"{place} is served by another Overheard, on another database", another)
    if not process.instance or instance is None:
        return Outcome("warning", f"{place} is served by an Overheard that may be another", f"if it is: {another}")
    return Outcome("ok", f"{place} is served by this Overheard, which runs")


def alerts(program: Program, db: Db | None) -> Outcome:
    """Check that the operator's channel can be used. Nothing is sent: `overheard alert test` does that."""
    url = program.config.alerts.url.get_secret_value()
    if not url:
        return Outcome("ok", "off: the operator is told nothing ([alerts] url)")
    try:
        alert_channel(program.config)
    except InvalidInput as error:
        return Outcome("failed", f"[alerts] {said(error)}")
    return Outcome("ok", f"{redact(url)} (not tried: overheard alert test)")


def limits(program: Program, db: Db | None) -> Outcome:
    """Tell what one workspace may have, and which have more of it already."""
    rules = program.config.limits
    allowed = {part: int(getattr(rules, part)) for part in workspaces.BOUNDED}
    parts = ", ".join(f"{number:,} {part}" for part, number in allowed.items())
    what = f"for each workspace: {parts}, {rules.triggers_per_hour:,} triggers an hour"
    beyond = workspaces.beyond(db, allowed) if db is not None else []
    if not beyond:
        return Outcome("ok", what)
    named = first([f"{slug} has {number:,} {part}" for slug, part, number in beyond], WORKSPACES_NAMED)
    return Outcome("warning", f"{what}; {named}", "all of it is kept; raise [limits], or make several of them")


def schedules(program: Program, db: Db | None) -> Outcome:
    """Check that the schedules and time zones of all workspaces can be read."""
    found = workspaces.unreadable_schedules(db) if db is not None else []
    if not found:
        return Outcome("ok", "all can be read")
    return Outcome("warning", unreadable_schedules(found, WORKSPACES_NAMED), UNREADABLE_REMEDY)


def unreadable_schedules(found: Sequence[workspaces.UnreadableSchedule], most: int) -> str:
    """Return a sentence with the first few: the workspace, the key and why it cannot be read."""
    named = "; ".join(f"{each.workspace}: {each.key}: {each.reason}" for each in found[:most])
    more = f"; and {len(found) - most:,} more" if len(found) > most else ""
    return f"{counted(len(found), 'schedule')} cannot be read: {named}{more}"


def clock(program: Program, db: Db | None) -> Outcome:
    """Check that this machine's clock can be right, and is that of the database's machine."""
    now = time.time()
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < RELEASED:
        return Outcome("failed", f"{when}, which is past", "set it, or let NTP do it (timedatectl set-ntp true)")
    if db is None or program.config.database.embedded:
        return Outcome("ok", when)
    ahead = time.time() - db.clock()
    if abs(ahead) > CLOCKS_APART_SECONDS:
        what = f"{when}, which is {span(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the database's"
        return Outcome("failed", what, "let NTP set both (timedatectl set-ntp true)")
    return Outcome("ok", f"{when}, as the database's")


def disk(program: Program, db: Db | None) -> Outcome:
    """Check that there is room where data are kept on this machine."""
    folder = program.db.file.absolute().parent if program.config.database.embedded else VAR
    while not folder.is_dir():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    room = f"{usage.free / 1e9:,.1f} GB free of {usage.total / 1e9:,.0f} GB in {folder}"
    if usage.free < ROOM_BYTES:
        return Outcome("failed", room, f"make room: RabbitMQ and databases stop below {ROOM_BYTES / 1e9:g} GB")
    if usage.free < ROOM_SHARE * usage.total:
        return Outcome("warning", room, "make room soon: du -xsh /var/* shows what takes it")
    return Outcome("ok", room)


def queries(program: Program, db: Db | None) -> Outcome:
    """Check all queries of all workspaces, each read by the rules of today."""
    if db is None:
        return Outcome("ok", "not looked at: there is no database to read them from")
    count, found = 0, []
    for slug, name, text in stored_queries.texts(db):
        count += 1
        if (one := flaw(text)) is not None:
            found.append(f"{slug}/{name}{'' if one.matched else ' (not matched)'}")
    if not found:
        return Outcome("ok", f"{counted(count, 'query')}, all right")
    return Outcome(
        "warning",
        f"{len(found):,} of {counted(count, 'query')} would be refused today: {first(found, QUERIES_NAMED)}",
        "all are kept, and matched as before if they can be read; overheard workspace show SLUG says what to write"
        " instead",
    )


PARTS: dict[str, Check] = {
    "clients": clients,
    "coverage": coverage,
    "metrics": metrics,
    "alerts": alerts,
    "limits": limits,
    "clock": clock,
    "disk": disk,
    "schedules": schedules,
    "queries": queries,
}


def _server(url: str) -> str:
    """Return ``host:port/name`` of a URL, without user and password."""
    return re.sub(r"^[a-z]+://(?:[^/]*@)?", "", url).partition("?")[0].removesuffix("/%2F")
