"""Claiming groups to read them, at the same time in several threads."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from actors.fetch.group_leases import GroupLeases
from overheard.config import FetchSettings
from overheard.db.database import Db
from overheard.db.models import FeedGroup
from overheard.sources import GroupLimit
from tests.fixtures import Clock, Race, World

ROUNDS = 5
SIZE, FEEDS = 10, 100
FULL_FRACTION = 0.95


class Listing:
    """As much of a source as a claim needs."""

    group_limit = GroupLimit(100)

    def join(self, older: str | None, newer: Any) -> str | None:
        return older


@pytest.mark.parametrize("threads", [2, 4])
def test_first_readings_at_the_same_time_name_as_many_feeds_each(
    world: World, db: Db, clock: Clock, race: Race, threads: int
) -> None:
    leases = GroupLeases(
        db=db,
        sources={"reddit": Listing()},  # type: ignore[dict-item]
        clock=clock,
        rules=FetchSettings(group_size=SIZE),
    )
    sizes = []
    for number in range(ROUNDS):
        names = [f"sub{number}_{place}" for place in range(FEEDS)]
        world.workspace(f"w{number}", subreddits=names)
        groups = [world.group(name).id for name in names[:threads]]
        claimed = race(*(partial(leases.claim, group, may_grow=True) for group in groups))
        # One may have joined another before it was claimed itself.
        sizes += [len(poll.group.feeds) for poll in claimed if poll is not None]
        FeedGroup.update(cursor="read").execute(db.peewee)
    assert sum(sizes) >= FULL_FRACTION * SIZE * len(sizes), sizes
