"""State → problems: what is wrong with the system, and how to fix it."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterator

import msgspec

from overheard.bus.public_exchange import INGRESS
from overheard.config import Config
from overheard.db.delivery_backlog import DeliveryBacklog
from overheard.db.feeds import FailingFeed
from overheard.operations.checks.workspaces import UNREADABLE_REMEDY, unreadable_schedules
from overheard.operations.database_state import OVERDUE_SECONDS, DatabaseState
from overheard.operations.facts import BUS_LOGIN_REMEDY, RABBITMQ_ALARM, SystemState
from overheard.operations.outages import Outage, outages
from overheard.operations.reading_relief import relief_of_overload
from overheard.operations.source_reports import SourceReport
from overheard.operations.wording import counted, span
from overheard.process import NO_DATABASE_REMEDY
from overheard.sources.reddit.names import SOURCE as REDDIT

TICK_LATE_SECONDS = 60.0  # the tick runs every 5 s by default, and a restart takes less than a minute
# Polls pass two more queues, and many digests are due at the same hour: five times as long. Chosen, not measured.
SLOW_WORK_OVERDUE_SECONDS = 5 * OVERDUE_SECONDS
BACKUP_LATE_SECONDS = 26 * 3600.0  # nightly, plus two hours for delays; the alert BackupMissing uses the same
FAILED_STATES = {"BACKOFF", "EXITED", "FATAL", "UNKNOWN"}  # of supervisord; STOPPED is left out: an operator chose it
CHANNELS_NAMED = 5


class Problem(msgspec.Struct, frozen=True):
    """What is wrong and how to fix it. ``severe`` means that work is blocked or falls behind."""

    severe: bool
    message: str
    remedy: str


def find(facts: SystemState, config: Config) -> list[Problem]:
    """Return the problems, severe ones first."""
    found = [*_database(facts, config), *_bus(facts), *_processes(facts), *_foreign_ports(facts), *_backups(facts)]
    found += [*_supervised(facts), *_queries(facts)]
    if facts.stored is not None:
        stored = facts.stored
        found += [*_tick(stored, config), *_flow(stored, config), *_outages(stored), *_minor(stored)]
    # The sort is stable: causes, such as a server that is away, stay above their consequences.
    return sorted(found, key=lambda problem: not problem.severe)


def is_healthy(found: list[Problem]) -> bool:
    """Return True if none of the problems is severe."""
    return not any(problem.severe for problem in found)


def _database(facts: SystemState, config: Config) -> Iterator[Problem]:
    if facts.database_missing:
        yield Problem(True, str(facts.database_fault), NO_DATABASE_REMEDY)
    elif facts.database_fault is not None:
        fix = (
            "check that the file is not locked and the disk is not full"
            if config.database.embedded
            else "start PostgreSQL, or fix [database] url"
        )
        yield Problem(True, facts.database_fault, f"{fix}; nothing is lost in the meantime")


def _tick(stored: DatabaseState, config: Config) -> Iterator[Problem]:
    start = "overheard run" if config.bus.embedded else "supervisorctl status, or: python -m producers tick"
    if not stored.active + stored.paused:
        yield Problem(
            False, "there is no workspace: nothing is being watched", "overheard workspace add, or overheard import"
        )
    if stored.last_tick_at is None:
        # Without an active workspace nothing is due, so nothing is blocked.
        severe = stored.active > 0
        yield Problem(severe, "the tick has never run: work that is due is not started", f"start it: {start}")
    elif not stored.active:
        return
    elif (age := stored.at - stored.last_tick_at) > max(TICK_LATE_SECONDS, 3 * config.tick.interval):
        yield Problem(True, f"the last tick was {span(age)} ago: work that is due is not started", f"start it: {start}")
    elif age < -OVERDUE_SECONDS:
        yield Problem(
            False,
            f"the last tick is {span(-age)} in the future: the database's clock was set back",
            "work is delayed until the clock catches up; let NTP keep the time on the database's machine",
        )


def _flow(stored: DatabaseState, config: Config) -> Iterator[Problem]:
    ages = {work: age or 0.0 for work, age in stored.ages.items()}
    if stored.waiting is not None and ages["run"] > OVERDUE_SECONDS:
        yield Problem(
            True,
            f"runs are late: {stored.waiting.slug} has waited for {span(ages['run'])}",
            "see the fetch stage's log; if Reddit's request budget is used up, run less often or watch fewer feeds",
        )
    for made in stored.overloaded:
        yield Problem(
            False,
            f"{made.source}: workspaces ask for {60 * made.plan.demanded:,.0f} requests a minute, the budget has "
            f"{60 * made.budget:,.0f}: everything is read later",
            f"see overheard source plan. {relief_of_overload(made)}",
        )
    if (age := ages["poll"]) > SLOW_WORK_OVERDUE_SECONDS:
        yield Problem(True, f"a poll that began {span(age)} ago is not stored yet", "see the logs of match and store")
    overdue = stored.deliveries.overdue_since
    if overdue is not None:
        yield Problem(
            True, f"deliveries have waited for {span(stored.at - overdue)} unsent", "see the notify stage's log"
        )
    # Not both: deliveries that are stuck pile up as well, and the cause is the one above.
    elif stored.backlog is not None:
        yield _backlog(stored.backlog, stored.at, config)
    if (age := ages["digest"]) > SLOW_WORK_OVERDUE_SECONDS:
        yield Problem(True, f"a digest has been due for {span(age)}", "see the digest stage's log")


def _backlog(backlog: DeliveryBacklog, now: float, config: Config) -> Problem:
    """Deliveries are sent more slowly than they arrive: one channel's rate limit, or too few notify threads."""
    waiting = f"{counted(backlog.due, 'delivery')} due, the oldest for {span(now - backlog.oldest_at)}"
    rate_limit = (
        f"one channel is sent at most {config.notify.per_minute:,} a minute ([notify] per_minute): raise that, narrow "
        'the queries, or switch the channel to a digest (mode = "digest")'
    )
    largest = f"most of them, {backlog.most:,}, for {backlog.workspace}/{backlog.channel}"
    return Problem(
        True,
        f"deliveries are sent more slowly than they arrive: {waiting}; {largest}",
        f"{rate_limit}; if many channels are affected, see the notify stage's log and start more notify processes or "
        "threads",
    )


def _outages(stored: DatabaseState) -> Iterator[Problem]:
    states = {name: source.state for name, source in stored.sources.items()}
    for report in stored.source_reports:
        if report.source in states and not report.configured:
            del states[report.source]  # its failures are the consequence
            yield _not_configured(report)
    for each in outages(stored.canary, states, stored.clients, stored.at):
        if each.is_problem:
            yield _outage(each)


def _not_configured(report: SourceReport) -> Problem:
    if report.source == REDDIT:
        message, remedy = (
            "Reddit cannot be read: there are no credentials",
            "overheard check explains where to get them",
        )
    else:
        message, remedy = f"{report.source} cannot be read: {report.reason}", "set it, or remove its watches"
    return Problem(True, message, remedy)


def _outage(outage: Outage) -> Problem:
    lasted = span(outage.seconds)
    match outage.kind:
        case "canary late":
            message = f"the canary is late: none has been delivered for {lasted}"
            remedy = "grep overheard-canary in the logs: the last stage that logged it shows where it got stuck"
        case "reddit login refused":
            message = f"Reddit may have revoked this app: it has refused the login for {lasted}"
            remedy = (
                "check that the app is still listed at https://www.reddit.com/prefs/apps, then run overheard check; see"
                " docs/runbook.md (SourceLoginRefused); until then feeds wait, and the login is retried at least hourly"
            )
        case "reddit client refused":
            message = f"{outage.where} of Reddit has been refused for {lasted}: Reddit may have revoked its app"
            remedy = (
                "check that the app is still listed at https://www.reddit.com/prefs/apps, then run overheard check; see"
                " docs/runbook.md (SourceClientRefused); the other clients go on, and its login is retried at least"
                " hourly"
            )
            return Problem(False, message, remedy)
        case _:
            name = "Reddit" if outage.source == REDDIT else outage.source
            message = f"{name} has not been readable for {lasted}: {outage.where}"
            alert = "SourceLoginRefused" if outage.kind == "source login refused" else "SourceDown"
            command = "overheard check" if outage.source == REDDIT else f"overheard source check {outage.source}"
            remedy = f"{command}; see docs/runbook.md ({alert}); until then {name} is retried automatically"
    return Problem(True, message, remedy)


def _bus(facts: SystemState) -> Iterator[Problem]:
    if facts.bus_fault is not None:
        remedy = (
            "free disk space or memory; the pipeline continues by itself, and nothing is lost"
            if facts.bus_fault == RABBITMQ_ALARM
            else f"{BUS_LOGIN_REMEDY}; nothing is lost in the meantime"
            if facts.bus_refuses
            else "start RabbitMQ, or fix [bus] url; nothing is lost in the meantime"
        )
        yield Problem(True, facts.bus_fault, remedy)
    # Without an active workspace idle queues are not a problem; without the database, consuming is paused on purpose.
    in_use = facts.stored is not None and facts.stored.active
    idle = [queue.name for queue in facts.queues or () if not queue.workers and in_use]
    if INGRESS in idle:
        unrouted = facts.event_queues.unrouted if facts.event_queues is not None else 0
        kept = f" ({counted(unrouted, 'event')} of unknown type waiting)" if unrouted else ""
        yield Problem(True, f"no ingress process consumes public events{kept}", "start it: python -m producers ingress")
    if stages := [name for name in idle if name != INGRESS]:
        start = f"start: python -m actors {' '.join(stages)} (under supervisord, one process each)"
        yield Problem(True, f"no workers on: {', '.join(stages)}", start)


def _processes(facts: SystemState) -> Iterator[Problem]:
    if facts.bus_fault is not None or facts.database_fault is not None:
        return  # every process reports the same outage, which is listed once already
    ports: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for process in facts.processes or ():
        for problem in process.problems:
            ports[process.program, problem].append(process.port)
    # One line for all processes with the same problem: ten of them would hide the others.
    for (program, problem), affected in ports.items():
        places = ", ".join(f":{port}" for port in affected)
        yield Problem(True, f"{program} ({places}): {problem}", f"see its log; supervisorctl restart {program}:*")


def _supervised(facts: SystemState) -> Iterator[Problem]:
    if facts.supervisor_fault is not None:
        yield Problem(True, facts.supervisor_fault, "systemctl status overheard, and the end of supervisord.log")
    for process in facts.supervised or ():
        if process.statename in FAILED_STATES:
            reason = f" ({process.spawnerr})" if process.spawnerr else ""
            log = process.stdout_logfile or "its log"
            remedy = f"see the end of {log}, fix the cause, then: supervisorctl restart {process.full_name}"
            yield Problem(True, f"{process.full_name} is {process.statename}{reason}", remedy)


def _foreign_ports(facts: SystemState) -> Iterator[Problem]:
    if facts.foreign_ports:
        places = ", ".join(f":{port}" for port in facts.foreign_ports)
        yield Problem(
            False,
            f"another Overheard, on another database, answers on {places}: its processes are not shown",
            "stop it, or give one of the two a different [metrics] port; or check that [database] url is right",
        )


def _queries(facts: SystemState) -> Iterator[Problem]:
    # The largest figure, not the sum: every match process indexes all queries.
    reports = facts.processes or ()
    outdated = max((process.outdated_queries for process in reports), default=0)
    unreadable = max((process.unreadable_queries for process in reports), default=0)
    for number, fault, state, shows in (
        (outdated, "would be refused today", "still matched", "what to write instead"),
        (unreadable, "cannot be parsed", "not matched", "what is wrong"),
    ):
        if number:
            message = f"{counted(number, 'stored query')} {fault}, and {'is' if number == 1 else 'are'} {state}"
            yield Problem(False, message, f"overheard check names them; overheard workspace show explains {shows}")


def _backups(facts: SystemState) -> Iterator[Problem]:
    if facts.backed_up is not None and (age := facts.now - facts.backed_up) > BACKUP_LATE_SECONDS:
        remedy = "run deploy/backup, which prints what is wrong, or see journalctl -u overheard-backup"
        yield Problem(False, f"no backup has been made for {span(age)}", remedy)


def _refused(listed: list[FailingFeed], number: int) -> str:
    if {feed.source for feed in listed} == {REDDIT}:
        return f"Reddit refuses {counted(number, 'feed')}"
    return f"{counted(number, 'feed')} {'is' if number == 1 else 'are'} refused"


def _minor(stored: DatabaseState) -> Iterator[Problem]:
    if stored.unreadable_schedules:
        yield Problem(False, unreadable_schedules(stored.unreadable_schedules), UNREADABLE_REMEDY)
    if number := stored.feeds["failing"]:
        yield Problem(
            False,
            f"{_refused(stored.refused, number)} (listed above)",
            "remove what is private or gone from its workspaces; all feeds are retried automatically",
        )
    if number := stored.gaps_last_day:
        yield Problem(
            False,
            f"{counted(number, 'gap')} in the last 24 h: some posts or comments were missed",
            "overheard gap list shows where; those of Reddit are filled from spare budget",
        )
    if number := stored.gaps_lost:
        yield Problem(
            False,
            f"{counted(number, 'gap')} could not be filled: some posts or comments are lost",
            "overheard gap list --state lost shows where; overheard source plan shows what the budget has spare",
        )
    # The others are counted below: a receiver that is away may take hundreds of channels with it.
    named = stored.unhealthy_channels[:CHANNELS_NAMED]
    for channel in named:
        state = "disabled" if channel.disabled else "failing"
        arguments = f"{channel.workspace} {shlex.quote(channel.name)}"
        enable = f", then: overheard channel enable {arguments}" if channel.disabled else ""
        yield Problem(
            False,
            f"channel {channel.workspace}/{channel.name} is {state}: {channel.reason}",
            f"overheard channel test {arguments}{enable}",
        )
    if (more := stored.channels["failing"] + stored.channels["disabled"] - len(named)) > 0:
        yield Problem(False, f"{counted(more, 'more unhealthy channel')}", "overheard channel list")
    if stored.dead_letters:
        yield Problem(False, counted(stored.dead_letters, "dead letter"), "overheard dead-letters list")
