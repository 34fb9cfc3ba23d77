"""Saving workspaces from the command line: what it takes, and what to tell about it."""

from __future__ import annotations

from collections.abc import Iterator

from overheard import __version__, schedule
from overheard.channels import ChannelOptions
from overheard.channels.registry import is_signed, new_secret
from overheard.cli.output import hint, line
from overheard.config import Config
from overheard.db import channels, specs, workspaces
from overheard.items import ALL
from overheard.program import Program
from overheard.workspaces import ChannelSpec, Refusal, WorkspaceSpec

ALL_IS_PARTIAL = 'subreddits = ["all"] cannot be followed completely yet: every 5m, it reads 4 to 18 % of the site'
INSTEAD_OF_ALL = "name the subreddits that matter: each is read completely, up to 1,000 new items between two readings"

Secrets = dict[str, str]  # of channels, by name


def options(config: Config) -> ChannelOptions:
    """What the operator allows channels."""
    rules = config.notify
    return ChannelOptions(
        allow_private=rules.allow_private, timeout=rules.timeout, user_agent=f"Overheard/{__version__}"
    )


def beyond_limits(program: Program) -> Refusal:
    """Return what refuses a workspace that is to have more than [limits] allows, and more than it has already."""
    limits = program.config.limits

    def refusal(spec: WorkspaceSpec) -> Iterator[str]:
        wanted = {"queries": len(spec.query), "feeds": len(spec.feeds), "channels": len(spec.channel)}
        allowed = {part: int(getattr(limits, part)) for part in wanted}
        if all(wanted[part] <= allowed[part] for part in wanted):
            return
        has = workspaces.size(program.db, spec.slug)
        for part, number in wanted.items():
            if number > max(allowed[part], has.get(part, 0)):
                yield (
                    f"{part}: {number:,}, and [limits] {part} allows a workspace {allowed[part]:,}; "
                    "make several workspaces of it, or raise the limit in pipeline.toml"
                )

    return refusal


def warn_of_all(spec: WorkspaceSpec) -> None:
    """Say that a workspace on all of Reddit misses most of it, and what to do instead."""
    if any((source, place) == ("reddit", ALL) for source, _, place, _ in spec.feeds):
        line(("! ", "yellow"), (spec.slug, "bold"), f": {ALL_IS_PARTIAL}")
        hint(INSTEAD_OF_ALL, 2)


def save(program: Program, spec: WorkspaceSpec) -> tuple[bool, Secrets]:
    """Save a checked workspace; whether it is new, and the secrets that were made for its new webhooks."""
    now = program.clock()
    made: Secrets = {}

    def secret(channel: ChannelSpec) -> str | None:
        if channel.secret is not None or not is_signed(channel.url):
            return channel.secret
        return made.setdefault(channel.name, new_secret())

    def following(text: str, timezone: str) -> float:
        return schedule.next_due(text, timezone, now)

    new = specs.save(program.db, spec, now, following=following, secret=secret)
    if not made:
        return new, {}
    # One is asked for even where there is one already: what counts is which one was kept.
    kept = {row.name: row.secret for row in channels.listing(program.db, spec.slug)}
    return new, {name: secret for name, secret in made.items() if kept[name] == secret}
