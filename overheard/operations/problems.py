"""Facts → problems: what is wrong, and what to do about it."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterator

import msgspec

from overheard.bus.public_exchange import INGRESS
from overheard.config import Config
from overheard.db.delivery_backlog import DeliveryBacklog
from overheard.operations.checks.workspaces import UNREADABLE_REMEDY, unreadable_schedules
from overheard.operations.facts import ALARM, BUS_REFUSES, OVERDUE_SECONDS, Facts, StoredFacts
from overheard.operations.outages import outages
from overheard.operations.wording import counted, span
from overheard.sources.reddit.names import SOURCE

TICK_LATE_SECONDS = 60.0
BACKUP_LATE_SECONDS = 26 * 3600.0  # the alert BackupMissing has the same
FAILED_STATES = {"BACKOFF", "EXITED", "FATAL", "UNKNOWN"}  # of supervisord's; STOPPED is what an operator wanted
CHANNELS_NAMED = 5


class Problem(msgspec.Struct, frozen=True):
    """What is wrong and what to do. ``severe``: nothing, or too little, gets through."""

    severe: bool
    what: str
    do: str


def find(facts: Facts, config: Config) -> list[Problem]:
    """Return what is wrong, the severe first."""
    found = [*_database(facts, config), *_bus(facts), *_processes(facts), *_strangers(facts), *_backups(facts)]
    found += [*_supervised(facts), *_queries(facts)]
    if facts.stored is not None:
        stored = facts.stored
        found += [*_tick(stored, config), *_flow(stored, config), *_outside(stored, config), *_rest(stored)]
    return sorted(found, key=lambda problem: not problem.severe)


def is_healthy(found: list[Problem]) -> bool:
    """Return True if all that is wrong may be left as it is."""
    return not any(problem.severe for problem in found)


def _database(facts: Facts, config: Config) -> Iterator[Problem]:
    if facts.database_missing:
        do = "`overheard workspace add`, `import` or `run` makes it; or is it elsewhere? See [database] url"
        yield Problem(True, str(facts.database_fault), do)
    elif facts.database_fault is not None:
        start = "free the file, or the disk" if config.database.embedded else "start PostgreSQL, or mend [database] url"
        yield Problem(True, facts.database_fault, f"{start}; meanwhile nothing is lost")


def _tick(stored: StoredFacts, config: Config) -> Iterator[Problem]:
    start = "overheard run" if config.bus.embedded else "supervisorctl status, or: python -m producers tick"
    if not stored.active + stored.paused:
        yield Problem(False, "there is no workspace: nothing is listened for", "overheard workspace add, or import")
    if stored.last_tick_at is None:
        severe = stored.active > 0
        yield Problem(severe, "no tick has ever run: nobody looks for what is due", f"start it: {start}")
    elif not stored.active:
        return
    elif (age := stored.at - stored.last_tick_at) > max(TICK_LATE_SECONDS, 3 * config.tick.interval):
        yield Problem(True, f"the last tick was {span(age)} ago: nobody looks for what is due", f"start it: {start}")
    elif age < -OVERDUE_SECONDS:
        yield Problem(
            False,
            f"the last tick is {span(-age)} in the future: the database's clock went back",
            "what was due by then waits as long; let NTP keep the time of the database's machine",
        )


def _flow(stored: StoredFacts, config: Config) -> Iterator[Problem]:
    ages = {work: age or 0.0 for work, age in stored.ages.items()}
    if stored.waiting is not None and ages["run"] > OVERDUE_SECONDS:
        yield Problem(
            True,
            f"runs are late: {stored.waiting.slug} has waited for {span(ages['run'])}",
            "see the fetch stage's log; when the Reddit budget is booked out, look less often or at fewer feeds",
        )
    if (age := ages["poll"]) > 5 * OVERDUE_SECONDS:
        yield Problem(True, f"a poll that began {span(age)} ago is not stored", "see the logs of match and store")
    overdue = stored.deliveries.overdue_since
    if overdue is not None:
        yield Problem(
            True, f"deliveries wait for {span(stored.at - overdue)} and nobody sends them", "see the notify stage's log"
        )
    elif stored.backlog is not None:
        yield _backlog(stored.backlog, stored.at, config)
    if (age := ages["digest"]) > 5 * OVERDUE_SECONDS:
        yield Problem(True, f"a digest has been due for {span(age)}", "see the digest stage's log")


def _backlog(backlog: DeliveryBacklog, now: float, config: Config) -> Problem:
    """More is to be sent than goes out: because of one channel's pace, or because there is too little of us."""
    waits = f"{counted(backlog.due, 'delivery')} due, the oldest for {span(now - backlog.oldest_at)}"
    pace = (
        f"a channel is sent {config.notify.per_minute:,} a minute at most ([notify] per_minute): raise it, narrow the "
        'queries, or let the channel have a digest (mode = "digest")'
    )
    most = f"most of them, {backlog.most:,}, for {backlog.workspace}/{backlog.channel}"
    return Problem(
        True,
        f"deliveries go out more slowly than they come: {waits}; {most}",
        f"{pace}; when it is many channels, see the notify stage's log, and start more notify processes or threads",
    )


def _outside(stored: StoredFacts, config: Config) -> Iterator[Problem]:
    found = {each.kind: each for each in outages(stored.canary, stored.reddit, stored.at) if each.is_problem}
    if late := found.get("canary late"):
        what = f"the canary is late: nothing has come out at the end for {span(late.seconds)}"
        yield Problem(True, what, "follow it: grep overheard-canary in the logs shows the last stage that it reached")
    if SOURCE not in stored.watched_sources:
        return
    if not (config.sources.reddit.clients and config.sources.reddit.user_agent):
        yield Problem(True, "Reddit cannot be read: there are no credentials", "overheard check says where to get them")
    elif refused := found.get("reddit login refused"):
        yield Problem(
            True,
            f"Reddit may have revoked this app: it refuses the login, for {span(refused.seconds)} now",
            "look at https://www.reddit.com/prefs/apps, then overheard check; docs/runbook.md (RedditLoginRefused) says"
            " what helps; meanwhile its feeds wait, and a login is tried again within an hour",
        )
    elif away := found.get("reddit away"):
        yield Problem(
            True,
            f"Reddit cannot be read, for {span(away.seconds)} now: {away.where}",
            "overheard check; docs/runbook.md (RedditAway) says what helps; meanwhile it is asked again by itself",
        )


def _bus(facts: Facts) -> Iterator[Problem]:
    if facts.bus_fault is not None:
        do = (
            "free disk or memory; the pipeline goes on by itself, and nothing is lost"
            if facts.bus_fault == ALARM
            else f"{BUS_REFUSES}; meanwhile nothing is lost"
            if facts.bus_refuses
            else "start RabbitMQ, or mend [bus] url; meanwhile nothing is lost"
        )
        yield Problem(True, facts.bus_fault, do)
    listening = facts.stored is None or facts.stored.active
    idle = [queue.name for queue in facts.queues or () if not queue.workers and listening]
    if INGRESS in idle:
        waits = facts.door.unrouted if facts.door is not None else 0
        kept = f" ({counted(waits, 'event')} of no known type with them)" if waits else ""
        yield Problem(True, f"nobody takes in public events{kept}", "start it: python -m producers ingress")
    if stages := [name for name in idle if name != INGRESS]:
        start = f"start: python -m actors {' '.join(stages)} (under supervisord, one process each)"
        yield Problem(True, f"nobody works on: {', '.join(stages)}", start)


def _processes(facts: Facts) -> Iterator[Problem]:
    if facts.bus_fault is not None or facts.database_fault is not None:
        return  # which they all complain of
    said: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for process in facts.processes or ():
        for problem in process.problems:
            said[process.program, problem].append(process.port)
    for (program, problem), ports in said.items():
        places = ", ".join(f":{port}" for port in ports)
        yield Problem(True, f"{program} ({places}): {problem}", f"see its log; supervisorctl restart {program}:*")


def _supervised(facts: Facts) -> Iterator[Problem]:
    if facts.supervisor_fault is not None:
        yield Problem(True, facts.supervisor_fault, "systemctl status overheard, and the end of supervisord.log")
    for process in facts.supervised or ():
        if process.statename in FAILED_STATES:
            reason = f" ({process.spawnerr})" if process.spawnerr else ""
            log = process.stdout_logfile or "its log"
            do = f"see the end of {log}, correct the cause, then: supervisorctl restart {process.full_name}"
            yield Problem(True, f"{process.full_name} is {process.statename}{reason}", do)


def _strangers(facts: Facts) -> Iterator[Problem]:
    if facts.strangers:
        places = ", ".join(f":{port}" for port in facts.strangers)
        yield Problem(
            False,
            f"another Overheard, on another database, answers on {places}: what it says is left out",
            "stop it, or give one of the two another [metrics] port; or does [database] url lead elsewhere?",
        )


def _queries(facts: Facts) -> Iterator[Problem]:
    """Each match process has all queries."""
    of = facts.processes or ()
    outdated = max((process.outdated_queries for process in of), default=0)
    unreadable = max((process.unreadable_queries for process in of), default=0)
    for number, wrong, matched, says in (
        (outdated, "would be refused today", "matched as before", "what to write instead"),
        (unreadable, "cannot be read", "not matched", "what is wrong"),
    ):
        if number:
            what = f"{counted(number, 'stored query')} {wrong}, and {'is' if number == 1 else 'are'} {matched}"
            yield Problem(False, what, f"overheard check names them; overheard workspace show says {says}")


def _backups(facts: Facts) -> Iterator[Problem]:
    if facts.backed_up is not None and (age := facts.now - facts.backed_up) > BACKUP_LATE_SECONDS:
        see = "run deploy/backup, which says what is wrong, or see journalctl -u overheard-backup"
        yield Problem(False, f"no backup was made for {span(age)}", see)


def _rest(stored: StoredFacts) -> Iterator[Problem]:
    if stored.unreadable:
        yield Problem(False, unreadable_schedules(stored.unreadable), UNREADABLE_REMEDY)
    if number := stored.feeds["failing"]:
        yield Problem(
            False,
            f"Reddit refuses {counted(number, 'feed')} (listed above)",
            "take what is private or gone out of its workspace; all are tried again by themselves",
        )
    if number := stored.latest_gaps:
        yield Problem(
            False,
            f"{counted(number, 'gap')} in the last 24 h: something was said there that could not be read",
            "overheard gap list says where; a shorter `every` reads busy places more often",
        )
    for sick in stored.sick[:CHANNELS_NAMED]:
        state = "disabled" if sick.disabled else "failing"
        named = f"{sick.workspace} {shlex.quote(sick.name)}"
        mend = f"overheard channel test {named}"
        again = f", then: overheard channel enable {named}" if sick.disabled else ""
        yield Problem(False, f"channel {sick.workspace}/{sick.name} is {state}: {sick.reason}", f"{mend}{again}")
    if (more := stored.channels["failing"] + stored.channels["disabled"] - len(stored.sick[:CHANNELS_NAMED])) > 0:
        yield Problem(False, f"{counted(more, 'more channel')} not well", "overheard channel list")
    if stored.dead_letters:
        yield Problem(False, counted(stored.dead_letters, "dead letter"), "overheard dead list")
