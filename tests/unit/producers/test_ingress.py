"""The ingress turns a public event into the stage's message, or refuses it with a reason."""

from __future__ import annotations

import pytest

from overheard.bus.event_batches import IncomingEvent
from overheard.db import rechecks, refreshes, storing, workspace_specs
from overheard.db.database import Db
from overheard.errors import InvalidInput, NotFound
from overheard.messages import FetchWorkspace, RecheckItems
from producers.ingress import Ingress
from tests.fixtures import Clock, Sent, World


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


class OneByOne:
    """An ingress that gets events one by one, and raises its refusals."""

    def __init__(self, ingress: Ingress) -> None:
        self.ingress = ingress

    def handle(self, key: str, body: bytes, message_id: str | None) -> None:
        [settled] = self.ingress.handle([IncomingEvent(key, body, message_id)])
        if settled.refusal is not None:
            raise settled.refusal


@pytest.fixture
def ingress(db: Db, sent: Sent, clock: Clock) -> OneByOne:
    return OneByOne(Ingress(db=db, sender=sent, clock=clock, fresh_for=60))


def test_a_recheck_event_without_an_item_rechecks_due_items(ingress: OneByOne, sent: Sent) -> None:
    ingress.handle("item.recheck", b"{}", None)
    assert sent.take() == [RecheckItems(source="reddit")]


def test_a_recheck_of_one_item_is_claimed_and_swept_if_lost(
    ingress: OneByOne, sent: Sent, world: World, db: Db, clock: Clock
) -> None:
    acme = world.workspace()
    for number in (1, 2):
        storing.store(db, world.matched((world.item(number), (acme,)), poll=str(number)), clock())
    ingress.handle("item.recheck", b'{"item": "t3_2"}', None)
    [message] = sent.take()
    [item], _ = rechecks.take_over(db, rechecks.RecheckBatch(message.source, message.item_ids, message.lease), clock())
    assert item.ref == "t3_2"
    [batch] = rechecks.claim(
        db, "reddit", size=100, before=0.0, now=clock() + rechecks.RECHECK_LEASE_SECONDS + 2, requests=1
    )
    assert message.item_ids[0] in batch.item_ids, "first in line, however young"


def test_an_item_that_is_not_stored_is_refused(ingress: OneByOne, sent: Sent) -> None:
    with pytest.raises(NotFound, match="no item t1_zz is stored"):
        ingress.handle("item.recheck", b'{"item": "t1_zz"}', None)
    assert sent == []


ON_SCHEDULE = [
    ("workspace.due", b'{"workspace": 1, "reason": "due"}'),
    ("workspace.due", b'{"workspace": 1, "reason": "sweep"}'),
    ("workspace.digest", b'{"workspace": 1, "period_end": 1795424400}'),
]
BY_HAND = [
    ("workspace.due", b'{"workspace": 1}'),
    ("workspace.due", b'{"workspace": "acme", "reason": "trigger"}'),
    ("workspace.digest", b'{"workspace": 1}'),
]


@pytest.mark.parametrize(("key", "body"), ON_SCHEDULE)
def test_the_ticks_event_for_a_removed_workspace_is_skipped(
    ingress: OneByOne, sent: Sent, world: World, db: Db, key: str, body: bytes
) -> None:
    acme = world.workspace()
    ingress.handle(key, body, None)
    assert len(sent.take()) == 1
    workspace_specs.remove(db, acme)
    ingress.handle(key, body, None)
    assert sent.take() == []


@pytest.mark.parametrize(("key", "body"), ON_SCHEDULE[:2])
def test_the_ticks_event_for_a_paused_workspace_is_skipped_and_repeated_after_resume(
    ingress: OneByOne, sent: Sent, world: World, db: Db, clock: Clock, key: str, body: bytes
) -> None:
    acme = world.workspace()
    refreshes.demand(db, [acme], clock())
    workspace_specs.set_active(db, acme, False)
    ingress.handle(key, body, None)
    assert sent.take() == []
    workspace_specs.set_active(db, acme, True)
    assert refreshes.claim_lost(db, clock.advance(300), 60, 10) == [(acme, "reddit")]
    ingress.handle(key, body, None)
    assert [type(message) for message in sent.take()] == [FetchWorkspace]


@pytest.mark.parametrize(("key", "body"), BY_HAND)
def test_an_event_by_hand_for_a_paused_or_removed_workspace_is_refused(
    ingress: OneByOne, sent: Sent, world: World, db: Db, key: str, body: bytes
) -> None:
    with pytest.raises(NotFound, match="no workspace"):
        ingress.handle(key, body, None)
    workspace_specs.set_active(db, world.workspace(), False)
    if key == "workspace.due":
        with pytest.raises(InvalidInput, match="acme is paused"):
            ingress.handle(key, body, None)
    assert sent.take() == []
