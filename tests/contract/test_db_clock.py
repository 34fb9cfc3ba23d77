"""One clock (I10): a process whose machine's clock is an hour off writes the right times."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from overheard.db import deliveries, leases, refreshes, storing
from overheard.db.database import open_database
from overheard.db.models import Delivery, FeedGroup, RefreshDemand, Workspace
from tests.fixtures import World
from tests.servers.waiting import wait_for

ROOT = Path(__file__).parents[2]
LEASE = 1.0  # seconds

# Claims all there is, as a tick, a fetch and a notify do, and exits.
CLAIMER = """
import sys, time
import time_machine
from overheard.db import deliveries, leases, schedules
from overheard.db.database import open_database
url, ahead, group, channel, lease = sys.argv[1], *map(float, sys.argv[2:])
with time_machine.travel(time.time() + ahead, tick=True):
    db = open_database(url)
    with db.session():
        assert abs(time.time() - db.clock() - ahead) < 60
        [due] = schedules.claim_due(db, db.clock(), 10, lambda due: db.clock() + 300)
        assert leases.claim(db, int(group), "its poll", now=db.clock(), lease=lease)
        [claimed] = deliveries.claim(db, int(channel), now=db.clock(), limit=10, lease=lease).deliveries
"""


@pytest.fixture
def world(postgresql_url: str) -> Iterator[World]:
    db = open_database(postgresql_url)
    with db.session():
        yield World(db, cast(Any, db.clock))
    db.release()


@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
def test_claims_of_a_process_with_a_wrong_clock_end_in_time(world: World, postgresql_url: str, ahead: float) -> None:
    db = world.db
    acme = world.workspace()
    storing.store(db, world.matched((world.item(), (acme,))), db.clock())
    channel, group = world.channel(acme), world.group().id
    began = db.clock()
    arguments = (postgresql_url, *map(str, (ahead, group, channel, LEASE)))
    subprocess.run(
        [sys.executable, "-W", "error", "-c", CLAIMER, *arguments],
        cwd=ROOT, check=True, timeout=60,
    )  # fmt: skip
    ended = db.clock()

    ((due,),) = world.rows(Workspace, "next_due_at")
    ((demanded,),) = world.rows(RefreshDemand, "demanded_at")
    (lease,) = world.rows(FeedGroup, "lease_until")
    (claim,) = world.rows(Delivery, "lease_until")
    for moment in (demanded, due - 300, lease[0] - LEASE, claim[0] - LEASE):
        assert began <= moment <= ended

    wait_for(lambda: db.clock() > max(lease[0], claim[0]), "the leases' end")
    assert refreshes.claim_lost(db, db.clock(), LEASE, 10) == [(acme, "reddit")]
    assert leases.claim(db, group, "another", now=db.clock(), lease=LEASE)
    assert len(deliveries.claim(db, channel, now=db.clock(), limit=10, lease=LEASE).deliveries) == 1
