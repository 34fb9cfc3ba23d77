"""digest: one per period, never empty, and its channel gets a message."""

from __future__ import annotations

import pytest

from actors.digest import compose
from overheard.db import storing
from overheard.db.database import Db
from overheard.messages import ComposeDigest, NotifyChannel
from tests.fixtures import Clock, Sent, World


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


def test_a_digest_is_composed_once_per_period(world: World, db: Db, sent: Sent, clock: Clock) -> None:
    acme = world.workspace(channels={"daily": "digest", "now": "instant"})
    message = ComposeDigest(workspace_id=acme, period_end=clock())
    compose(message, db=db, send=sent, clock=clock)
    assert sent == []
    storing.store(db, world.matched((world.item(), (acme,))), clock())
    for _ in range(3):
        compose(message, db=db, send=sent, clock=clock)
    assert sent == [NotifyChannel(channel_id=world.channel(acme, "daily"))]


def test_a_deleted_workspace_is_not_an_error(db: Db, sent: Sent, clock: Clock) -> None:
    compose(ComposeDigest(workspace_id=4711, period_end=1.0), db=db, send=sent, clock=clock)
    assert sent == []
