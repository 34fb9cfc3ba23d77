"""Workspaces: add, import, export, show, pause.

``overheard.workspaces`` validates their content, [limits] their size, ``schedule`` computes when they are due, and new
webhooks get their secret here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import msgspec

from overheard import schedule
from overheard.channels import ChannelOptions
from overheard.channels.redact import HIDDEN, redact
from overheard.channels.registry import is_signed
from overheard.channels.signing import new_secret
from overheard.db import channels, mentions, refreshes, workspace_specs, workspaces
from overheard.db.database import Db
from overheard.db.models import Workspace
from overheard.errors import Conflict, InvalidInput, NotFound
from overheard.items import ALL
from overheard.matching.language import problem_with
from overheard.operations import whole_source
from overheard.operations.channels import options
from overheard.process import RunningProcess
from overheard.sources.reddit.names import SOURCE
from overheard.sources.registry import public_place
from overheard.workspaces import ChannelSpec, LimitCheck, WorkspaceSpec, read, validated
from overheard.workspaces.mutes import public_mute

ALL_IS_COSTLY = (
    'the comments of subreddits = ["all"] take about 90 of the 100 requests a minute that Reddit allows a client'
)


class SavedWorkspace(msgspec.Struct, frozen=True):
    """``secrets``: the signing secrets created for new webhooks, by channel name."""

    spec: WorkspaceSpec
    new: bool
    secrets: dict[str, str]

    @property
    def costly(self) -> bool:
        """Return True if it watches all comments of Reddit, which take nearly the whole budget of a client."""
        return any((feed.source, feed.place, feed.kind) == (SOURCE, ALL, "comments") for feed in self.spec.feeds)


class RefusedQuery(msgspec.Struct, frozen=True):
    """A query stored before a rule that now rejects it. ``matched``: whether it can still be parsed and matched."""

    query: str
    matched: bool
    message: str
    remedy: str


class WorkspaceDetails(msgspec.Struct, frozen=True):
    """A workspace with redacted channel URLs, its counts and its last run."""

    row: Workspace
    spec: WorkspaceSpec
    mentions: int
    refused_queries: list[RefusedQuery]
    ran_at: float


def add(running: RunningProcess, spec: WorkspaceSpec) -> SavedWorkspace:
    """Create a workspace. Raises InvalidInput, and Conflict if its slug is taken."""
    spec = validated(spec, channel_options(running), limit_check(running))
    try:
        workspaces.by_name(running.db, spec.slug)
    except NotFound:
        return save(running, spec)
    raise Conflict(f"workspace {spec.slug} already exists\nto change it: overheard workspace edit {spec.slug}")


def import_text(running: RunningProcess, text: str | bytes, where: str) -> Iterator[SavedWorkspace]:
    """Create or update the workspaces of a TOML text; none if any is invalid. Raises InvalidInput."""
    for spec in specs_in(text, where, channel_options(running), limit_check(running)):
        yield save(running, spec)


def specs_in(text: str | bytes, where: str, allowed: ChannelOptions, check_limits: LimitCheck) -> list[WorkspaceSpec]:
    """Return the workspaces of a TOML text, at least one. Raises InvalidInput."""
    specs = read(text, where, allowed, check_limits)
    # An empty file is more likely the wrong one than a wish to import nothing.
    if not specs:
        raise InvalidInput(f"{where}: has no workspace: expected [[workspace]] tables (see README)")
    return specs


def save(running: RunningProcess, spec: WorkspaceSpec) -> SavedWorkspace:
    """Save a validated workspace."""
    now = running.clock()
    created: dict[str, str] = {}

    def secret(channel: ChannelSpec) -> str | None:
        if channel.secret is not None or not is_signed(channel.url):
            return channel.secret
        return created.setdefault(channel.name, new_secret())

    following = partial(schedule.next_due, after=now)
    new = workspace_specs.save(running.db, spec, now, following=following, secret=secret)
    # ``secret`` is called for existing webhooks, too, and the stored secret wins: show only those that were kept.
    kept = {row.name: row.secret for row in channels.listing(running.db, spec.slug)} if created else {}
    return SavedWorkspace(spec, new, {name: secret for name, secret in created.items() if kept[name] == secret})


def export(db: Db, slugs: Sequence[str], *, secrets: bool) -> list[WorkspaceSpec]:
    """Return the named workspaces, or all, as in a workspace file. Raises NotFound."""
    names = slugs or [row.slug for row in workspaces.overview(db)]
    specs = [workspace_specs.load(db, workspaces.by_name(db, slug).id, secrets=secrets) for slug in names]
    return specs if secrets else [redacted(spec) for spec in specs]


def is_redacted(spec: WorkspaceSpec) -> bool:
    """Return True if an exported workspace lacks something that its import needs."""
    return bool(spec.channel) or any(HIDDEN in place for _, places, _ in spec.watches for place in places)


def details(db: Db, slug: str) -> WorkspaceDetails:
    """Return a workspace with redacted channel URLs. Raises NotFound."""
    row = workspaces.by_name(db, slug)
    spec = redacted(workspace_specs.load(db, row.id, secrets=False))
    refused = [
        RefusedQuery(query.name, problem.matched, problem.error.message, problem.error.hint)
        for query in spec.query
        if (problem := problem_with(query.text, scope=query.scope.node)) is not None
    ]
    ran_at = refreshes.last_run(db, row.id).get(row.id, 0.0)
    return WorkspaceDetails(row, spec, mentions.count(db, row.id), refused, ran_at)


def require_not_internal(db: Db, slug: str) -> Workspace:
    """Return a workspace that may be paused or removed. Raises NotFound, and Conflict for an internal one."""
    row = workspaces.by_name(db, slug)
    if row.internal:
        raise Conflict(f"{slug} is internal to Overheard\nturn it off with [canary] interval = 0 in pipeline.toml")
    return row


def locked(db: Db, slug: str, *, secrets: bool = False) -> tuple[int, WorkspaceSpec]:
    """Return a workspace that nothing else changes before the transaction ends. Raises NotFound, Conflict."""
    row = require_not_internal(db, slug)
    workspaces.lock(db, row.id)
    return row.id, workspace_specs.load(db, row.id, secrets=secrets)


def set_active(db: Db, slug: str, active: bool) -> None:
    """Pause or resume a workspace. Raises NotFound, Conflict."""
    row = workspaces.by_name(db, slug) if active else require_not_internal(db, slug)
    workspace_specs.set_active(db, row.id, active)


def redacted(spec: WorkspaceSpec) -> WorkspaceSpec:
    channels = tuple(msgspec.structs.replace(channel, url=redact(channel.url)) for channel in spec.channel)
    watch = tuple(
        msgspec.structs.replace(each, places=tuple(public_place(each.source, place) for place in each.places))
        for each in spec.watch
    )
    sources = dict.fromkeys(source for source, _, _ in spec.watches)
    query = tuple(
        msgspec.structs.replace(each, places=tuple(_public(place, each.sources or sources) for place in each.places))
        for each in spec.query
    )
    mute = tuple(map(public_mute, spec.mute))
    return msgspec.structs.replace(spec, channel=channels, watch=watch, query=query, mute=mute)


def _public(place: str, sources: Iterable[str]) -> str:
    """Return a place without the secrets that it may hold as one of any of these sources."""
    for source in sources if "://" in place else ():
        place = public_place(source, place)
    return place


def channel_options(running: RunningProcess) -> ChannelOptions:
    """Return the operator's rules for the channels of workspaces."""
    return options(running.config, allow_private=running.config.notify.allow_private)


def limit_check(running: RunningProcess) -> LimitCheck:
    """Return a check that rejects growth beyond [limits]; a workspace that exceeds them already may keep its size."""
    limits = running.config.limits

    def excesses(spec: WorkspaceSpec) -> Iterator[str]:
        wanted = {"queries": len(spec.query), "feeds": len(spec.feeds), "channels": len(spec.channel)}
        allowed = {part: int(getattr(limits, part)) for part in wanted}
        yield from whole_source.excesses(spec, running.config, running.db)
        # Nearly always: what the workspace has already need not be counted then.
        if all(wanted[part] <= allowed[part] for part in wanted):
            return
        has = workspaces.limited_counts(running.db, spec.slug)
        for part, number in wanted.items():
            # A workspace beyond a lowered limit keeps what it has, but cannot grow.
            if number > max(allowed[part], has.get(part, 0)):
                yield (
                    f"{part}: {number:,}, and [limits] {part} allows a workspace {allowed[part]:,}; "
                    "split the workspace, or raise the limit in pipeline.toml"
                )

    return excesses
