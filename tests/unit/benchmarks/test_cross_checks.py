"""What the benchmarks are compared with: arithmetic with known results, and the same world over HTTP."""

from __future__ import annotations

import pytest

from tests.benchmarks.arithmetic import ArithmeticGroup, ArithmeticRules, expected, median_age, pages
from tests.benchmarks.fetch_world import FetchWorld, InProcessReddit, Traffic, database
from tests.benchmarks.http_world import HttpReddit

RULES = ArithmeticRules(group_size=50, every=300.0, latency=0.0, budget=95.0 / 60.0)


@pytest.mark.parametrize(("items", "full"), [(50, 0.50), (100, 0.66), (275, 0.90), (471, 0.925), (865, 0.95)])
def test_how_full_the_pages_of_a_reading_are(items: int, full: float) -> None:
    assert items / (100.0 * pages(items)) == pytest.approx(full, abs=0.01)


def test_quiet_feeds_cost_a_request_for_each_group() -> None:
    result = expected([[1e-4] * 200, [1e-4] * 200], RULES)
    assert result.requests == pytest.approx(8 / 5.0, rel=0.01)
    assert result.age == pytest.approx(150.0, rel=0.02)


def test_spare_requests_are_for_busy_groups() -> None:
    rates = [[0.2] * 50 + [0.01] * 450]
    fresh = expected(rates, RULES._replace(freshest=1.0, budget=1.0))
    assert fresh.requests == pytest.approx(0.95 * 60.0, rel=0.02)
    assert fresh.age < expected(rates, RULES).age / 5.0


def test_the_median_age_is_that_of_items_not_of_groups() -> None:
    groups = [ArithmeticGroup(9.0, 10.0), ArithmeticGroup(1.0, 1000.0)]
    assert median_age(groups, 0.0) == pytest.approx(5.5, abs=0.2)


def test_a_world_over_http_makes_the_same_requests() -> None:
    def run(reddit: type[InProcessReddit]) -> tuple[list[float], set[str]]:
        traffic = Traffic({"one": 5.0, "two": 1.0, "three": 1.0}, 0.5, 0.5, late=0.1)
        with database() as db:
            world = FetchWorld(db, 2, 1, traffic, tick={"interval": 30}, reddit=reddit, drain=360.0)
            with world.reddit.served():
                world.run()
        assert not world.reddit.shown.keys() - world.stored.keys()
        return world.reddit.requested_at, set(world.stored)

    (plain, stored), (http, stored_http) = run(InProcessReddit), run(HttpReddit)
    assert len(http) == len(plain)
    assert stored_http == stored
