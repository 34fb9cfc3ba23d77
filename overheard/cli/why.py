"""``overheard why``: the way of an item to a workspace's channels, or where it ended."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import click
from rich.text import Text

from overheard.cli import output
from overheard.cli.arguments import as_unicode
from overheard.cli.context import running_process
from overheard.cli.durations import past_time
from overheard.cli.output import Column, Format, format_option, one_line, print_line
from overheard.db import workspaces
from overheard.operations import why as operation
from overheard.operations.way_step import Way, WayStep
from overheard.operations.why import WhyAnswer

KEYS = WayStep.__struct_fields__
STEP_STYLES = {"sent": "green", "failed": "bold red", "held": "yellow", "tried": "yellow"}


@click.command
@click.argument("workspace")
@click.option(
    "--item", metavar="ID", callback=as_unicode, help="The item: its source's id, a mention's id, or its address."
)
@click.option(
    "--at",
    metavar="TIME",
    help="A time: 14:05, 30m (ago), 2026-11-01T09:00; in the workspace's time zone.  [default: now]",
)
@format_option
@click.pass_context
def why(context: click.Context, workspace: str, item: str | None, at: str | None, format: Format) -> None:
    """Say why WORKSPACE got a message, or did not: when the item was read, what matched it, what held it, who answered.

    Without --item it tells of the mentions that were published, stored or sent within ten minutes of a time, and if
    there are none, how the reading went. JSON has one object per step; each item's way begins with the step `read`.

    \b
      overheard why acme --at 14:05
      overheard why acme --item https://news.ycombinator.com/item?id=8863
    """
    if item is not None and at is not None:
        raise click.UsageError("give --item or --at, not both")
    with running_process(context) as running:
        row = workspaces.by_name(running.db, workspace)
        now = running.clock()
        if item is not None:
            answer = operation.of_item(running.db, workspace, item, now)
        else:
            moment = now if at is None else past_time(at, ZoneInfo(row.timezone), now)
            answer = operation.around(running.db, workspace, moment, now)
    if format == "table":
        _print(workspace, answer)
        return
    steps = (step for way in answer.ways for step in way.steps)
    output.print_listing(steps, (), format, keys=KEYS, empty="")


def _print(workspace: str, answer: WhyAnswer) -> None:
    zone = ZoneInfo(answer.timezone)
    if answer.since is not None and answer.until is not None:
        between = f"{_moment(answer.since, zone)} to {datetime.fromtimestamp(answer.until, zone):%H:%M:%S}"
        print_line((workspace, "bold"), f", {between} ({answer.timezone})")
    else:
        print_line((workspace, "bold"), f", times in {answer.timezone}")
    for way in answer.ways:
        print_line()
        _print_way(way, zone)
    if answer.more:
        print_line(("\n… and more mentions in this time; ask for one with --item", "dim"))


def _print_way(way: Way, zone: ZoneInfo) -> None:
    facts = [one_line(fact) for fact in way.facts]
    print_line((one_line(way.title), "bold"), ("".join(f"  {fact}" for fact in facts), "dim"))
    columns: tuple[Column, ...] = (
        Column("", lambda step: "" if step.at is None else _moment(step.at, zone), {"style": "dim", "no_wrap": True}),
        Column("", lambda step: Text(step.step, STEP_STYLES.get(step.step, "cyan")), {"no_wrap": True}),
        Column("", lambda step: one_line(step.channel), {"overflow": "fold"}),
        Column("", lambda step: one_line(step.reason), {"overflow": "fold", "ratio": 1}),
    )
    if not any(step.channel for step in way.steps):
        columns = (*columns[:2], columns[3])
    output.print_table(output.table(way.steps, columns, header=False))


def _moment(moment: float, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(moment, zone):%Y-%m-%d %H:%M:%S}"
