"""Add, edit and remove single channels of a workspace, and rotate their secrets; all else of it stays as it is."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from overheard.channels.registry import is_signed
from overheard.channels.signing import new_secret
from overheard.db import channels, workspace_specs
from overheard.db.database import Db
from overheard.errors import Conflict, NotFound
from overheard.operations import channels as channel_state
from overheard.operations.workspaces import channel_options, limit_check, locked
from overheard.process import RunningProcess
from overheard.workspaces import ChannelSpec, WorkspaceSpec, validated_channel


class SavedChannel(msgspec.Struct, frozen=True):
    """A channel as it is stored. ``new_secret``: was made for it now; ``enabled``: it was disabled until now."""

    spec: ChannelSpec
    new_secret: str | None
    enabled: bool = False


def add(running: RunningProcess, slug: str, channel: ChannelSpec) -> SavedChannel:
    """Add a channel. Raises NotFound, InvalidInput, and Conflict if its name is taken."""
    with running.db.transaction():
        workspace_id, spec = locked(running.db, slug, secrets=True)
        if any(each.name == channel.name for each in spec.channel):
            raise Conflict(
                f"workspace {slug} already has a channel {channel.name!r}\n"
                f"to change it: overheard channel edit {slug} …"
            )
        return _save(running, workspace_id, spec, channel)


def edit(running: RunningProcess, slug: str, name: str, change: Callable[[ChannelSpec], ChannelSpec]) -> SavedChannel:
    """Replace a channel by what ``change`` makes of it, which enables it. Raises NotFound, InvalidInput, Conflict."""
    with running.db.transaction():
        workspace_id, spec = locked(running.db, slug, secrets=True)
        before = named(spec, name)
        disabled = any(row.name == name and row.disabled_at is not None for row in channels.listing(running.db, slug))
        saved = _save(running, workspace_id, spec, change(before))
        return msgspec.structs.replace(saved, enabled=disabled)


def remove(running: RunningProcess, slug: str, name: str) -> None:
    """Remove a channel with what waits for it and what was sent. Raises NotFound, Conflict."""
    with running.db.transaction():
        workspace_id, spec = locked(running.db, slug)
        workspace_specs.remove_channel(running.db, workspace_id, named(spec, name).name)


def rotated(channel: ChannelSpec) -> ChannelSpec:
    """Return the channel with a new secret before the one that it has: both sign, until the old one is dropped.

    Raises Conflict.
    """
    if not channel.secret or not is_signed(channel.url):
        raise Conflict(f"channel {channel.name} is not signed: only https:// webhooks have a secret")
    if len(channel.secret.split()) > 1:
        raise Conflict(
            f"channel {channel.name} is being rotated: two secrets are valid\n"
            "when its receiver has the new one: overheard channel edit … --drop-old-secret"
        )
    return msgspec.structs.replace(channel, secret=f"{new_secret()} {channel.secret}")


def without_old_secret(channel: ChannelSpec) -> ChannelSpec:
    """Return the channel with its new secret only. Raises Conflict."""
    secrets = (channel.secret or "").split()
    if len(secrets) < 2:
        raise Conflict(
            f"channel {channel.name} has no old secret: overheard channel edit … --rotate-secret makes a new one"
        )
    return msgspec.structs.replace(channel, secret=secrets[0])


def named(spec: WorkspaceSpec, name: str) -> ChannelSpec:
    """Return a workspace's channel. Raises NotFound, which lists the existing ones."""
    for channel in spec.channel:
        if channel.name == name:
            return channel
    existing = f"its channels: {', '.join(each.name for each in spec.channel)}" if spec.channel else "it has none"
    raise NotFound(f"workspace {spec.slug} has no channel {name[:100]!r}; {existing}")


def _save(running: RunningProcess, workspace_id: int, spec: WorkspaceSpec, channel: ChannelSpec) -> SavedChannel:
    had = next((each.secret for each in spec.channel if each.name == channel.name), None)
    signed = is_signed(channel.url)
    if not signed and channel.secret == had:
        channel = msgspec.structs.replace(channel, secret=None)  # of an address that it had before
    elif signed and channel.secret is None:
        channel = msgspec.structs.replace(channel, secret=new_secret())
    channel = validated_channel(spec, channel, channel_options(running), limit_check(running))
    workspace_specs.save_channel(running.db, workspace_id, channel, running.clock(), lambda each: each.secret)
    known = {*(had or "").split()}
    new = next((secret for secret in (channel.secret or "").split() if secret not in known), None)
    return SavedChannel(channel, new)


def waiting(db: Db, slug: str, name: str) -> int:
    """Return how many deliveries wait for a channel or are held for it. Raises NotFound."""
    return channels.waiting(db, channel_state.by_name(db, slug, name).id)
