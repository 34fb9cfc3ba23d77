"""``overheard channel add``, ``edit`` and ``remove``: change single channels of a workspace."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any, get_args

import click
from msgspec.structs import replace

from overheard.cli.context import running_process
from overheard.cli.output import one_line, print_line
from overheard.cli.root import WrongUsage
from overheard.errors import InvalidInput
from overheard.operations import channel_changes
from overheard.operations.channel_changes import SavedChannel
from overheard.operations.wording import counted
from overheard.workspaces import ChannelMode, ChannelSpec

NOTHING_TO_CHANGE = "nothing to change: give URL or an option (see --help)"


def pace_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of what a channel is sent, and how fast."""
    for option in (
        click.option("--secret", metavar="WHSEC", help="Secret that signs a webhook.  [default: a new one]"),
        click.option("--summary-every", metavar="SPAN", help="Least time between two summaries: 30s, 5m."),
        click.option(
            "--max-per-hour",
            type=int,
            help="Messages in an hour; more is folded into summaries. 0: one for each mention.",
        ),
        click.option("--min-gap", metavar="SPAN", help="Least time between two messages: 0s, 30s, 5m."),
        click.option(
            "--query", "queries", multiple=True, metavar="NAME", help="Only mentions of this query. Repeatable."
        ),
        click.option(
            "--mode",
            type=click.Choice(get_args(ChannelMode)),
            help="At once, in digests, or both: what is too much for single messages is in the digest.",
        ),
    ):
        command = option(command)
    return command


@click.command
@click.argument("workspace")
@click.argument("name")
@click.argument("url")
@pace_options
@click.pass_context
def add(context: click.Context, /, workspace: str, name: str, url: str, **options: Any) -> None:
    """Add a channel to WORKSPACE. Its URL is as for workspace add.

    \b
      overheard channel add acme team https://example.com/hook --query brand --max-per-hour 20
      overheard channel add acme boss mailto://user:password@example.com --mode digest
    """
    with running_process(context) as running:
        try:
            saved = channel_changes.add(running, workspace, ChannelSpec(name, url, **_given(options)))
        except InvalidInput as error:
            raise WrongUsage(str(error)) from None
    _print_saved(workspace, saved, "added")
    print_line("  To test it: ", (f"overheard channel test {workspace} {_word(name)}", "bold"))


@click.command
@click.argument("workspace")
@click.argument("name")
@click.argument("url", required=False)
@pace_options
@click.option("--all-queries", is_flag=True, help="Mentions of all queries.")
@click.option("--rotate-secret", is_flag=True, help="Sign with a new secret, and with the old one until it is dropped.")
@click.option("--drop-old-secret", is_flag=True, help="Sign with the new secret only.")
@click.pass_context
def edit(
    context: click.Context,
    /,
    workspace: str,
    name: str,
    url: str | None,
    all_queries: bool,
    rotate_secret: bool,
    drop_old_secret: bool,
    **options: Any,
) -> None:
    """Change a channel of WORKSPACE.

    What is not given stays. A disabled channel is enabled.

    \b
      overheard channel edit acme team --query brand --max-per-hour 20
      overheard channel edit acme team --rotate-secret
    """
    if sum((rotate_secret, drop_old_secret, options["secret"] is not None)) > 1:
        raise click.UsageError("--secret, --rotate-secret and --drop-old-secret cannot be used together")
    if all_queries and options["queries"]:
        raise click.UsageError("--query and --all-queries cannot be used together")
    changes = _given(options) | ({} if url is None else {"url": url}) | ({"queries": ()} if all_queries else {})
    if not changes and not rotate_secret and not drop_old_secret:
        raise click.UsageError(NOTHING_TO_CHANGE)

    def change(channel: ChannelSpec) -> ChannelSpec:
        changed = replace(channel, **changes)
        if rotate_secret:
            return channel_changes.rotated(changed)
        return channel_changes.without_old_secret(changed) if drop_old_secret else changed

    with running_process(context) as running:
        try:
            saved = channel_changes.edit(running, workspace, name, change)
        except InvalidInput as error:
            raise WrongUsage(str(error)) from None
    _print_saved(workspace, saved, "changed")
    if rotate_secret:
        drop = f"overheard channel edit {workspace} {_word(name)} --drop-old-secret"
        print_line("  Messages are signed with both. When the receiver has the new one: ", (drop, "bold"))


@click.command
@click.argument("workspace")
@click.argument("name")
@click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")
@click.pass_context
def remove(context: click.Context, workspace: str, name: str, yes: bool) -> None:
    """Remove a channel of WORKSPACE.

    What waits for it goes with it, and the history of what it was sent. Mentions are kept.
    """
    with running_process(context) as running:
        waiting = channel_changes.waiting(running.db, workspace, name)
        if not yes:
            verb = "waits" if waiting == 1 else "wait"
            what = f"{counted(waiting, 'mention')} that {verb} for it, and its history" if waiting else "its history"
            click.confirm(f"Remove {workspace}/{one_line(name)} with {what}?", abort=True, err=True)
        channel_changes.remove(running, workspace, name)
    print_line(("✓ ", "green"), (workspace, "bold"), f": channel {one_line(name)} is removed.")


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in options.items() if value is not None and value != ()}


def _print_saved(workspace: str, saved: SavedChannel, done: str) -> None:
    enabled = " and enabled" if saved.enabled else ""
    print_line(("✓ ", "green"), (workspace, "bold"), f": channel {one_line(saved.spec.name)} is {done}{enabled}.")
    if saved.new_secret is not None:
        # Shown at once: without it, the receiver cannot verify the next delivery.
        print_line("  It is a signed webhook. Its receiver verifies signatures with this secret:")
        print_line("    ", (saved.new_secret, "bold"))
        print_line(("  (Standard Webhooks; to show it again: overheard export --secrets)", "dim"))


def _word(name: str) -> str:
    return shlex.quote(one_line(name))
