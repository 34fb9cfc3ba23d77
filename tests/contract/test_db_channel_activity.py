"""What channels have done lately, and what waits for them, on both databases."""

from __future__ import annotations

from overheard.db import channel_activity, channels, deliveries, storing
from overheard.db.channel_activity import ChannelActivity
from overheard.db.database import Db
from overheard.db.models import Delivery, FailedTry
from tests.fixtures import Clock, World


def test_a_channel_s_activity(world: World, db: Db, clock: Clock) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    team, other = world.channel(acme), world.channel(bolt)
    assert channel_activity.of_channels(db, [team], clock()) == {team: ChannelActivity()}
    for number in range(1, 7):
        storing.store(db, world.matched((world.item(number), (acme,)), poll=f"{number}"), clock.advance(1))
    keys = [key for (key,) in Delivery.select(Delivery.id).order_by(Delivery.created_at).tuples().execute(db.peewee)]

    def change(key: str, **values: object) -> None:
        Delivery.update(values).where(Delivery.id == key).execute(db.peewee)

    deliveries.mark_sent(db, keys[0], clock() - 3)
    deliveries.mark_sent(db, keys[1], clock() - 2)
    change(keys[2], state="muted")
    change(keys[3], held_by="quiet hours", due_at=clock() + 900)
    change(keys[4], due_at=clock() + 60)
    change(keys[5], due_at=clock() + 30, held_by="channel disabled")
    for delivery, at, error in ((keys[0], 5.0, "503"), (keys[4], 9.0, "timeout"), (keys[0], 7.0, "429")):
        FailedTry.insert(delivery=delivery, at=at, error=error).execute(db.peewee)
    found = channel_activity.of_channels(db, [team, other], clock() + 40)
    assert found[other] == ChannelActivity()
    assert found[team] == ChannelActivity(
        backlog=2, held=1, muted=1, last_success_at=clock() - 2, last_error="429", last_error_at=7.0,
        next_try_at=clock() + 30,
    )  # fmt: skip
    channels.postpone(db, team, clock() + 500)
    assert channel_activity.of_channels(db, [team], clock())[team].next_try_at == clock() + 500
