"""digest: composes one delivery from what a digest channel holds since its last one."""

from __future__ import annotations

from actors.context import Context
from overheard.bus.actor import StageWork
from overheard.clock import Clock
from overheard.db import digests
from overheard.db.database import Db
from overheard.messages import ComposeDigest, NotifyChannel
from overheard.observability.log import bind
from overheard.sending import Send


def work(context: Context) -> StageWork:
    """The stage's work."""
    return StageWork(
        lambda message, permit: compose(message, db=context.db, send=context.send, clock=context.clock),
    )


def compose(message: ComposeDigest, *, db: Db, send: Send, clock: Clock) -> None:
    """Bundle, then wake the channels. A period has one digest however often the message arrives; never an empty one."""
    channels = digests.compose(db, message.workspace_id, message.period_end, clock())
    bind(channels=len(channels))
    for channel_id in channels:
        send(NotifyChannel(channel_id=channel_id))
