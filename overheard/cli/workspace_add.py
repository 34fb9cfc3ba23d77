"""``overheard workspace add``."""

from __future__ import annotations

from typing import Any

import click

from overheard.cli import arguments
from overheard.cli.context import open_app
from overheard.cli.group import WrongUsage
from overheard.cli.output import line
from overheard.cli.workspace_files import warn
from overheard.db import heartbeats
from overheard.errors import InvalidInput
from overheard.operations import workspaces
from overheard.operations.wording import counted
from overheard.operations.workspaces import SavedWorkspace
from overheard.sources.registry import place_label
from overheard.workspaces import DEFAULT_DIGEST, DEFAULT_EVERY, WorkspaceSpec

KINDS: dict[str, tuple[str, ...]] = {"posts": ("posts",), "comments": ("comments",), "both": ("posts", "comments")}


@click.command
@click.argument("slug")
@click.option("--name", default="", help="What to call it (default: its slug).")
@click.option("--subreddit", "-s", multiple=True, help='"all": all of Reddit. Repeatable.')
@click.option("--watch", multiple=True, metavar="SOURCE:PLACE", help="As -s, of any source: reddit:rust. Repeatable.")
@click.option("--query", "-q", multiple=True, required=True, metavar="[NAME=]QUERY", help="Repeatable.")
@click.option("--channel", "-c", multiple=True, metavar="[NAME=]URL", help="Who is told at once. Repeatable.")
@click.option("--digest-channel", multiple=True, metavar="[NAME=]URL", help="Who is told by digest. Repeatable.")
@click.option("--every", default=DEFAULT_EVERY, show_default=True, help="When to look: 30s, 5m, 1h, or a cron line.")
@click.option("--digest", default=DEFAULT_DIGEST, show_default=True, help="When digests are sent.")
@click.option("--timezone", default="UTC", show_default=True, help="Of both: Europe/Berlin.")
@click.option("--kinds", type=click.Choice(list(KINDS)), default="both", show_default=True, help="What to look at.")
@click.pass_context
def add(context: click.Context, /, slug: str, **given_options: Any) -> None:
    """Make a workspace.

    A channel's URL is https://… for a signed webhook, or Apprise's: slack://…, discord://…, mailto://… and 130 more.

    \b
      overheard workspace add acme --subreddit python --subreddit selfhosted \\
          --query 'brand="acme db" OR acmedb' --channel 'team=https://example.com/hook'
    """
    with open_app(context, create=True) as program:
        try:
            saved = workspaces.add(program, _spec(slug, given_options))
        except InvalidInput as error:
            raise WrongUsage(str(error)) from None
        _tell(saved, ticking=heartbeats.last_at(program.db, "tick") is not None)
        warn(saved)


def _spec(slug: str, options: dict[str, Any]) -> WorkspaceSpec:
    if not options["subreddit"] and not options["watch"]:
        raise InvalidInput("Missing option: --subreddit, or --watch, says where to look")
    return WorkspaceSpec(
        slug=slug,
        name=options["name"],
        timezone=options["timezone"],
        every=options["every"],
        digest=options["digest"],
        subreddits=options["subreddit"],
        watch=arguments.watches(options["watch"]),
        kinds=KINDS[options["kinds"]],  # type: ignore[arg-type]
        query=arguments.queries(options["query"]),
        channel=arguments.channels(options["channel"], options["digest_channel"]),
    )


def _tell(saved: SavedWorkspace, *, ticking: bool) -> None:
    """Say what there is now, what happens next, and the secrets that were made."""
    spec = saved.spec
    line(("✓ ", "green"), (spec.slug, "bold"), f" looks at {_places(spec)} ({_often(spec.every)}).")
    if not spec.channel:
        line("  Nobody is told; what is found is listed by: ", (f"overheard mentions --workspace {spec.slug}", "bold"))
    for name, secret in saved.secrets.items():
        line("\n  ", (name, "bold"), " is a signed webhook. The secret that its receiver checks signatures with:")
        line("    ", (secret, "bold"))
        line(("  (Standard Webhooks; to see it again: overheard export --secrets)\n", "dim"))
    if ticking:
        line("  It is due now. To try its channels: ", (f"overheard channel test {spec.slug} NAME", "bold"))
    else:
        line("  Nothing runs yet. Try everything with: ", ("overheard check", "bold"))
        line("  Then start it with:                    ", ("overheard run", "bold"))


def _places(spec: WorkspaceSpec) -> str:
    watched = " and at ".join(
        f"the {' and '.join(kinds)} of {_and([place_label(source, place) for place in places])}"
        for source, places, kinds in spec.watches
    )
    return f"{watched} with {counted(len(spec.query), 'query')}"


def _and(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _often(every: str) -> str:
    return f'at "{every}"' if " " in every else f"every {every}"
