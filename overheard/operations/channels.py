"""Channels: what the operator allows them, how they are, and whether they take a message."""

from __future__ import annotations

import time

import msgspec

from overheard import __version__
from overheard.channels import ChannelOptions, Transport
from overheard.channels.redact import redact
from overheard.channels.registry import open_transport
from overheard.channels.sample_notice import sample_notice
from overheard.config import Config
from overheard.db import channels, workspaces
from overheard.db.channels import ChannelRow
from overheard.db.database import Db
from overheard.errors import NotFound
from overheard.notices import Notice


class ChannelState(msgspec.Struct, frozen=True):
    """A channel without its secrets. ``since_at``: when it began to fail, or was disabled."""

    workspace: str
    name: str
    url: str
    mode: str
    state: str
    since_at: float | None
    reason: str | None


def options(config: Config, *, allow_private: bool) -> ChannelOptions:
    """Return what the operator allows the channels of workspaces, or the one for alerts."""
    return ChannelOptions(
        allow_private=allow_private, timeout=config.notify.timeout, user_agent=f"Overheard/{__version__}"
    )


def states(db: Db, workspace: str | None = None) -> list[ChannelState]:
    """Return how all channels are, or those of one workspace. Raises NotFound."""
    if workspace is not None:
        workspaces.by_name(db, workspace)
    return [_state(row) for row in channels.listing(db, workspace)]


def _state(row: ChannelRow) -> ChannelState:
    state = "disabled" if row.disabled_at else "failing" if row.failing_since else "ok"
    since = row.disabled_at or row.failing_since
    return ChannelState(row.workspace, row.name, redact(row.url), row.mode, state, since, row.reason)


def by_name(db: Db, workspace: str, name: str) -> ChannelRow:
    """Return a workspace's channel. Raises NotFound, which says what there is."""
    slug = workspaces.by_name(db, workspace).slug
    rows = channels.listing(db, slug)
    for row in rows:
        if row.name == name:
            return row
    there = f"there are: {', '.join(row.name for row in rows)}" if rows else "it has none"
    raise NotFound(f"workspace {slug} has no channel {name!r}; {there}")


def test(config: Config, row: ChannelRow) -> float:
    """Send a sample now; return the seconds it took. Raises RetryableError, PermanentError, InvalidInput."""
    ready = open_transport(row.url, row.secret, options=options(config, allow_private=config.notify.allow_private))
    return timed(ready, sample_notice(row.workspace))


def timed(channel: Transport, notice: Notice) -> float:
    """Send the notice; return the seconds it took. Raises what the channel raises."""
    began = time.monotonic()
    channel.send(notice)
    return time.monotonic() - began
