"""``overheard workspace``: add, edit, list, show, pause, resume and remove workspaces."""

from __future__ import annotations

import click
import msgspec
from rich.text import Text

from overheard.cli import output
from overheard.cli.context import running_process
from overheard.cli.output import Column, Format, format_option, one_line, print_line
from overheard.cli.workspace_add import add
from overheard.cli.workspace_edit import edit
from overheard.db import mentions, workspace_specs
from overheard.db import workspaces as stored
from overheard.db.workspaces import WorkspaceOverview
from overheard.operations import workspaces
from overheard.operations.wording import ago, counted, until
from overheard.operations.workspace_diff import limits_text, pace
from overheard.sources.registry import place_label, source_type
from overheard.workspaces import ChannelSpec, MuteSpec
from overheard.workspaces.mutes import mute_text


@click.group
def workspace() -> None:
    """Manage workspaces."""


workspace.add_command(add)
workspace.add_command(edit)


@workspace.command("list")
@format_option
@click.pass_context
def list_(context: click.Context, format: Format) -> None:
    """List workspaces and their counts."""
    with running_process(context) as running:
        keys = WorkspaceOverview.__struct_fields__
        empty = "No workspaces yet: overheard workspace add, or overheard import."
        output.print_listing(stored.overview(running.db), _columns(running.clock()), format, keys=keys, empty=empty)


def _columns(now: float) -> tuple[Column, ...]:
    def due(row: WorkspaceOverview) -> Text:
        return Text(until(row.next_due_at, now)) if row.active else Text("paused", style="yellow")

    def number(title: str, key: str) -> Column:
        return Column(title, lambda row: f"{getattr(row, key):,}", {"justify": "right"})

    return (
        Column("Workspace", lambda row: row.slug, {"style": "bold", "no_wrap": True}),
        Column("Name", lambda row: one_line(row.name), {"overflow": "fold"}),
        Column("Every", lambda row: row.every, {"no_wrap": True}),
        Column("Last run", lambda row: ago(row.served_at, now), {"no_wrap": True}),
        Column("Next run", due, {"no_wrap": True}),
        number("Feeds", "feeds"),
        number("Queries", "queries"),
        number("Channels", "channels"),
        number("Mentions", "mentions"),
    )


@workspace.command
@click.argument("slug")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def show(context: click.Context, slug: str, format: str) -> None:
    """Show a workspace (channel URLs redacted)."""
    with running_process(context) as running:
        details = workspaces.details(running.db, slug)
    spec, row = details.spec, details.row
    if format == "json":
        # The keys are a contract, older than the attributes' names.
        refused = [
            {"query": each.query, "matched": each.matched, "what": each.message, "do": each.remedy}
            for each in details.refused_queries
        ]
        counts = {"active": row.active, "mentions": details.mentions, "refused_queries": refused}
        output.print_json({**msgspec.to_builtins(spec), **counts})
        return
    now = running.clock()
    print_line((spec.slug, "bold"), "  ", one_line(spec.name), ("" if row.active else "  paused", "yellow"))
    facts = (
        *(
            (
                "Watches",
                f"{', '.join(source_type(source).kinds_read(kinds)) or 'nothing'} of "
                f"{', '.join(place_label(source, place) for place in places)}",
            )
            for source, places, kinds in spec.watches
        ),
        ("Every", f"{spec.every} ({spec.timezone})"),
        ("Last run", ago(details.ran_at, now)),
        ("Next run", until(row.next_due_at, now) if row.active else "paused"),
        ("Digests", f"{spec.digest} ({spec.timezone})"),
        *((name, text) for name, text in (("Quiet hours", spec.quiet), ("Working hours", spec.working)) if text),
        ("Mentions", f"{details.mentions:,}"),
        *((f"Query {one_line(query.name)}", one_line(f"{query.text}{limits_text(query)}")) for query in spec.query),
        *((f"Channel {one_line(channel.name)}", one_line(_channel(channel))) for channel in spec.channel),
        *(("Muted", _mute(mute)) for mute in spec.mute),
    )
    output.print_table(output.facts_table(facts))
    for query in details.refused_queries:
        state = "is still matched" if query.matched else "is not matched"
        print_line(
            ("! ", "yellow"), one_line(f"query {query.query} would be refused today, and {state}: {query.message}")
        )
        output.print_hint(query.remedy, 2)


def _channel(channel: ChannelSpec) -> str:
    """Return where a channel is, and what of its pace and queries is not usual."""
    return f"{channel.url}  {', '.join(pace(channel))}"


def _mute(mute: MuteSpec) -> str:
    return one_line(f"{mute_text(mute)} {f'until {mute.until}' if mute.until else 'for good'}")


@workspace.command
@click.argument("slug")
@click.pass_context
def pause(context: click.Context, slug: str) -> None:
    """Stop running a workspace; its data is kept."""
    with running_process(context) as running:
        workspaces.set_active(running.db, slug, False)
    print_line(
        ("✓ ", "green"), (slug, "bold"), " is paused. To resume it: ", (f"overheard workspace resume {slug}", "bold")
    )


@workspace.command
@click.argument("slug")
@click.pass_context
def resume(context: click.Context, slug: str) -> None:
    """Resume a paused workspace."""
    with running_process(context) as running:
        workspaces.set_active(running.db, slug, True)
    print_line(("✓ ", "green"), (slug, "bold"), " is active again.")


@workspace.command
@click.argument("slug")
@click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")
@click.pass_context
def remove(context: click.Context, slug: str, yes: bool) -> None:
    """Delete a workspace with its queries, channels and mentions."""
    with running_process(context) as running:
        row = workspaces.require_not_internal(running.db, slug)
        contents = counted(mentions.count(running.db, row.id), "mention")
        if not yes:
            click.confirm(f"Delete {slug} with its queries, channels and {contents}?", abort=True, err=True)
        workspace_specs.remove(running.db, row.id)
    print_line(("✓ ", "green"), (slug, "bold"), f" has been deleted, with {contents}.")
