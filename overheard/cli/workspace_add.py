"""``overheard workspace add``: create a workspace from options."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import click

from overheard.cli import arguments
from overheard.cli.context import running_process
from overheard.cli.flood_warnings import warn_of_floods
from overheard.cli.output import print_line
from overheard.cli.root import WrongUsage
from overheard.cli.workspace_files import warn_costly
from overheard.db import heartbeats
from overheard.errors import InvalidInput
from overheard.items import ALL, FeedKind
from overheard.operations import workspaces
from overheard.operations.flood_warnings import SavedQueries
from overheard.operations.wording import counted
from overheard.operations.workspaces import SavedWorkspace
from overheard.sources.registry import place_label, source_type
from overheard.workspaces import DEFAULT_DIGEST, DEFAULT_EVERY, WatchSpec, WorkspaceSpec, validated

KIND_CHOICES: dict[str, tuple[str, ...]] = {
    "posts": ("posts",),
    "comments": ("comments",),
    "both": ("posts", "comments"),
}


@click.command
@click.argument("slug")
@click.argument("pages", nargs=-1, metavar="[URL]…")
@click.option("--name", default="", help="Display name.  [default: the slug]")
@click.option("--subreddit", "-s", multiple=True, help="Subreddit to watch; all: all of Reddit. Repeatable.")
@click.option("--hackernews", is_flag=True, help="Watch Hacker News.")
@click.option(
    "--feed", multiple=True, metavar="URL", help="RSS, Atom or JSON feed; quote a URL with ? or &. Repeatable."
)
@click.option("--bluesky", is_flag=True, help="Watch Bluesky.")
@click.option(
    "--mastodon",
    multiple=True,
    metavar="PLACE",
    help="Server, or hashtag on a server: mastodon.social/#tag. Repeatable.",
)
@click.option(
    "--stackexchange", multiple=True, metavar="SITE/TAG", help="Tag on a site: stackoverflow/postgresql. Repeatable."
)
@click.option(
    "--watch", multiple=True, metavar="SOURCE:PLACE", help="Place of any source: replay:all. Also a URL. Repeatable."
)
@click.option("--query", "-q", multiple=True, required=True, metavar="[NAME=]QUERY", help="Query to match. Repeatable.")
@click.option("--channel", "-c", multiple=True, metavar="[NAME=]URL", help="Instant channel. Repeatable.")
@click.option("--digest-channel", multiple=True, metavar="[NAME=]URL", help="Digest channel. Repeatable.")
@click.option(
    "--every", default=DEFAULT_EVERY, show_default=True, help="How often to run: 30s, 5m, 1h, or a cron expression."
)
@click.option(
    "--digest",
    default=DEFAULT_DIGEST,
    show_default=True,
    help="When to send digests: an interval or a cron expression.",
)
@click.option("--timezone", default="UTC", show_default=True, help="Time zone of both schedules, e.g. Europe/Berlin.")
@click.option(
    "--kinds", type=click.Choice(list(KIND_CHOICES)), default="both", show_default=True, help="Kinds of items to watch."
)
@click.pass_context
def add(context: click.Context, /, slug: str, **options: Any) -> None:
    """Create a workspace.

    URL is a page as copied from a browser's address bar: a subreddit, a tag on Stack Overflow, a repository on GitHub,
    a YouTube channel, a feed … It becomes what it stands for. Put it into quotes if it has a ? or &.

    A channel's URL is https://… for a signed webhook, or one of Apprise: slack://…, discord://…, mailto://… and 130
    more services.

    \b
      overheard workspace add acme --hackernews --subreddit python --subreddit selfhosted \\
          --query 'brand="acme db" OR acmedb' --channel 'team=https://example.com/hook'
      overheard workspace add bolt https://lobste.rs/t/databases --query bolt
    """
    # Often the first command of all: there may be no database yet.
    with running_process(context, create=True) as running:
        queries = SavedQueries(running)
        try:
            saved = workspaces.add(running, _spec(slug, options))
        except InvalidInput as error:
            raise WrongUsage(str(error)) from None
        _print_saved(saved, ticking=heartbeats.last_at(running.db, "tick") is not None)
        warn_costly(saved)
        warn_of_floods(queries)


def _spec(slug: str, options: dict[str, Any]) -> WorkspaceSpec:
    """Return the workspace. Raises InvalidInput: for an address that stands for nothing, with all other problems."""
    try:
        pages = arguments.watches((*options["pages"], *options["watch"]))
    except InvalidInput as error:
        raise InvalidInput("\n".join([str(error), *_other_problems(slug, options)])) from None
    watch = (*_watches(options), *pages)
    if not options["subreddit"] and not watch:
        raise InvalidInput(
            "nothing to watch: give a URL, --subreddit, --hackernews, --feed, --bluesky, --mastodon, --stackexchange or"
            " --watch"
        )
    return _spec_with(slug, options, watch)


def _other_problems(slug: str, options: dict[str, Any]) -> list[str]:
    """Return what else is wrong, beside the addresses; without another watch, that none is named would be, too."""
    try:
        spec = _spec_with(slug, options, _watches(options))
        if spec.watches:
            validated(spec)
    except InvalidInput as error:
        return [str(error)]
    return []


def _spec_with(slug: str, options: dict[str, Any], watch: tuple[WatchSpec, ...]) -> WorkspaceSpec:
    return WorkspaceSpec(
        slug=slug,
        name=options["name"],
        timezone=options["timezone"],
        every=options["every"],
        digest=options["digest"],
        subreddits=options["subreddit"],
        watch=watch,
        kinds=KIND_CHOICES[options["kinds"]],  # type: ignore[arg-type]
        query=arguments.queries(options["query"]),
        channel=arguments.channels(options["channel"], options["digest_channel"]),
    )


def _watches(options: dict[str, Any]) -> tuple[WatchSpec, ...]:
    """Return the watches of the options that name a source, but for --subreddit, in the order of the help."""
    whole = [source for source in ("hackernews", "bluesky") if options[source]]
    named = {"feeds": options["feed"], "mastodon": options["mastodon"], "stackexchange": options["stackexchange"]}
    return (
        *(WatchSpec(source, (ALL,)) for source in whole),
        *(WatchSpec(source, places) for source, places in named.items() if places),
    )


def _print_saved(saved: SavedWorkspace, *, ticking: bool) -> None:
    """Print the new workspace, its new secrets, and the next steps."""
    spec = saved.spec
    print_line(("✓ ", "green"), (spec.slug, "bold"), f" watches {_places(spec)} ({_schedule_text(spec.every)}).")
    if not spec.channel:
        print_line(
            "  It has no channels. To list its mentions: ", (f"overheard mentions --workspace {spec.slug}", "bold")
        )
    # Shown at once: without it, the receiver cannot verify the first delivery.
    for name, secret in saved.secrets.items():
        print_line("\n  ", (name, "bold"), " is a signed webhook. Its receiver verifies signatures with this secret:")
        print_line("    ", (secret, "bold"))
        print_line(("  (Standard Webhooks; to show it again: overheard export --secrets)\n", "dim"))
    if ticking:
        print_line(
            "  Its first run is due now. To test its channels: ", (f"overheard channel test {spec.slug} NAME", "bold")
        )
    else:
        print_line("  To check the setup: ", ("overheard check", "bold"))
        print_line("  To start Overheard: ", ("overheard run", "bold"))


def _places(spec: WorkspaceSpec) -> str:
    watched = " and ".join(
        f"{_kinds(source, kinds)} of {_joined([place_label(source, place) for place in places])}"
        for source, places, kinds in spec.watches
    )
    return f"{watched} with {counted(len(spec.query), 'query')}"


def _kinds(source: str, kinds: Collection[FeedKind]) -> str:
    read = source_type(source).kinds_read(kinds)
    return f"the {' and '.join(read)}" if read else "nothing"


def _joined(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _schedule_text(every: str) -> str:
    return f'at "{every}"' if " " in every else f"every {every}"
