"""Digests: what is held for a channel, bundled into one delivery a period."""

from __future__ import annotations

from overheard.db.database import Db
from overheard.db.deliveries import new_delivery_id
from overheard.db.models import BUNDLED, DIGEST, HELD, PENDING, Channel, Delivery, Workspace


def compose(db: Db, workspace_id: int, period_end: float, now: float) -> list[int]:
    """Bundle what is held for each digest channel of the workspace into one delivery; return those channels.

    If nothing is held, there is no digest. A period has one digest per channel, however often this is called (I3).
    """
    channels = []
    with db.transaction():
        held = (
            Delivery.select(Delivery.channel)
            .join(Channel, on=(Delivery.channel == Channel.id))
            .where(Channel.workspace == workspace_id, Channel.disabled_at.is_null(), Delivery.state == HELD)
            .distinct()
        )
        for (channel_id,) in sorted(held.tuples().execute(db.peewee)):
            row = {"id": new_delivery_id(), "channel": channel_id, "period_end": period_end, "state": PENDING}
            row["kind"] = DIGEST
            inserted = list(
                Delivery.insert(**row, due_at=now, created_at=now)
                .on_conflict_ignore()
                .returning(Delivery.id)
                .tuples()
                .execute(db.peewee)
            )
            if not inserted:
                continue  # this period has its digest already: what came since goes into the next
            taken = (
                Delivery.update(state=BUNDLED, bundle=row["id"])
                .where(Delivery.channel == channel_id, Delivery.state == HELD)
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
