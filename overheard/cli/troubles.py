"""What is not well, and what to do about it: read from the facts of ``health.py``."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterator

import msgspec

from overheard.bus.door import INGRESS
from overheard.cli.health import ALARM, LATE, Health, Stored
from overheard.cli.output import counted
from overheard.cli.times import span
from overheard.cli.trials import REFUSED
from overheard.config import Config
from overheard.db.deliveries import Backlog
from overheard.db.sources import AWAY

TICK_LATE = 60.0
BACKUP_LATE = 26 * 3600.0  # the alert BackupMissing has the same
NAMED = 5  # channels


class Trouble(msgspec.Struct, frozen=True):
    """What is not well and what to do. ``severe``: nothing, or too little, gets through; the exit code is 1."""

    severe: bool
    what: str
    do: str


def troubles(health: Health, config: Config) -> list[Trouble]:
    """What is not well, the severe first."""
    found = [*_database(health, config), *_bus(health), *_processes(health), *_strangers(health), *_backups(health)]
    found += _queries(health)
    if health.stored is not None:
        stored = health.stored
        found += [*_tick(stored, config), *_flow(stored, config), *_outside(stored, config), *_rest(stored)]
    return sorted(found, key=lambda trouble: not trouble.severe)


def is_healthy(found: list[Trouble]) -> bool:
    """Whether all that is not well may be left as it is."""
    return not any(trouble.severe for trouble in found)


def _database(health: Health, config: Config) -> Iterator[Trouble]:
    if health.database_missing:
        do = "`overheard workspace add`, `import` or `run` makes it; or is it elsewhere? See [database] url"
        yield Trouble(True, str(health.database_fault), do)
    elif health.database_fault is not None:
        start = "free the file, or the disk" if config.database.embedded else "start PostgreSQL, or mend [database] url"
        yield Trouble(True, health.database_fault, f"{start}; meanwhile nothing is lost")


def _tick(stored: Stored, config: Config) -> Iterator[Trouble]:
    start = "overheard run" if config.bus.embedded else "supervisorctl status, or: python -m producers tick"
    if not stored.active + stored.paused:
        yield Trouble(False, "there is no workspace: nothing is listened for", "overheard workspace add, or import")
    if stored.last_tick_at is None:
        severe = stored.active > 0
        yield Trouble(severe, "no tick has ever run: nobody looks for what is due", f"start it: {start}")
    elif not stored.active:
        return
    elif (age := stored.at - stored.last_tick_at) > max(TICK_LATE, 3 * config.tick.interval):
        yield Trouble(True, f"the last tick was {span(age)} ago: nobody looks for what is due", f"start it: {start}")
    elif age < -LATE:
        yield Trouble(
            False,
            f"the last tick is {span(-age)} in the future: a clock is, or was, wrong",
            "see `overheard check`, and whether all machines keep time (NTP); the tick mends its own times",
        )


def _flow(stored: Stored, config: Config) -> Iterator[Trouble]:
    ages = {work: stored.at - since for work, since in stored.oldest.items() if since is not None}
    if stored.waiting is not None and ages["run"] > LATE:
        yield Trouble(
            True,
            f"runs are late: {stored.waiting.slug} has waited for {span(ages['run'])}",
            "see the fetch stage's log; when the Reddit budget is booked out, look less often or at fewer feeds",
        )
    if (age := ages.get("poll", 0.0)) > 5 * LATE:
        yield Trouble(True, f"a poll that began {span(age)} ago is not stored", "see the logs of match and store")
    overdue = stored.deliveries.overdue_since
    if overdue is not None:
        yield Trouble(
            True, f"deliveries wait for {span(stored.at - overdue)} and nobody sends them", "see the notify stage's log"
        )
    elif stored.backlog is not None:
        yield _backlog(stored.backlog, stored.at, config)
    if (age := ages.get("digest", 0.0)) > 5 * LATE:
        yield Trouble(True, f"a digest has been due for {span(age)}", "see the digest stage's log")


def _backlog(backlog: Backlog, now: float, config: Config) -> Trouble:
    """More is to be sent than goes out: because of one channel's pace, or because there is too little of us."""
    waits = f"{counted(backlog.due, 'delivery')} due, the oldest for {span(now - backlog.oldest_at)}"
    pace = (
        f"a channel is sent {config.notify.per_minute:,} a minute at most ([notify] per_minute): raise it, narrow the "
        'queries, or let the channel have a digest (mode = "digest")'
    )
    most = f"most of them, {backlog.most:,}, for {backlog.workspace}/{backlog.channel}"
    return Trouble(
        True,
        f"deliveries go out more slowly than they come: {waits}; {most}",
        f"{pace}; when it is many channels, see the notify stage's log, and start more notify processes or threads",
    )


def _outside(stored: Stored, config: Config) -> Iterator[Trouble]:
    bird = stored.canary
    if bird is not None and bird.late_since(stored.at) is not None:
        silent = span(stored.at - max(bird.delivered_at or 0.0, bird.begun_at))
        what = f"the canary is late: nothing has come out at the end for {silent}"
        yield Trouble(True, what, "follow it: grep overheard-canary in the logs shows the last stage that it reached")
    if stored.active and not (config.sources.reddit.client_in_use and config.sources.reddit.user_agent):
        yield Trouble(True, "Reddit cannot be read: there are no credentials", "overheard check says where to get them")
    elif stored.active and stored.reddit.revoked and (age := stored.reddit.failing_for(stored.at)):
        yield Trouble(
            True,
            f"Reddit may have revoked this app: it refuses the login, for {span(age)} now",
            "look at https://www.reddit.com/prefs/apps, then overheard check; docs/runbook.md (RedditLoginRefused) says"
            " what helps; meanwhile its feeds wait, and a login is tried again within an hour",
        )
    elif stored.active and (age := stored.reddit.failing_for(stored.at)) > AWAY:
        yield Trouble(
            True,
            f"Reddit cannot be read, for {span(age)} now: {stored.reddit.reason}",
            "overheard check; docs/runbook.md (RedditAway) says what helps; meanwhile it is asked again by itself",
        )


def _bus(health: Health) -> Iterator[Trouble]:
    if health.bus_fault is not None:
        do = (
            "free disk or memory; the pipeline goes on by itself, and nothing is lost"
            if health.bus_fault == ALARM
            else f"{REFUSED}; meanwhile nothing is lost"
            if health.bus_refuses
            else "start RabbitMQ, or mend [bus] url; meanwhile nothing is lost"
        )
        yield Trouble(True, health.bus_fault, do)
    listening = health.stored is None or health.stored.active
    idle = [queue.name for queue in health.queues or () if not queue.workers and listening]
    if INGRESS in idle:
        waits = health.door.unrouted if health.door is not None else 0
        kept = f" ({counted(waits, 'event')} of no known type with them)" if waits else ""
        yield Trouble(True, f"nobody takes in public events{kept}", "start it: python -m producers ingress")
    if stages := [name for name in idle if name != INGRESS]:
        start = f"start: python -m actors {' '.join(stages)} (under supervisord, one process each)"
        yield Trouble(True, f"nobody works on: {', '.join(stages)}", start)


def _processes(health: Health) -> Iterator[Trouble]:
    if health.bus_fault is not None or health.database_fault is not None:
        return  # which they all complain of
    said: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for process in health.processes or ():
        for problem in process.problems:
            said[process.program, problem].append(process.port)
    for (program, problem), ports in said.items():
        if program == "watcher":  # it speaks of another, and says what to do
            what, _, do = problem.partition(": see ")
            yield Trouble(True, what, f"see {do}" if do else "see its log")
            continue
        places = ", ".join(f":{port}" for port in ports)
        yield Trouble(True, f"{program} ({places}): {problem}", f"see its log; supervisorctl restart {program}:*")


def _strangers(health: Health) -> Iterator[Trouble]:
    if health.strangers:
        places = ", ".join(f":{port}" for port in health.strangers)
        yield Trouble(
            False,
            f"another Overheard, on another database, answers on {places}: what it says is left out",
            "stop it, or give one of the two another [metrics] port; or does [database] url lead elsewhere?",
        )


def _queries(health: Health) -> Iterator[Trouble]:
    """Each match process has all queries."""
    outdated = max((process.outdated_queries for process in health.processes or ()), default=0)
    if outdated:
        are = "is" if outdated == 1 else "are"
        what = f"{counted(outdated, 'stored query')} would be refused today, and {are} matched as before"
        yield Trouble(False, what, "overheard check names them; overheard workspace show says what to write instead")
    unreadable = max((process.unreadable_queries for process in health.processes or ()), default=0)
    if unreadable:
        are = "is" if unreadable == 1 else "are"
        what = f"{counted(unreadable, 'stored query')} cannot be read, and {are} not matched"
        yield Trouble(False, what, "overheard check names them; overheard workspace show says what is wrong")


def _backups(health: Health) -> Iterator[Trouble]:
    last = max((process.backed_up for process in health.processes or () if process.backed_up), default=None)
    if last is not None and (age := health.now - last) > BACKUP_LATE:
        see = "run deploy/backup, which says what is wrong, or see journalctl -u overheard-backup"
        yield Trouble(False, f"no backup was made for {span(age)}", see)


def _rest(stored: Stored) -> Iterator[Trouble]:
    if number := stored.feeds["failing"]:
        yield Trouble(
            False,
            f"Reddit refuses {counted(number, 'feed')} (listed above)",
            "take what is private or gone out of its workspace; all are tried again by themselves",
        )
    if number := stored.latest_gaps:
        yield Trouble(
            False,
            f"{counted(number, 'gap')} in the last 24 h: something was said there that could not be read",
            "overheard gap list says where; a shorter `every` reads busy places more often",
        )
    for sick in stored.sick[:NAMED]:
        state = "disabled" if sick.disabled else "failing"
        named = f"{sick.workspace} {shlex.quote(sick.name)}"
        mend = f"overheard channel test {named}"
        again = f", then: overheard channel enable {named}" if sick.disabled else ""
        yield Trouble(False, f"channel {sick.workspace}/{sick.name} is {state}: {sick.reason}", f"{mend}{again}")
    if (more := stored.channels["failing"] + stored.channels["disabled"] - len(stored.sick[:NAMED])) > 0:
        yield Trouble(False, f"{counted(more, 'more channel')} not well", "overheard channel list")
    if stored.dead_letters:
        yield Trouble(False, counted(stored.dead_letters, "dead letter"), "overheard dead list")
