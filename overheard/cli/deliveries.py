"""``overheard deliveries``: what was sent to channels, what waits, and why; and another try."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click
import msgspec
from rich.text import Text

from overheard.cli import output
from overheard.cli.arguments import as_unicode
from overheard.cli.context import running_process
from overheard.cli.durations import PastTime, rfc3339
from overheard.cli.output import Column, Format, format_option, one_line, print_line
from overheard.clock import system_clock
from overheard.db import delivery_history
from overheard.db.delivery_history import DELIVERY_STATES, DeliveryFilter, DeliveryRow, HoldCount
from overheard.operations import deliveries as operation
from overheard.operations.deliveries import DeliveryDetails, RetriedDelivery
from overheard.operations.wording import ago, counted, until
from overheard.sources.registry import place_label

Command = TypeVar("Command", bound=Callable[..., Any])

TABLE_ROWS = 50
KEYS = DeliveryRow.__struct_fields__
REASON_KEYS = HoldCount.__struct_fields__
STATE_STYLES = {"sent": "green", "failed": "bold red", "pending": "yellow"}


@click.group
def deliveries() -> None:
    """List, show and retry deliveries: one for each mention and channel, summary, digest and report."""


def filters(command: Command) -> Command:
    """Add the filter options to a command."""
    options = (
        click.option("--workspace", "-w", metavar="SLUG", help="Only of this workspace."),
        click.option("--channel", "-c", metavar="NAME", callback=as_unicode, help="Only to channels of this name."),
        click.option("--state", type=click.Choice(DELIVERY_STATES), help="Only in this state."),
        click.option(
            "--query", "-q", metavar="NAME", callback=as_unicode, help="Only with a mention that this query found."
        ),
        click.option("--since", type=PastTime(), help="Only created since: 30m, 2h, 7d, 2026-11-01."),
    )
    # click shows the option that was added last first, as with decorators.
    for option in reversed(options):
        command = option(command)
    return command


@deliveries.command("list")
@filters
@click.option("--by", type=click.Choice(["reason"]), help="Only count what is held and muted, by reason.")
@click.option("--limit", "-n", type=click.IntRange(min=1), help="Only the newest.  [default: 50 in a table, else all]")
@format_option
@click.pass_context
def list_(context: click.Context, /, by: str | None, limit: int | None, format: Format, **options: Any) -> None:
    """List deliveries, newest first, below what is held and muted, by reason."""
    with running_process(context) as running:
        which = DeliveryFilter(**options)
        operation.check(running.db, which)
        if by is not None or format == "table":
            reasons = delivery_history.count_reasons(running.db, which)
        if by is not None:
            output.print_listing(reasons, REASON_COLUMNS, format, keys=REASON_KEYS, empty="Nothing is held or muted.")
            return
        if format == "table" and reasons:
            output.print_table(output.table(reasons, REASON_COLUMNS))
            print_line()
        none = "No deliveries." if which == DeliveryFilter() else "No matching deliveries."
        # Only tables are cut: a program would take a default limit for the whole list.
        if limit is not None or format != "table":
            rows = delivery_history.listing(running.db, which, limit=limit)
            output.print_listing(rows, _columns(), format, keys=KEYS, empty=none)
            return
        newest = list(delivery_history.listing(running.db, which, limit=TABLE_ROWS + 1))
        output.print_listing(newest[:TABLE_ROWS], _columns(), format, keys=KEYS, empty=none)
        if len(newest) > TABLE_ROWS:
            print_line((output.OLDER, "dim"), stderr=True)


@deliveries.command
@click.argument("id", callback=as_unicode)
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def show(context: click.Context, id: str, format: str) -> None:
    """Show a delivery: its tries, its mentions, and what it was bundled into."""
    with running_process(context) as running:
        found = operation.details(running.db, id)
    if format == "json":
        output.print_json(_details_record(found))
        return
    output.print_table(output.facts_table(_facts(found)))
    if found.members:
        print_line()
        output.print_table(output.table(found.members, MEMBER_COLUMNS))
        if (more := len(found.row.mentions) - len(found.members)) > 0:
            print_line((f"… and {counted(more, 'older one')}", "dim"))
    if found.tries:
        print_line()
        output.print_table(output.table(found.tries, TRY_COLUMNS))


@deliveries.command
@click.argument("ids", nargs=-1, metavar="[ID]...")
@filters
@format_option
@click.pass_context
def retry(context: click.Context, /, ids: tuple[str, ...], format: Format, **options: Any) -> None:
    """Send failed, held or muted deliveries now: those with these IDs, or all that the options choose.

    They become pending, and are sent within about a minute; quiet hours and the channel's pace still apply. A second
    retry changes nothing. What was sent is refused: exit code 1.

    \b
      overheard deliveries retry msg_3f2a…
      overheard deliveries retry --workspace acme --channel team --state failed
    """
    which = DeliveryFilter(**options)
    if bool(ids) == (which != DeliveryFilter()):
        raise click.UsageError("give IDs (see `overheard deliveries list`), or choose by --workspace, --channel, …")
    with running_process(context) as running:
        operation.check(running.db, which)
        now = running.clock()
        chosen: Iterable[RetriedDelivery] = (operation.retry(running.db, key, now) for key in dict.fromkeys(ids))
        retried = list(chosen if ids else operation.retry_all(running.db, which, now))
    rows = [each.row for each in retried]
    output.print_listing(rows, _columns(), format, keys=KEYS, empty="No matching deliveries.")
    for each in retried:
        if each.refused is not None:
            output.print_error(f"{each.row.id}: {each.refused}")
    if any(each.refused for each in retried):
        raise click.exceptions.Exit(1)


def _details_record(found: DeliveryDetails) -> dict[str, Any]:
    return {
        **output.as_record(found.row, KEYS),
        "tries": [output.as_record(each, ("at", "error")) for each in found.tries],
        "members": [msgspec.structs.asdict(each) for each in found.members],
        "bundled_into": None if found.bundled_into is None else found.bundled_into.id,
    }


def _facts(found: DeliveryDetails) -> list[tuple[str, str | Text]]:
    row, now = found.row, system_clock()
    container = found.bundled_into
    return [
        ("Delivery", row.id),
        ("To", f"{row.workspace}/{one_line(row.channel)}"),
        ("Type", row.type),
        ("State", _state(row)),
        ("Created", f"{ago(row.created_at, now)} ({rfc3339(row.created_at)})"),
        ("Tries", str(row.attempts)),
        *([] if row.next_try_at is None else [("Next try", f"{until(row.next_try_at, now)}")]),
        *([] if row.sent_at is None else [("Sent", f"{ago(row.sent_at, now)} ({rfc3339(row.sent_at)})")]),
        *([] if row.error is None else [("Last error", one_line(row.error))]),
        *([] if container is None else [("Part of", f"{container.id}, a {container.type}, {container.state}")]),
        *([("Mentions", f"{len(row.mentions):,}")] if len(row.mentions) != 1 else []),
    ]


def _state(row: DeliveryRow) -> Text:
    by = f" by {one_line(row.held_by)}" if row.held_by and row.state in ("held", "muted", "pending") else ""
    state = f"{row.state}{by}" if row.state != "pending" or not by else f"pending, held{by}"
    return Text(state, style=STATE_STYLES.get(row.state, ""))


def _what_next(row: DeliveryRow) -> str:
    if row.sent_at is not None:
        return f"sent {ago(row.sent_at, system_clock())}"
    if row.next_try_at is not None:
        return f"next try {until(row.next_try_at, system_clock())}"
    return ""


def _columns() -> tuple[Column, ...]:
    return TERMINAL_COLUMNS if output.console().is_terminal else PIPED_COLUMNS


def _what(row: DeliveryRow) -> Text:
    count = f", {counted(len(row.mentions), 'mention')}" if len(row.mentions) != 1 else ""
    return Text.assemble(row.id, "\n", (f"{row.type}{count}", "cyan"))


def _to(row: DeliveryRow) -> Text:
    return Text.assemble(f"{row.workspace}/{one_line(row.channel)}", "\n", (ago(row.created_at, system_clock()), "dim"))


def _progress(row: DeliveryRow) -> Text:
    tries = counted(row.attempts, "try") if row.attempts else ""
    lines = (Text(", ".join(part for part in (_what_next(row), tries) if part), "dim"), Text(one_line(row.error)))
    return Text("\n").join([_state(row), *(line for line in lines if line.plain)])


# Two lines and more for each: a terminal is narrow.
TERMINAL_COLUMNS = (
    Column("What", _what, {"no_wrap": True}),
    Column("To", _to, {"overflow": "fold", "min_width": 12}),
    Column("State", _progress, {"overflow": "fold", "ratio": 1}),
)
PIPED_COLUMNS = (
    Column("ID", lambda row: row.id, {"no_wrap": True}),
    Column("Created", lambda row: ago(row.created_at, system_clock()), {"no_wrap": True}),
    Column("To", lambda row: f"{row.workspace}/{one_line(row.channel)}", {"overflow": "fold"}),
    Column("Type", lambda row: row.type, {"style": "cyan", "no_wrap": True}),
    Column("Mentions", lambda row: f"{len(row.mentions):,}", {"justify": "right"}),
    Column("State", _state),
    Column("Tries", lambda row: str(row.attempts), {"justify": "right"}),
    Column("Then", _what_next),
    Column("Error", lambda row: one_line(row.error), {"overflow": "fold"}),
)
REASON_COLUMNS = (
    Column("Count", lambda each: f"{each.count:,}", {"justify": "right"}),
    Column("State", lambda each: each.state),
    Column("By", lambda each: one_line(each.held_by), {"overflow": "fold"}),
)
MEMBER_COLUMNS = (
    Column("Mention", lambda each: each.mention, {"justify": "right"}),
    Column("Item", lambda each: one_line(each.item), {"overflow": "fold"}),
    Column("Where", lambda each: one_line(place_label(each.source, each.place)), {"style": "cyan"}),
    Column("Title", lambda each: one_line(each.title), {"overflow": "ellipsis", "no_wrap": True}),
)
TRY_COLUMNS: tuple[Column, ...] = (
    Column("Failed try", lambda each: rfc3339(each.at) or "", {"no_wrap": True}),
    Column("Error", lambda each: one_line(each.error), {"overflow": "fold"}),
)
