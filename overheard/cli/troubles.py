"""What is not well, and what to do about it: read from the facts of ``health.py``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import msgspec

from overheard.bus.door import INGRESS
from overheard.cli.health import Health
from overheard.cli.times import span
from overheard.config import Config

LATE = 120.0  # seconds after which what should have been done by now is a trouble
TICK_LATE = 60.0


class Trouble(msgspec.Struct, frozen=True):
    """What is not well and what to do. ``severe``: nothing, or too little, gets through; the exit code is 1."""

    severe: bool
    what: str
    do: str


def troubles(health: Health, config: Config) -> list[Trouble]:
    """What is not well, the severe first."""
    found = [*_tick(health, config), *_flow(health, config), *_bus_troubles(health), *_rest(health)]
    found += _canary(health, config)
    return sorted(found, key=lambda trouble: not trouble.severe)


def _tick(health: Health, config: Config) -> Iterator[Trouble]:
    if not health.active:
        return
    start = "overheard run" if config.bus.embedded else "python -m producers tick (supervisorctl status)"
    if health.last_tick_at is None:
        # In one process, "never" is what a fresh installation looks like, and no fault.
        yield Trouble(
            not config.bus.embedded, "no tick has ever run: nobody looks for what is due", f"start it: {start}"
        )
    elif (age := health.now - health.last_tick_at) > max(TICK_LATE, 3 * config.tick.interval):
        yield Trouble(True, f"the last tick was {span(age)} ago: nobody looks for what is due", f"start it: {start}")


def _flow(health: Health, config: Config) -> Iterator[Trouble]:
    if health.late is not None and (age := health.now - health.late[1]) > LATE + config.tick.jitter:
        yield Trouble(
            True,
            f"runs are late: {health.late[0]} should have been looked at {span(age)} ago",
            "see the fetch stage's log; when the Reddit budget is booked out, look less often or at fewer feeds",
        )
    overdue = health.deliveries.overdue_since
    if overdue is not None and (age := health.now - overdue) > LATE:
        yield Trouble(True, f"deliveries wait for {span(age)} and nobody sends them", "see the notify stage's log")


def _bus_troubles(health: Health) -> Iterator[Trouble]:
    if health.bus_fault is not None:
        yield Trouble(True, health.bus_fault, "start RabbitMQ, or mend [bus] url; meanwhile nothing is lost")
    idle = [queue.name for queue in health.queues or () if not queue.workers and health.active]
    if INGRESS in idle:
        yield Trouble(True, "nobody takes in public events", "start it: python -m producers ingress")
    if stages := [name for name in idle if name != INGRESS]:
        start = f"start: python -m actors {' '.join(stages)} (under supervisord, one process each)"
        yield Trouble(True, f"nobody works on: {', '.join(stages)}", start)
    if health.door is not None and health.door.unrouted:
        what = f"{health.door.unrouted:,} event(s) with an unknown routing key are in overheard.unrouted"
        yield Trouble(
            False, what, "look at them in RabbitMQ's management page, tell who publishes them, purge the queue"
        )


def _canary(health: Health, config: Config) -> Iterator[Trouble]:
    bird = health.canary
    if bird is not None and bird.late_since(health.now) is not None:
        silent = span(health.now - max(bird.delivered_at or 0.0, bird.begun_at))
        what = f"the canary is late: nothing has come out at the end for {silent}"
        yield Trouble(True, what, "follow it: grep overheard-canary in the logs shows the last stage that it reached")
    if config.canary.interval and health.active and not (config.reddit.client_id and config.reddit.user_agent):
        yield Trouble(True, "Reddit cannot be read: there are no credentials", "overheard check says where to get them")


def _rest(health: Health) -> Iterator[Trouble]:
    if health.failing_feeds:
        number = len(health.failing_feeds)
        yield Trouble(
            False,
            f"Reddit refuses {number:,} feed{'' if number == 1 else 's'} (listed above)",
            "take what is private or gone out of its workspace; all are tried again by themselves",
        )
    for sick in health.sick:
        state = "disabled" if sick.disabled else "failing"
        named = f"{sick.workspace} {shlex.quote(sick.name)}"
        mend = f"overheard channel test {named}"
        again = f", then: overheard channel enable {named}" if sick.disabled else ""
        yield Trouble(False, f"channel {sick.workspace}/{sick.name} is {state}: {sick.reason}", f"{mend}{again}")
    if health.dead_letters:
        number = health.dead_letters
        yield Trouble(False, f"{number:,} dead letter{'' if number == 1 else 's'}", "overheard dead list")
