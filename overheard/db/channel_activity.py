"""What channels have done lately, and what waits for them: the numbers that ``overheard channel list`` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from peewee import Case, fn

from overheard.db.database import Db
from overheard.db.models import HELD, MUTED, PENDING, SENT, Channel, Delivery, FailedTry

CHANNELS_PER_STATEMENT = 400


class ChannelActivity(msgspec.Struct):
    """Of one channel. ``backlog``: pending deliveries; ``held`` also counts those that quiet hours hold.

    ``next_try_at``: None if nothing waits to be sent. ``last_error`` is that of the last failed try.
    """

    backlog: int = 0
    held: int = 0
    muted: int = 0
    last_success_at: float | None = None
    last_error: str | None = None
    last_error_at: float | None = None
    next_try_at: float | None = None


def of_channels(db: Db, channel_ids: Sequence[int], now: float) -> dict[int, ChannelActivity]:
    """Return the activity of each of these channels."""
    found = {channel_id: ChannelActivity() for channel_id in channel_ids}
    for start in range(0, len(channel_ids), CHANNELS_PER_STATEMENT):
        some = list(channel_ids[start : start + CHANNELS_PER_STATEMENT])
        _count(db, some, now, found)
        _add_times(db, some, found)
    _add_errors(db, found)
    return found


def _count(db: Db, some: list[int], now: float, found: dict[int, ChannelActivity]) -> None:
    later = (Delivery.state == PENDING) & Delivery.held_by.is_null(False) & (Delivery.due_at > now)
    held = later | (Delivery.state == HELD)
    counts = [fn.SUM(Case(None, [(each, 1)], 0)) for each in (~held, held, Delivery.state == MUTED)]
    rows = (
        Delivery.select(Delivery.channel, *counts)
        .where(Delivery.channel.in_(some), Delivery.state.in_([PENDING, HELD, MUTED]))
        .group_by(Delivery.channel)
    )
    for channel_id, others, held_ones, muted in rows.tuples().execute(db.peewee):
        found[channel_id].backlog = int(others) - int(muted)
        found[channel_id].held, found[channel_id].muted = int(held_ones), int(muted)


def _add_times(db: Db, some: list[int], found: dict[int, ChannelActivity]) -> None:
    def scalar(value: Any, state: str) -> Any:  # a subquery for each channel: one step in an index
        return Delivery.select(value).where(Delivery.channel == Channel.id, Delivery.state == state)

    rows = Channel.select(
        Channel.id,
        Channel.not_before,
        Channel.wake_at,
        Channel.disabled_at,
        scalar(fn.MAX(Delivery.sent_at), SENT),
        scalar(fn.MIN(Delivery.due_at), PENDING),
    ).where(Channel.id.in_(some))
    for channel_id, not_before, wake_at, disabled_at, sent_at, due_at in rows.tuples().execute(db.peewee):
        found[channel_id].last_success_at = sent_at
        if due_at is not None and disabled_at is None:
            found[channel_id].next_try_at = max(due_at, not_before, wake_at)


def _add_errors(db: Db, found: dict[int, ChannelActivity]) -> None:
    latest = (
        FailedTry.select(fn.MAX(FailedTry.id))
        .join(Delivery, on=(FailedTry.delivery == Delivery.id))
        .group_by(Delivery.channel)
    )
    rows = (
        FailedTry.select(Delivery.channel, FailedTry.at, FailedTry.error)
        .join(Delivery, on=(FailedTry.delivery == Delivery.id))
        .where(FailedTry.id.in_(latest))
    )
    for channel_id, at, error in rows.tuples().execute(db.peewee):
        if channel_id in found:
            found[channel_id].last_error_at, found[channel_id].last_error = at, error
