"""digest: compose one delivery from what a channel holds for its digest of a period."""

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
    """Return the stage's work."""
    return StageWork(
        lambda message, permit: compose(message, db=context.db, send=context.send, clock=context.clock),
    )


def compose(message: ComposeDigest, *, db: Db, send: Send, clock: Clock) -> None:
    """Compose the digests, then notify their channels.

    A period has one digest per channel, however often the message arrives; an empty digest is never made.
    """
    channels = digests.compose(db, message.workspace_id, message.period_end, clock())
    bind(channels=len(channels))
    for channel_id in channels:
        send(NotifyChannel(channel_id=channel_id))
