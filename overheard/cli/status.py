"""``overheard status``: how everything is, on one screen."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import click
import msgspec
from rich.text import Text

from overheard.bus.queues import Queue
from overheard.cli import output
from overheard.cli.health import Health, look
from overheard.cli.opening import opened
from overheard.cli.output import Column, flat, line
from overheard.cli.times import ago, ahead, rfc3339, span
from overheard.cli.troubles import Trouble
from overheard.cli.troubles import troubles as troubles_of

SHOWN = 10  # failing feeds and channels; --format json has all


@click.command
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def status(context: click.Context, format: str) -> None:
    """How everything is, and what to do about what is not well.

    Exit code 1 when nothing, or too little, gets through: no tick, nobody at a queue, runs or deliveries left behind.
    Feeds that Reddit refuses, channels that fail and dead letters are told, and are no reason for it.
    """
    with opened(context) as program:
        health = look(program)
        troubles = troubles_of(health, program.config)
    healthy = not any(trouble.severe for trouble in troubles)
    if format == "json":
        output.print_json(as_json(health, troubles, healthy))
    else:
        _print(health, troubles, healthy)
    sys.exit(0 if healthy else 1)


def as_json(health: Health, troubles: list[Trouble], healthy: bool) -> dict[str, Any]:
    """All of it in one object; times are RFC 3339, spans seconds."""
    facts: dict[str, Any] = msgspec.to_builtins(health)
    late, waiting = facts.pop("late"), facts["deliveries"]
    for row in facts["failing_feeds"]:
        row["retry_at"] = rfc3339(row["retry_at"])
    for row in facts["sick"]:
        row["since"] = rfc3339(row["since"])
    waiting["overdue_since"] = rfc3339(waiting["overdue_since"])
    return {
        "healthy": healthy,
        "troubles": troubles,
        "at": rfc3339(facts.pop("now")),
        "last_tick_at": rfc3339(facts.pop("last_tick_at")),
        "workspaces": {"active": facts.pop("active"), "paused": facts.pop("paused")},
        "late": {"workspace": late[0], "since": rfc3339(late[1])} if late else None,
        "feeds": facts.pop("feeds"),
        "feed_lag_seconds": health.lag,
        "coverage_gaps": facts.pop("gaps"),
        "failing_feeds": facts.pop("failing_feeds"),
        "reddit": {"remaining": facts.pop("remaining"), "booked_seconds": facts.pop("booked")},
        "queues": facts.pop("queues"),
        "door": facts.pop("door"),
        "bus_fault": facts.pop("bus_fault"),
        "channels": facts.pop("channels"),
        "sick_channels": facts.pop("sick"),
        "deliveries": waiting,
        "dead_letters": facts.pop("dead_letters"),
    }


def _print(health: Health, troubles: list[Trouble], healthy: bool) -> None:
    output.facts(_facts(health))
    for title, rows, columns in _listings(health):
        line()
        output.print_table(output.table(rows[:SHOWN], columns))
        if len(rows) > SHOWN:
            line((f"… and {len(rows) - SHOWN:,} more {title}; --format json lists all", "dim"))
    line()
    for trouble in troubles:
        line(("✗ ", "bold red") if trouble.severe else ("! ", "yellow"), flat(trouble.what))
        output.hint(trouble.do, 4)
    if healthy and not troubles:
        line(("✓ ", "green"), "All is well.")


def _facts(health: Health) -> Iterator[tuple[str, str | Text]]:
    feeds, waiting = health.feeds, health.deliveries
    yield "Last tick", ago(health.last_tick_at, health.now)
    yield "Workspaces", f"{health.active:,} active, {health.paused:,} paused"
    yield "Feeds", f"{feeds['ok']:,} ok, {feeds['failing']:,} failing, {feeds['new']:,} new"
    yield "Lag", "–" if health.lag is None else f"{span(health.lag)}, of the feed that was read the longest time ago"
    if health.gaps:
        yield "Gaps", f"{health.gaps:,} times a feed had more news than Reddit lists: look more often"
    left = "not asked yet" if health.remaining is None else f"{health.remaining:,.0f} requests left"
    booked = f", booked for the next {span(health.booked)}" if health.booked >= 1 else ""
    yield "Reddit", f"{left}{booked}"
    yield "Channels", f"{health.channels:,}, {len(health.sick):,} of them not well"
    yield "Deliveries", f"{waiting.pending:,} pending, {waiting.held:,} held for digests"
    yield "Dead letters", f"{health.dead_letters:,}"


def _listings(health: Health) -> Iterator[tuple[str, list[Any], tuple[Column, ...]]]:
    if health.queues is not None:
        yield "queues", health.queues, QUEUE_COLUMNS
    if health.failing_feeds:
        columns = (
            Column("Refused feed", lambda row: f"r/{row.name}"),
            Column("Of", lambda row: row.kind),
            Column("Reason", lambda row: flat(row.reason)),
            Column("Tries", lambda row: f"{row.failures:,}", {"justify": "right"}),
            Column("Next try", lambda row: ahead(row.retry_at, health.now)),
        )
        yield "feeds", health.failing_feeds, columns


def _workers(queue: Queue) -> Text:
    return Text(f"{queue.workers or 0:,}", style="" if queue.workers else "bold red")


QUEUE_COLUMNS = (
    Column("Queue", lambda row: row.name),
    Column("Waiting", lambda row: f"{row.waiting:,}", {"justify": "right"}),
    Column("Delayed", lambda row: f"{row.delayed:,}", {"justify": "right"}),
    Column("Dead", lambda row: f"{row.dead:,}", {"justify": "right"}),
    Column("Workers", _workers, {"justify": "right"}),
)
