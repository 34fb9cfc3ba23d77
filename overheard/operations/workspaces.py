"""Workspaces: saved, shown, paused and removed, with all that has to be right for it in one place.

What a workspace may say is checked by ``overheard.workspaces``; what it may have, by [limits]; when it is due next, by
``schedule``. A new webhook gets a secret here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import msgspec

from overheard import schedule
from overheard.channels import ChannelOptions
from overheard.channels.redact import redact
from overheard.channels.registry import is_signed
from overheard.channels.signing import new_secret
from overheard.db import channels, mentions, refreshes, workspace_specs, workspaces
from overheard.db.database import Db
from overheard.db.models import Workspace
from overheard.errors import Conflict, InvalidInput, NotFound
from overheard.items import ALL
from overheard.matching.language import problem_with
from overheard.operations.channels import options
from overheard.process import RunningProcess
from overheard.sources.reddit.names import SOURCE
from overheard.workspaces import ChannelSpec, LimitCheck, WorkspaceSpec, read, validated

ALL_IS_PARTIAL = 'subreddits = ["all"] cannot be followed completely yet: every 5m, it reads 4 to 18 % of the site'
INSTEAD_OF_ALL = "name the subreddits that matter: each is read completely, up to 1,000 new items between two readings"


class SavedWorkspace(msgspec.Struct, frozen=True):
    """``secrets`` are those that were made for its new webhooks, by channel; ``partial``: most of it is missed."""

    spec: WorkspaceSpec
    new: bool
    secrets: dict[str, str]

    @property
    def partial(self) -> bool:
        return any((feed.source, feed.place) == (SOURCE, ALL) for feed in self.spec.feeds)


class RefusedQuery(msgspec.Struct, frozen=True):
    """A query that is older than a rule: why it would be refused, and what to do. ``matched``: as it was before."""

    query: str
    matched: bool
    what: str
    do: str


class WorkspaceDetails(msgspec.Struct, frozen=True):
    """A workspace without its channels' addresses, and what has become of it."""

    row: Workspace
    spec: WorkspaceSpec
    mentions: int
    refused_queries: list[RefusedQuery]
    ran_at: float


def add(program: RunningProcess, spec: WorkspaceSpec) -> SavedWorkspace:
    """Make a new workspace. Raises InvalidInput, and Conflict when there is one of its slug."""
    spec = validated(spec, _options(program), _beyond_limits(program))
    try:
        workspaces.by_name(program.db, spec.slug)
    except NotFound:
        return save(program, spec)
    raise Conflict(
        f"workspace {spec.slug} exists already\n"
        f"change it: overheard export --secrets {spec.slug} > {spec.slug}.toml, edit that, "
        f"overheard import {spec.slug}.toml"
    )


def import_text(program: RunningProcess, text: str | bytes, where: str) -> Iterator[SavedWorkspace]:
    """Make or change the workspaces of a TOML text, none unless all are right. Raises InvalidInput."""
    wanted = read(text, where, _options(program), _beyond_limits(program))
    if not wanted:
        raise InvalidInput(f"{where}: describes no workspace; it consists of [[workspace]] tables (see README)")
    for spec in wanted:
        yield save(program, spec)


def save(program: RunningProcess, spec: WorkspaceSpec) -> SavedWorkspace:
    """Save a workspace that was checked."""
    now = program.clock()
    made: dict[str, str] = {}

    def secret(channel: ChannelSpec) -> str | None:
        if channel.secret is not None or not is_signed(channel.url):
            return channel.secret
        return made.setdefault(channel.name, new_secret())

    following = partial(schedule.next_due, after=now)
    new = workspace_specs.save(program.db, spec, now, following=following, secret=secret)
    # One is asked for even where there is one already: what counts is which one was kept.
    kept = {row.name: row.secret for row in channels.listing(program.db, spec.slug)} if made else {}
    return SavedWorkspace(spec, new, {name: secret for name, secret in made.items() if kept[name] == secret})


def export(db: Db, slugs: Sequence[str], *, secrets: bool) -> list[WorkspaceSpec]:
    """Return the named workspaces, or all, as their owners would write them. Raises NotFound."""
    names = slugs or [row.slug for row in workspaces.overview(db)]
    found = [workspace_specs.load(db, workspaces.by_name(db, slug).id, secrets=secrets) for slug in names]
    return found if secrets else [_hidden(spec) for spec in found]


def details(db: Db, slug: str) -> WorkspaceDetails:
    """Return a workspace in full, but for its channels' addresses. Raises NotFound."""
    row = workspaces.by_name(db, slug)
    spec = _hidden(workspace_specs.load(db, row.id, secrets=False))
    flaws = [(query.name, found) for query in spec.query if (found := problem_with(query.text)) is not None]
    refused = [RefusedQuery(name, found.matched, found.error.message, found.error.hint) for name, found in flaws]
    ran_at = refreshes.last_run(db, row.id).get(row.id, 0.0)
    return WorkspaceDetails(row, spec, mentions.count(db, row.id), refused, ran_at)


def changeable(db: Db, slug: str) -> Workspace:
    """Return a workspace that may be paused or removed. Raises NotFound, and Conflict for Overheard's own."""
    row = workspaces.by_name(db, slug)
    if row.internal:
        raise Conflict(f"{slug} is Overheard's own\nturn it off with [canary] interval = 0 in pipeline.toml")
    return row


def set_active(db: Db, slug: str, active: bool) -> None:
    """Pause or resume a workspace. Raises NotFound, Conflict."""
    row = workspaces.by_name(db, slug) if active else changeable(db, slug)
    workspace_specs.set_active(db, row.id, active)


def _hidden(spec: WorkspaceSpec) -> WorkspaceSpec:
    hidden = tuple(msgspec.structs.replace(channel, url=redact(channel.url)) for channel in spec.channel)
    return msgspec.structs.replace(spec, channel=hidden)


def _options(program: RunningProcess) -> ChannelOptions:
    return options(program.config, allow_private=program.config.notify.allow_private)


def _beyond_limits(program: RunningProcess) -> LimitCheck:
    """Return what refuses a workspace that is to have more than [limits] allows, and more than it has already."""
    limits = program.config.limits

    def refusal(spec: WorkspaceSpec) -> Iterator[str]:
        wanted = {"queries": len(spec.query), "feeds": len(spec.feeds), "channels": len(spec.channel)}
        allowed = {part: int(getattr(limits, part)) for part in wanted}
        if all(wanted[part] <= allowed[part] for part in wanted):
            return
        has = workspaces.limited_counts(program.db, spec.slug)
        for part, number in wanted.items():
            if number > max(allowed[part], has.get(part, 0)):
                yield (
                    f"{part}: {number:,}, and [limits] {part} allows a workspace {allowed[part]:,}; "
                    "make several workspaces of it, or raise the limit in pipeline.toml"
                )

    return refusal
