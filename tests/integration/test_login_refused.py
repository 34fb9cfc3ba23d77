"""A key that Reddit does not accept any more: an outage that only the operator ends, in the real processes."""

from __future__ import annotations

from pathlib import Path

from overheard.db import dead_letters, source_health
from overheard.db.models import FeedGroup
from tests.servers.farm import Farm


def test_feeds_wait_without_dead_letters_and_are_read_with_a_new_key(tmp_path: Path) -> None:
    with Farm(
        tmp_path, bus="memory://", database=f"sqlite:///{tmp_path}/o.db", REDDIT__CLIENT_SECRET="revoked"
    ) as farm:
        farm.workspace("acme")
        wanted = farm.post(3)
        farm.start("run", "overheard.cli", "run")
        farm.wait(lambda: '"source postponed"' in farm.log("run"))
        farm.workspace("bolt", subreddits=("selfhosted",))
        farm.wait(lambda: farm.log("run").count('"source postponed"') >= 4)
        with farm.db.session():
            state = source_health.state(farm.db, "reddit")
            assert state.reason is not None
            assert "revoked this app" in state.reason
            assert state.revoked
            assert dead_letters.count(farm.db) == 0
        logins = farm.simulator.counts()["by_endpoint"]["token"]
        assert logins <= 4, "one from each thread at the most, however many groups wait"
        farm.kill9("run")

        del farm.settings["REDDIT__CLIENT_SECRET"]
        with farm.db.session():
            FeedGroup.update(lease_until=0).execute(farm.db.peewee)  # the minute has passed for which they were put off
        farm.db.release()
        farm.start("run", "overheard.cli", "run")
        assert wanted <= set(farm.wait_for_items(wanted))
        with farm.db.session():
            assert source_health.state(farm.db, "reddit").failing_since is None
            assert dead_letters.count(farm.db) == 0
