"""What is deleted there is deleted here (I9): the recheck stage with each source that can look items up."""

from __future__ import annotations

import pytest

from actors.recheck import ABSENCE_CONFIRM_SECONDS, Rechecker
from overheard.config import RecheckSettings
from overheard.db import rechecks, storing
from overheard.db.database import Db
from overheard.db.models import StoredItem
from overheard.db.rechecks import EARLY_FRACTION
from overheard.messages import RecheckItems
from overheard.observability.metrics import ProcessMetrics
from overheard.permits import Reservation, SparePermit, TokenRate
from overheard.workspaces import WatchSpec
from tests.contract.source_worlds import LOOKED_UP
from tests.fixtures import Clock, Sent, World
from tests.unit.sources.reddit_world import RecordingBudget

DAY_SECONDS = 86_400.0
# Sources whose answers leave deleted items out: a second answer has to confirm it.
TOLD_BY_ABSENCE = ("stackexchange",)


class SpareTokens:
    """A limiter that always has a spare token, and counts them by key."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def spare(self, key: str) -> float:
        self.taken.append(key)
        return 0.0

    def observe(self, key: str, remaining: float, reset: float) -> None:
        """Ignore the server's count."""

    def reserve(self, key: str, pace: TokenRate | None = None, *, patient: bool = False) -> Reservation:
        raise AssertionError("a recheck that can wait reserves nothing")

    def until(self, key: str, slot: float) -> float:
        raise AssertionError("a recheck that can wait reserves nothing")

    def block(self, key: str, seconds: float) -> None:
        raise AssertionError("nothing was refused")


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.mark.parametrize("name", LOOKED_UP)
def test_what_is_deleted_there_is_deleted_here(
    name: str, world: World, db: Db, sent: Sent, clock: Clock, metrics: ProcessMetrics
) -> None:
    with LOOKED_UP[name]() as there:
        kept, deleted = there.add("posts", "python", "one"), there.add("posts", "python", "two")
        found = there.source.look_up([kept, deleted], RecordingBudget()).items
        assert {item.id for item in found} == {kept, deleted}
        place = found[0].place
        acme = world.save(world.spec(subreddits=(), watch=(WatchSpec(name, (place,)),)))
        storing.store(db, world.matched(*[(item, (acme,)) for item in found]), clock())
        assert world.counts()["Mention"] == 2
        there.delete(deleted)

        clock.advance(DAY_SECONDS)
        rechecker = Rechecker(
            db=db, sources={name: there.source}, send=sent, clock=clock, rules=RecheckSettings(), metrics=metrics
        )
        assert rechecks.overdue(db, [name], clock() - 1) == 2
        tokens = SpareTokens()
        permit = SparePermit(
            tokens, f"{name}:x", f"recheck-{name}:x", wait=lambda seconds: None, on_wait=lambda seconds: None
        )
        assert rechecker.recheck(RecheckItems(source=name), permit) is None
        if name in TOLD_BY_ABSENCE:
            assert world.counts()["StoredItem"] == 2
            clock.advance(ABSENCE_CONFIRM_SECONDS - 1)
            assert not rechecks.due(db, name, clock() - EARLY_FRACTION * DAY_SECONDS, clock())
            clock.advance(1)
            assert rechecks.due(db, name, clock() - EARLY_FRACTION * DAY_SECONDS, clock())
            assert rechecker.recheck(RecheckItems(source=name), permit) is None
        assert world.rows(StoredItem, "ref") == [(kept,)]
        assert world.counts() | {"Mention": 1, "Delivery": 1} == world.counts()
        assert rechecks.overdue(db, [name], clock() - 1) == 0
        assert {key.partition(":")[0] for key in tokens.taken} == {name}, "only spare tokens of its own budget"
