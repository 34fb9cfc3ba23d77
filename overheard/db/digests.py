"""Digests: what is held for a channel, bundled into one delivery a period. ``digest_contents`` says what is in it."""

from __future__ import annotations

from peewee import fn

from overheard import schedule
from overheard.db.channel_locks import lock_channels
from overheard.db.database import Db
from overheard.db.deliveries import new_delivery_id
from overheard.db.models import BUNDLED, DIGEST, HELD, PENDING, Channel, Delivery, Workspace
from overheard.errors import InvalidInput
from overheard.routing import HELD_BY_DIGEST, HELD_BY_LIMIT
from overheard.workspaces import DEFAULT_DIGEST

FOR_DIGEST = (HELD_BY_DIGEST, HELD_BY_LIMIT)
DAY_SECONDS = 86400.0


def compose(db: Db, workspace_id: int, period_end: float, now: float) -> list[int]:
    """Bundle what each channel of the workspace holds for its digest into one delivery; return those channels.

    If nothing is held, there is no digest. A period has one digest per channel, however often this is called (I3). What
    was stored after the period's end is left to the next one.
    """
    channels = []
    with db.transaction():
        lock_channels(db, Channel.workspace == workspace_id)
        held = (
            Delivery.select(Delivery.channel, fn.min(Delivery.created_at))
            .join(Channel, on=(Delivery.channel == Channel.id))
            .where(Channel.workspace == workspace_id, Channel.disabled_at.is_null(), *_awaiting(period_end))
            .group_by(Delivery.channel)
        )
        for channel_id, oldest_at in sorted(held.tuples().execute(db.peewee)):
            row = {"id": new_delivery_id(), "kind": DIGEST, "channel": channel_id, "state": PENDING}
            period = {
                "period_start": _period_start(db, workspace_id, channel_id, period_end, oldest_at),
                "period_end": period_end,
            }
            inserted = list(
                Delivery.insert(**row, **period, due_at=now, created_at=now)
                .on_conflict_ignore()
                .returning(Delivery.id)
                .tuples()
                .execute(db.peewee)
            )
            if not inserted:
                continue  # this period has its digest already: what was stored late goes into the next
            taken = (
                Delivery.update(state=BUNDLED, bundle=row["id"])
                .where(Delivery.channel == channel_id, *_awaiting(period_end))
                .execute(db.peewee)
            )
            if taken:
                channels.append(channel_id)
            else:  # another period's digest, composed at the same time, has taken them all
                Delivery.delete().where(Delivery.id == row["id"]).execute(db.peewee)
        Workspace.update(digest_end=None).where(
            Workspace.id == workspace_id, Workspace.digest_end <= period_end
        ).execute(db.peewee)
    return channels


def _awaiting(period_end: float) -> tuple[object, ...]:
    return (Delivery.state == HELD, Delivery.held_by.in_(FOR_DIGEST), Delivery.created_at <= period_end)


def _period_start(db: Db, workspace_id: int, channel_id: int, period_end: float, oldest_at: float) -> float:
    """Return when the digest was due before, or earlier if it holds what is older: after an outage, several periods.

    Never before the end of the channel's last digest: what was stored at that very moment may have missed it.
    """
    digests = Delivery.select(fn.max(Delivery.period_end)).where(Delivery.channel == channel_id)
    last_end = digests.where(Delivery.period_end < period_end).scalar(db.peewee) or 0.0
    rows = Workspace.select(Workspace.digest, Workspace.timezone).where(Workspace.id == workspace_id)
    [(text, timezone)] = rows.tuples().execute(db.peewee)
    try:
        due = schedule.due_before(text or DEFAULT_DIGEST, timezone, min(period_end, oldest_at), period_end)
    except InvalidInput:  # ``schedules.unreadable_schedules`` reports it
        due = min(period_end - DAY_SECONDS, oldest_at)
    return max(due, last_end)
