"""What waits to be sent: the numbers that status, the alerts and the tick read from the outbox."""

from __future__ import annotations

from typing import Any

import msgspec
from peewee import fn

from overheard.db.database import Db
from overheard.db.deliveries import is_claimed
from overheard.db.models import HELD, PENDING, SENT, Channel, Delivery, Workspace

MAX_STUCK_CHANNELS = 50  # examined one by one for status; chosen, not measured
FORGOTTEN_AFTER_SECONDS = 600.0  # a failing channel whose next try is overdue for so long has no process trying it


class DeliveryQueue(msgspec.Struct, frozen=True):
    """Deliveries that wait to be sent, those that are held, and the oldest due time that no process attends to."""

    pending: int
    held: int
    overdue_since: float | None


class DeliveryBacklog(msgspec.Struct, frozen=True):
    """Deliveries that are due and not sent, without failing channels'; ``channel`` has the most of them, ``most``."""

    due: int
    oldest_at: float
    workspace: str
    channel: str
    most: int


def waiting_channels(db: Db, now: float, older_than: float, limit: int, *conditions: Any) -> dict[int, str]:
    """Return channels, and their workspaces' slugs, with deliveries that should have been sent by now.

    These are due, and unclaimed or with a claim that ran out; and the channel is not postponed, nor does it wait for
    the time of its next message.
    """
    return _channels_with(db, now, limit, _due_at(now - older_than), *conditions)


def channels_to_prompt(db: Db, now: float, older_than: float, limit: int) -> dict[int, str]:
    """Return these and, as soon as that time has come, those that had to wait for one, such as a distant next try.

    To what waits for longer than a message on the bus may, or was made due by hand, no message is under way.
    """
    waited = (Delivery.due_at > Delivery.created_at) | (Channel.wake_at > Delivery.created_at)
    may_be_sent = (Channel.wake_at <= now) | (Delivery.attempts > 0)  # a retry does not wait for the next summary
    return _channels_with(db, now, limit, _due_at(now - older_than) | (waited & may_be_sent))


def _due_at(time: float) -> Any:
    return (Delivery.due_at <= time) & (Channel.not_before <= time) & (Channel.wake_at <= time)


def _channels_with(db: Db, now: float, limit: int, *conditions: Any) -> dict[int, str]:
    rows = (
        Delivery.select(Delivery.channel, Workspace.slug)
        .join(Channel, on=(Delivery.channel == Channel.id))
        .join(Workspace, on=(Channel.workspace == Workspace.id))
        .where(Delivery.state == PENDING, Delivery.due_at <= now, Delivery.lease_until < now)
        .where(Channel.disabled_at.is_null(), Channel.not_before <= now, *conditions)
        .distinct()
        .limit(limit)
    )
    return dict(sorted(rows.tuples().execute(db.peewee)))


def pending(db: Db) -> int:
    """Return how many deliveries wait to be sent."""
    return int(Delivery.select(fn.count(Delivery.id)).where(Delivery.state == PENDING).scalar(db.peewee))


def has_untried(db: Db, workspace_id: int, now: float) -> bool:
    """Return True if a delivery waits for its first try, in a channel of the workspace that does not fail.

    What waits for a summary, or for the end of quiet hours, does not count.
    """
    query = (
        Delivery.select(Delivery.id)
        .join(Channel, on=(Delivery.channel == Channel.id))
        .where(
            Channel.workspace == workspace_id,
            # A failing channel takes one delivery at a time as a probe: the others may stay untried for hours.
            Channel.failing_since.is_null(),
            Channel.wake_at <= now,
            Delivery.state == PENDING,
            Delivery.attempts == 0,
            Delivery.held_by.is_null() | (Delivery.due_at <= now),
        )
    )
    return bool(query.exists(db.peewee))


def waiting(db: Db, now: float, older_than: float) -> DeliveryQueue:
    """Return the queue as ``status`` shows it.

    ``overdue_since`` counts what has been due for ``older_than`` seconds in a channel to which nothing goes out. A
    failing channel accepts nothing, however often it is tried: there, only deliveries that are not even tried count.
    """
    counts = dict(
        Delivery.select(Delivery.state, fn.count(Delivery.id))
        .where(Delivery.state.in_([PENDING, HELD]))
        .group_by(Delivery.state)
        .tuples()
        .execute(db.peewee)
    )
    stuck = [
        channel_id
        for channel_id in waiting_channels(db, now, older_than, MAX_STUCK_CHANNELS, Channel.failing_since.is_null())
        # More may wait there than [notify] per_minute lets out at once.
        if not is_claimed(db, channel_id, now) and _last_sent(db, channel_id) <= now - older_than
    ]
    stuck += _stuck_failing_channels(db, now, max(FORGOTTEN_AFTER_SECONDS, older_than))
    overdue = _oldest(db, now, Delivery.lease_until < now, Delivery.channel.in_(stuck)) if stuck else None
    return DeliveryQueue(int(counts.get(PENDING, 0)), int(counts.get(HELD, 0)), overdue)


def _stuck_failing_channels(db: Db, now: float, older_than: float) -> list[int]:
    """Return some failing channels with deliveries overdue for so many seconds and no process trying them.

    A failed try moves the delivery, or the whole channel, to a later time: where all those times are long past, there
    was no try since.
    """
    of_channel = (Delivery.channel == Channel.id) & (Delivery.state == PENDING)
    # EXISTS for each channel: a dead one may have very many.
    overdue = Delivery.select(Delivery.id).where(
        of_channel, Delivery.due_at <= now - older_than, Delivery.lease_until < now
    )
    tried = Delivery.select(Delivery.id).where(of_channel, Delivery.due_at > now - older_than, Delivery.attempts > 0)
    rows = (
        Channel.select(Channel.id)
        .where(Channel.failing_since.is_null(False), Channel.disabled_at.is_null(), fn.EXISTS(overdue))
        .where(Channel.not_before <= now - older_than, ~fn.EXISTS(tried))
        .limit(MAX_STUCK_CHANNELS)
    )
    return [channel_id for (channel_id,) in rows.tuples().execute(db.peewee) if not is_claimed(db, channel_id, now)]


def _last_sent(db: Db, channel_id: int) -> float:
    """Return when the channel's last delivery, in the order of due times, was sent; 0 if none was."""
    latest = (
        Delivery.select(Delivery.sent_at)
        .where(Delivery.channel == channel_id, Delivery.state == SENT)
        .order_by(Delivery.due_at.desc())
        .limit(1)
    )
    return float(latest.scalar(db.peewee) or 0.0)


def oldest_due(db: Db, now: float) -> float | None:
    """Return when the oldest unsent delivery, not waiting for a retry, became due; None if there is none.

    Failing channels do not count, as their deliveries wait for the receiver; nor do those that wait for the time of
    their next message.
    """
    return _oldest(db, now, Channel.failing_since.is_null())


def _oldest(db: Db, now: float, *conditions: Any) -> float | None:
    query = (
        Delivery.select(Delivery.due_at)
        .join(Channel, on=(Delivery.channel == Channel.id))
        .where(Delivery.state == PENDING, Delivery.due_at <= now, Channel.disabled_at.is_null())
        .where(Channel.wake_at <= now, *conditions)
        .order_by(Delivery.due_at)
        .limit(1)
    )
    return db.scalar_time(query)


def backlog(db: Db, now: float, older_than: float) -> DeliveryBacklog | None:
    """Return what is due if the oldest of it has been due for ``older_than`` seconds; None otherwise."""
    oldest = oldest_due(db, now)
    if oldest is None or oldest > now - older_than:
        return None
    number = fn.count(Delivery.id)
    rows = (
        Delivery.select(number, Workspace.slug, Channel.name)
        .join(Channel, on=(Delivery.channel == Channel.id))
        .join(Workspace, on=(Channel.workspace == Workspace.id))
        .where(
            Delivery.state == PENDING,
            Delivery.due_at <= now,
            Channel.disabled_at.is_null(),
            Channel.failing_since.is_null(),
            Channel.wake_at <= now,
        )
        .group_by(Workspace.slug, Channel.name)
        .order_by(number.desc(), Workspace.slug, Channel.name)
    )
    counts = list(rows.tuples().execute(db.peewee))
    if not counts:
        return None  # all was sent meanwhile
    most, workspace, channel = counts[0]
    return DeliveryBacklog(sum(count for count, _, _ in counts), oldest, workspace, channel, most)
