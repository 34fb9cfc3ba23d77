"""What a budget allows in ten minutes: never more than its average, also in bursts, and beside others (I5).

In virtual time. Two limiters share a row, as two processes do.
"""

from __future__ import annotations

import heapq
import random
from bisect import bisect_left
from collections.abc import Iterator

import pytest

from overheard.db import budgets
from overheard.db.budgets import DatabaseLimiter
from overheard.db.database import Db, open_database
from overheard.db.models import Budget
from overheard.db.token_rates import WINDOW_SECONDS, averaged
from tests.fixtures import Clock

KEY = "reddit:x"
REDDIT = averaged(95, 500)
RATE = averaged(30, 500)  # the same at a third of its size
TOKENS = 300  # in any ten minutes
ALLOWED = 315  # by the server
FIRST_WINDOW_SECONDS = 217.0  # until the server's window ends: its windows are not ours


@pytest.fixture
def at_clock(db_url: str, db: Db, clock: Clock) -> Iterator[Db]:
    opened = open_database(db_url, clock)
    with opened.session():
        yield opened
    opened.release()


class Traffic:
    """Requests at the times at which they go, of two processes."""

    def __init__(self, db: Db, clock: Clock) -> None:
        self.limiters = [DatabaseLimiter(db, {"reddit": RATE}) for _ in range(2)]
        self.clock = clock
        self.sent: list[float] = []
        self.began = clock()

    def reserve(self, process: int = 0, *, patient: bool = False) -> float:
        """Reserve a slot, send a request at its time, and return the wait; no request if the queue is too long."""
        made = self.limiters[process].reserve(KEY, patient=patient)
        if made.slot is not None:
            self.sent.append(made.slot)
        return made.delay

    def spare(self, process: int = 0) -> bool:
        taken = self.limiters[process].spare(KEY) == 0
        if taken:
            self.sent.append(self.clock())
        return taken

    def at_once(self, *, patient: bool = False) -> int:
        """Return how many requests go before one has to wait."""
        count = 0
        while self.reserve(count % 2, patient=patient) <= 0:
            count += 1
        return count

    def saturate(self, seconds: float, *, patient: bool = True) -> int:
        """Let both processes have requests waiting all the time; return how many go."""
        began, latest = self.clock(), 0.0
        while self.clock() < began + seconds:
            while latest < self.clock() + 10:
                latest = self.clock() + self.reserve(len(self.sent) % 2, patient=patient)
            self.clock.advance(4)
        return sum(began < at <= began + seconds for at in self.sent)


def fullest(times: list[float]) -> int:
    """Return the most requests in any ten minutes."""
    times = sorted(times)
    return max((n + 1 - bisect_left(times, at - WINDOW_SECONDS + 0.001) for n, at in enumerate(times)), default=0)


@pytest.fixture
def traffic(at_clock: Db, clock: Clock) -> Traffic:
    return Traffic(at_clock, clock)


def test_the_average_of_ten_minutes_is_exact() -> None:
    for rate, tokens in ((REDDIT, 950), (RATE, TOKENS), (averaged(60, 5), 600), (averaged(1, 500), 10)):
        assert rate.window_tokens == pytest.approx(tokens)
        assert rate.saved_burst + WINDOW_SECONDS / rate.saved_period == pytest.approx(tokens)
    assert (REDDIT.burst, REDDIT.saved, REDDIT.kept) == (19, 475, 12)
    assert averaged(60, 5).saved_burst == 5, "a smaller burst, as configured"


def test_under_constant_demand_nearly_all_is_used(traffic: Traffic) -> None:
    traffic.saturate(60)
    assert traffic.saturate(1200) >= 0.975 * 2 * TOKENS
    assert fullest(traffic.sent) <= TOKENS


def test_a_quiet_time_saves_a_burst_which_the_next_ten_minutes_lack(traffic: Traffic, clock: Clock) -> None:
    assert traffic.at_once() == RATE.burst, "nothing is known of the time before"
    clock.advance(1200)
    assert 149 <= traffic.at_once() <= 150
    assert traffic.saturate(600) == pytest.approx(150, abs=5), "they are spread over that time"
    assert traffic.saturate(600) >= 0.95 * TOKENS, "and then it is as before"
    assert fullest(traffic.sent) <= TOKENS


def test_after_a_long_time_of_constant_demand_a_burst_is_saved_as_fast(traffic: Traffic, clock: Clock) -> None:
    traffic.saturate(900)
    clock.advance(620)
    assert traffic.at_once() >= 149, "what was used before that is not owed"
    assert fullest(traffic.sent) <= TOKENS


def test_a_burst_before_and_one_after_a_window_s_end(traffic: Traffic, clock: Clock) -> None:
    traffic.reserve()
    clock.advance(1200)
    traffic.at_once()
    clock.advance(WINDOW_SECONDS - 1)
    first = traffic.at_once()
    clock.advance(2)
    assert first + traffic.at_once() <= 150
    assert fullest(traffic.sent) <= TOKENS


def test_demand_that_stops_and_goes_never_exceeds_ten_minutes(traffic: Traffic, clock: Clock) -> None:
    """Everything in turn, for hours: bursts, spare requests, patient ones, saturation, quiet times, blocks."""
    chance = random.Random(7)
    for _ in range(80):
        for _ in range(chance.randrange(40)):
            traffic.reserve(chance.randrange(2), patient=chance.random() < 0.5)
        what = chance.random()
        if what < 0.1:
            traffic.at_once(patient=chance.random() < 0.5)
        elif what < 0.2:
            traffic.saturate(chance.choice([30, 200]), patient=chance.random() < 0.5)
        elif what < 0.25:
            traffic.limiters[0].block(KEY, chance.randrange(60))
        clock.advance(chance.choice([0, 1, 10, 60, 590, 1200]))
        while traffic.spare(chance.randrange(2)):
            clock.advance(chance.random())
    assert fullest(traffic.sent) <= TOKENS
    assert len(traffic.sent) > 2000


def test_patient_requests_leave_tokens_to_others(traffic: Traffic, clock: Clock) -> None:
    traffic.saturate(60)
    clock.advance(5)
    waits = [traffic.reserve() for _ in range(RATE.kept)]
    assert max(waits) <= 10.0, "so long are those waiting that have a slot"
    assert traffic.reserve(patient=True) >= waits[-1] + RATE.kept * RATE.period


def test_as_many_patient_requests_as_said_go_in_time(traffic: Traffic, at_clock: Db, clock: Clock) -> None:
    def said(seconds: float) -> float:
        return budgets.patient_tokens(at_clock, (KEY,), RATE, seconds)

    assert said(5) == pytest.approx(RATE.burst - RATE.kept + 5 / RATE.period)
    for quiet in (0, 20, 1200):
        clock.advance(quiet)
        count = 0
        expected = said(5)
        while traffic.reserve(patient=True) <= 5:
            count += 1
        assert count == pytest.approx(expected, abs=1)
        assert said(5) <= 1
    assert budgets.patient_tokens(at_clock, (KEY, "reddit:y"), RATE, 5) == pytest.approx(
        RATE.burst - RATE.kept + 5 / RATE.period, abs=1
    ), "of a client that was not used yet"
    traffic.limiters[0].block(KEY, 60)
    assert said(5) == 0


def test_a_clock_that_was_set_back_does_not_allow_more(traffic: Traffic, clock: Clock) -> None:
    traffic.saturate(30)
    before = clock()
    clock.advance(-200)
    assert traffic.reserve() > 150
    clock.advance(-7200)
    assert traffic.limiters[0].reserve(KEY).slot is None
    clock.now = before + 60
    traffic.saturate(600)
    assert fullest(traffic.sent) <= TOKENS


# -- beside others with the same credentials


class SharedKey:
    """Reddit, and another program that takes ``others`` requests a minute with our key, in windows of ten minutes."""

    def __init__(self, traffic: Traffic, others: float) -> None:
        self.traffic, self.clock, self.others = traffic, traffic.clock, others
        self.window = self.clock() + FIRST_WINDOW_SECONDS
        self.used = 0.0
        self.ours = self.refused = 0
        self._at = self.clock()
        self._waiting: list[float] = []

    def run(self, seconds: float, demand: int = 3) -> int:
        """Let time pass under demand; return how many of our requests went."""
        until, before = self.clock() + seconds, self.ours
        while self.clock() < until:
            while len(self._waiting) < demand:
                limiter = self.traffic.limiters[len(self._waiting) % 2]
                made = limiter.reserve(KEY, patient=True)
                if made.slot is None:
                    break
                heapq.heappush(self._waiting, made.slot)
            self.clock.advance(0.5)
            self._others()
            while self._waiting and self._waiting[0] <= self.clock():
                slot = heapq.heappop(self._waiting)
                limiter = self.traffic.limiters[self.ours % 2]
                if limiter.until(KEY, slot) > -30:
                    self._request(limiter)
        return self.ours - before

    def _others(self) -> None:
        self._roll()
        self.used += self.others / 60 * (self.clock() - self._at)
        self._at = self.clock()

    def _roll(self) -> None:
        while self.clock() >= self.window:
            self.window += WINDOW_SECONDS
            self.used = 0.0

    def _request(self, limiter: DatabaseLimiter) -> None:
        self.used += 1
        self.ours += 1
        self.refused += self.used > ALLOWED
        limiter.observe(KEY, max(0.0, ALLOWED - self.used) // 1, self.window - self.clock())


@pytest.mark.parametrize(("others", "least"), [(0.0, 29.0), (1.0, 28.0), (19.0, 9.0), (22.0, 5.5)])
def test_a_key_that_others_use_is_shared_without_a_refusal(traffic: Traffic, others: float, least: float) -> None:
    shared = SharedKey(traffic, others)
    shared.run(600)
    assert shared.run(900) >= least * 15
    assert shared.refused == 0


def test_others_that_take_a_lot_do_not_stop_us_for_long(traffic: Traffic) -> None:
    shared = SharedKey(traffic, 0.0)
    shared.run(230)
    shared.used += 250
    assert shared.run(240) >= 6, "one in twenty seconds, and its place among those that wait"
    shared.others = 31.0
    shared.run(600)
    shared.others = 0.0
    assert shared.run(1200) >= 0.8 * 2 * TOKENS


def test_a_server_that_counts_nonsense_does_not_stop_us(traffic: Traffic, clock: Clock) -> None:
    """Its count falls and rises, and its window ends never, or at once."""
    chance = random.Random(3)
    one, began, went = traffic.limiters[0], clock(), 0
    while clock() < began + 1200:
        clock.advance(one.reserve(KEY).delay)
        one.observe(KEY, chance.choice([2.0, 40.0, 999.0, 1e6]), chance.choice([0.0, 1.0, 600.0, 86400.0]))
        went += 1
    assert went >= 1200 / 22


def test_a_count_that_falls_by_our_own_requests_charges_nothing(traffic: Traffic, at_clock: Db, clock: Clock) -> None:
    """Also of one that is behind, and from a window that moves with time."""
    one, two = traffic.limiters
    for number in range(200):
        traffic.reserve()
        clock.advance(2.1)
        (one, two)[number % 2].observe(KEY, 300.0 - number - number % 3, 600.0)
    (tat,) = Budget.select(Budget.tat).tuples().first(at_clock.peewee)
    assert tat <= clock()


def test_a_burst_leaves_half_of_what_the_server_has_left(traffic: Traffic, clock: Clock) -> None:
    traffic.reserve()
    clock.advance(1200)
    traffic.reserve()
    traffic.limiters[0].observe(KEY, 100.0, 400.0)
    assert traffic.at_once() <= 51
