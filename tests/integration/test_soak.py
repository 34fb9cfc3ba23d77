"""A soak of seconds: what `make soak` does for minutes, so that it works when it is wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitServer
from tests.soak.oracle import is_story
from tests.soak.plan import Plan
from tests.soak.report import broken, tables
from tests.soak.run import Soak

pytestmark = pytest.mark.timeout(600)
HURRIED = {
    "fetch.fresh_for": 0.5,
    "fetch.lease": 3,
    "hackernews.requests_per_second": 1_000,
    "notify.lease": 9,
    "notify.per_minute": 60_000,
    "notify.timeout": 3,
    "reddit.requests_per_minute": 6_000,
    "tick.interval": 0.2,
    "tick.jitter": 0,
    "tick.sweep_after": 2,
}


def test_a_short_soak_loses_nothing(
    tmp_path: Path, rabbit_server: RabbitServer, postgres_server: PostgresServer
) -> None:
    plan = Plan(
        minutes=0.15,
        workspaces=30,
        subreddits=10,
        every="2s",
        digest_every="2s",
        digests=0.2,
        hackernews=0.5,
        hackernews_rate=5.0,
        kill_every=2.0,
        trigger_every=3.0,
        late=0.0,
        look_back="0s",
        burst=0,
        slack=240.0,  # a slow machine has not started all processes yet when the traffic ends
        reddits_rate=7_000.0,
        settings=HURRIED,
    )
    said: list[str] = []
    result = Soak(plan, tmp_path, rabbit_server, postgres_server, say=said.append).run()
    (_, nothing_lost), *rest = tables(result)
    assert [figure for figure in nothing_lost if not figure.kept] == [], said
    assert result.books.expected
    assert any(map(is_story, result.books.expected)), "and of Hacker News"
    assert result.killer.kills.total() >= 3
    assert result.digests & {slug for slug, _ in result.books.first}, "digests arrive too"
    assert [name for name in (figure.name for figure in broken(rest)) if not name.startswith(TIMED)] == [], said


# How fast it is, is for the long run on a quiet machine to say. And the plan groups anew what two threads have divided
# between them at their first readings only after a minute.
TIMED = ("age at delivery", "further pages", "seconds between", "queue ", "feeds in a request's first page")
