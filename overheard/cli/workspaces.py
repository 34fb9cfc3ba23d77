"""``overheard workspace``: who listens to what."""

from __future__ import annotations

import click
import msgspec
from rich.text import Text

from overheard.cli import output
from overheard.cli.context import open_app
from overheard.cli.output import Column, Format, flat, format_option, line
from overheard.cli.workspace_add import add
from overheard.db import mentions, workspace_specs
from overheard.db import workspaces as stored
from overheard.db.workspaces import WorkspaceOverview
from overheard.operations import workspaces
from overheard.operations.wording import ago, ahead, counted
from overheard.sources.registry import place_label


@click.group
def workspace() -> None:
    """Workspaces: who listens to what, and who is told."""


workspace.add_command(add)


@workspace.command("list")
@format_option
@click.pass_context
def list_(context: click.Context, format: Format) -> None:
    """All workspaces, with how much of everything they have."""
    with open_app(context) as program:
        keys = WorkspaceOverview.__struct_fields__
        empty = "No workspaces yet: overheard workspace add, or overheard import."
        output.show(stored.overview(program.db), _columns(program.clock()), format, keys=keys, empty=empty)


def _columns(now: float) -> tuple[Column, ...]:
    def due(row: WorkspaceOverview) -> Text:
        return Text(ahead(row.next_due_at, now)) if row.active else Text("paused", style="yellow")

    def number(title: str, key: str) -> Column:
        return Column(title, lambda row: f"{getattr(row, key):,}", {"justify": "right"})

    return (
        Column("Workspace", lambda row: row.slug, {"style": "bold", "no_wrap": True}),
        Column("Name", lambda row: flat(row.name), {"overflow": "fold"}),
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
    """One workspace in full, but for its channels' addresses."""
    with open_app(context) as program:
        found = workspaces.details(program.db, slug)
    spec, row = found.spec, found.row
    if format == "json":
        counts = {"active": row.active, "mentions": found.mentions, "refused_queries": found.refused_queries}
        output.print_json({**msgspec.to_builtins(spec), **counts})
        return
    now = program.clock()
    line((spec.slug, "bold"), "  ", flat(spec.name), ("" if row.active else "  paused", "yellow"))
    facts = (
        *(
            ("Looks at", f"{', '.join(kinds)} of {', '.join(place_label(source, place) for place in places)}")
            for source, places, kinds in spec.watches
        ),
        ("Every", f"{spec.every} ({spec.timezone})"),
        ("Last run", ago(found.ran_at, now)),
        ("Next run", ahead(row.next_due_at, now) if row.active else "paused"),
        ("Digests", f"{spec.digest} ({spec.timezone})"),
        ("Mentions", f"{found.mentions:,}"),
        *((f"Query {flat(query.name)}", flat(query.text)) for query in spec.query),
        *((f"Channel {flat(channel.name)}", f"{channel.url}  {channel.mode}") for channel in spec.channel),
    )
    output.print_table(output.facts(facts))
    for each in found.refused_queries:
        state = "is matched as before" if each.matched else "is not matched"
        line(("! ", "yellow"), flat(f"query {each.query} would be refused today, and {state}: {each.what}"))
        output.hint(each.do, 2)


@workspace.command
@click.argument("slug")
@click.pass_context
def pause(context: click.Context, slug: str) -> None:
    """Look for nothing any more, and keep everything."""
    with open_app(context) as program:
        workspaces.set_active(program.db, slug, False)
    line(("✓ ", "green"), (slug, "bold"), " is paused. To go on: ", (f"overheard workspace resume {slug}", "bold"))


@workspace.command
@click.argument("slug")
@click.pass_context
def resume(context: click.Context, slug: str) -> None:
    """Go on after a pause."""
    with open_app(context) as program:
        workspaces.set_active(program.db, slug, True)
    line(("✓ ", "green"), (slug, "bold"), " goes on.")


@workspace.command
@click.argument("slug")
@click.option("--yes", "-y", is_flag=True, help="Without asking.")
@click.pass_context
def remove(context: click.Context, slug: str, yes: bool) -> None:
    """Delete a workspace with its queries, channels and mentions."""
    with open_app(context) as program:
        row = workspaces.changeable(program.db, slug)
        found = counted(mentions.count(program.db, row.id), "mention")
        if not yes:
            click.confirm(f"Delete {slug} with its queries, channels and {found}?", abort=True, err=True)
        workspace_specs.remove(program.db, row.id)
    line(("✓ ", "green"), (slug, "bold"), f" is gone, with {found}.")
