"""Channels: the operator's rules for them, their state, and test messages."""

from __future__ import annotations

import time

import msgspec

from overheard import USER_AGENT
from overheard.channels import ChannelOptions, Transport
from overheard.channels.redact import redact
from overheard.channels.registry import open_transport
from overheard.channels.sample_notice import sample_notice
from overheard.config import Config
from overheard.db import channel_activity, channels, workspaces
from overheard.db.channel_activity import ChannelActivity
from overheard.db.channels import ChannelRow
from overheard.db.database import Db
from overheard.errors import ChannelGone, DeliveryRefused, NotFound
from overheard.notices import Notice


class ChannelState(msgspec.Struct, frozen=True):
    """A channel without its secrets. ``since_at``: when it started failing or was disabled; None if it is healthy.

    The rest is its ``ChannelActivity``.
    """

    workspace: str
    name: str
    url: str
    mode: str
    state: str
    since_at: float | None
    reason: str | None
    backlog: int
    held: int
    muted: int
    last_success_at: float | None
    last_error: str | None
    last_error_at: float | None
    next_try_at: float | None


def options(config: Config, *, allow_private: bool) -> ChannelOptions:
    """Return the operator's rules for the channels of workspaces, or for the alert channel."""
    services = config.channels
    return ChannelOptions(
        allow_private=allow_private,
        timeout=config.notify.timeout,
        user_agent=USER_AGENT,
        services={
            "slack": services.slack.url,
            "slack api": services.slack.api_url,
            "discord": services.discord.url,
            "telegram": services.telegram.url,
            "ntfy": services.ntfy.url,
        },
        files_dir=config.notify.files_dir,
    )


def list_states(db: Db, workspace: str | None = None) -> list[ChannelState]:
    """Return the state of all channels, or of one workspace's. Raises NotFound."""
    if workspace is not None:
        workspaces.by_name(db, workspace)
    rows = channels.listing(db, workspace)
    activity = channel_activity.of_channels(db, [row.id for row in rows], db.clock())
    return [_state(row, activity[row.id]) for row in rows]


def _state(row: ChannelRow, activity: ChannelActivity) -> ChannelState:
    state = "disabled" if row.disabled_at else "failing" if row.failing_since else "ok"
    since = row.disabled_at or row.failing_since
    return ChannelState(
        workspace=row.workspace,
        name=row.name,
        url=redact(row.url),
        mode=row.mode,
        state=state,
        since_at=since,
        reason=row.reason,
        **msgspec.structs.asdict(activity),
    )


def by_name(db: Db, workspace: str, name: str) -> ChannelRow:
    """Return a workspace's channel. Raises NotFound, which lists the existing ones."""
    slug = workspaces.by_name(db, workspace).slug
    rows = channels.listing(db, slug)
    for row in rows:
        if row.name == name:
            return row
    existing = f"its channels: {', '.join(row.name for row in rows)}" if rows else "it has none"
    raise NotFound(f"workspace {slug} has no channel {name!r}; {existing}")


def test(config: Config, row: ChannelRow) -> float:
    """Send a sample mention now; return the seconds it took. Raises RetryableError, PermanentError, InvalidInput."""
    # Sent from here and not through the bus: the result is shown at once, and needs no running worker.
    transport = open_transport(row.url, row.secret, options=options(config, allow_private=config.notify.allow_private))
    return send_timed(transport, sample_notice(row.workspace))


def failed_test(error: Exception, what: str, receiver: str) -> str:
    """Return in words that ``receiver`` rejected the test message ``what``, or that it could not be sent."""
    if isinstance(error, DeliveryRefused | ChannelGone):
        return f"{receiver} rejected the {what}"
    return f"the {what} could not be sent to {receiver}"


def send_timed(transport: Transport, notice: Notice) -> float:
    """Send the notice; return the seconds it took. Raises what the transport raises."""
    began = time.monotonic()
    transport.send(notice)
    return time.monotonic() - began
