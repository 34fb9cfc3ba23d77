"""ingress: a public event becomes the stage's message, or is refused with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from overheard.db import rechecks, storing
from overheard.db.connect import Db
from overheard.errors import NotFound
from overheard.messages import RecheckItems
from producers.ingress import Ingress


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def ingress(db: Db, sent: Any, clock: Any) -> Ingress:
    return Ingress(db=db, sender=sent, clock=clock, fresh_for=60)


def test_a_recheck_of_what_is_due(ingress: Ingress, sent: Any) -> None:
    ingress.handle("item.recheck", b"{}", None)
    assert sent.take() == [RecheckItems()]


def test_a_recheck_of_one_item_is_claimed_and_found_again_when_it_is_lost(
    ingress: Ingress, sent: Any, world: Any, db: Db, clock: Any
) -> None:
    acme = world.workspace()
    for number in (1, 2):
        storing.store(db, world.matched((world.item(number), (acme,)), poll=str(number)), clock())
    ingress.handle("item.recheck", b'{"item": "t3_2"}', None)
    [message] = sent.take()
    [item], _ = rechecks.take(db, rechecks.Batch(message.item_ids, message.lease), clock())
    assert item.name == "t3_2"
    [batch] = rechecks.claim(db, before=0.0, now=clock() + rechecks.LEASE + 2, requests=1)
    assert message.item_ids[0] in batch.item_ids, "first in line, however young"


def test_an_item_that_is_not_stored_is_refused(ingress: Ingress, sent: Any) -> None:
    with pytest.raises(NotFound, match="no item t1_zz is stored"):
        ingress.handle("item.recheck", b'{"item": "t1_zz"}', None)
    assert sent == []
