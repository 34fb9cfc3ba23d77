"""``overheard query add``, ``edit``, ``rename`` and ``remove``: change single queries of a workspace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from msgspec.structs import replace

from overheard.cli.context import running_process
from overheard.cli.flood_warnings import warn_of_floods
from overheard.cli.output import one_line, print_line
from overheard.cli.root import WrongUsage
from overheard.errors import InvalidInput
from overheard.matching.language import parse_stored
from overheard.operations import workspace_queries
from overheard.operations.flood_warnings import SavedQueries
from overheard.operations.query_explanation import explain
from overheard.operations.wording import counted
from overheard.workspaces import KINDS, QuerySpec

NOTHING_TO_CHANGE = "nothing to change: give TEXT, --place, --source, --kind or --everywhere"


def scope_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that limit a query to some of what its workspace watches."""
    place = click.option(
        "--place", "places", multiple=True, metavar="PLACE", help="Only in this watched place. Repeatable."
    )
    source = click.option(
        "--source", "sources", multiple=True, metavar="SOURCE", help="Only of this watched source. Repeatable."
    )
    kind = click.option(
        "--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only of this kind. Repeatable."
    )
    return place(source(kind(command)))


@click.command
@click.argument("workspace")
@click.argument("name")
@click.argument("text")
@scope_options
@click.pass_context
def add(context: click.Context, /, workspace: str, name: str, text: str, **scope: Any) -> None:
    """Add a query to WORKSPACE.

    \b
      overheard query add acme brand '"acme db" OR acmedb'
      overheard query add acme help 'acme (error OR crash)' --place r/selfhosted --kind posts
    """
    with running_process(context) as running:
        saved = SavedQueries(running)
        try:
            query = workspace_queries.add(running, workspace, QuerySpec(name, text, **scope))
        except InvalidInput as error:
            raise WrongUsage(str(error)) from None
        _print_saved(workspace, query, "added")
        warn_of_floods(saved)


@click.command
@click.argument("workspace")
@click.argument("name")
@click.argument("text", required=False)
@scope_options
@click.option("--everywhere", is_flag=True, help="In everything that the workspace watches.")
@click.pass_context
def edit(
    context: click.Context, /, workspace: str, name: str, text: str | None, everywhere: bool, **scope: tuple[str, ...]
) -> None:
    """Change a query of WORKSPACE: its text, or what it is limited to. What is not given stays.

    Its mentions stay, too: to find others, see overheard query apply, and overheard backfill.
    """
    changes: dict[str, Any] = dict.fromkeys(scope, ()) if everywhere else {}
    changes |= {field: values for field, values in scope.items() if values}
    changes |= {} if text is None else {"text": text}
    if not changes:
        raise click.UsageError(NOTHING_TO_CHANGE)
    with running_process(context) as running:
        saved = SavedQueries(running)
        try:
            query = workspace_queries.edit(running, workspace, name, lambda found: replace(found, **changes))
        except InvalidInput as error:
            raise WrongUsage(str(error)) from None
        _print_saved(workspace, query, "changed")
        warn_of_floods(saved)


@click.command
@click.argument("workspace")
@click.argument("name")
@click.argument("new_name")
@click.pass_context
def rename(context: click.Context, workspace: str, name: str, new_name: str) -> None:
    """Rename a query of WORKSPACE. Its mentions, mutes and the channels that hear of it follow."""
    with running_process(context) as running:
        try:
            workspace_queries.rename(running, workspace, name, new_name)
        except InvalidInput as error:
            raise WrongUsage(str(error)) from None
    print_line(("✓ ", "green"), (workspace, "bold"), f": query {one_line(name)} is called {one_line(new_name)} now.")


@click.command
@click.argument("workspace")
@click.argument("name")
@click.pass_context
def remove(context: click.Context, workspace: str, name: str) -> None:
    """Remove a query of WORKSPACE. Its mentions are kept; it is taken out of the lists of its channels."""
    with running_process(context) as running:
        removed = workspace_queries.remove(running, workspace, name)
    print_line(("✓ ", "green"), (workspace, "bold"), f": query {one_line(name)} is removed; its mentions are kept.")
    for channel in removed.channels:
        print_line(f"  Channel {one_line(channel)} does not hear of it any more.")
    if removed.mutes:
        print_line(f"  {counted(removed.mutes, 'mute')} of it went with it.")
    if not removed.left:
        print_line(("! ", "yellow"), "It was the last one: the workspace finds nothing any more.")


def _print_saved(workspace: str, query: QuerySpec, done: str) -> None:
    print_line(("✓ ", "green"), (workspace, "bold"), f": query {one_line(query.name)} is {done}.")
    parsed, _ = parse_stored(query.text, scope=query.scope.node)
    for warning in explain(query.text, parsed).warnings:
        print_line(("! ", "yellow"), one_line(warning), stderr=True)
