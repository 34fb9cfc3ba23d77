"""The shared budgets: a GCRA that reserves, on the database's clock, in one statement (I5)."""

from __future__ import annotations

import heapq
import itertools
import math
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from overheard.db import budgets
from overheard.db.budgets import MAX_QUEUE_SECONDS, DatabaseLimiter
from overheard.db.database import Db, open_database
from overheard.db.models import Budget
from overheard.db.token_rates import WINDOW_SECONDS, Rate
from overheard.errors import BudgetExhausted, Unavailable
from overheard.permits import MAX_THREAD_WAIT_SECONDS, BudgetNeed, Permit, Slot, SparePermit, permit_for
from tests.fixtures import Clock, Race

ROOT = Path(__file__).parents[2]
TINY = 0.002  # seconds: SQLite's clock counts milliseconds
PER_MINUTE = 1200  # a slot each 50 ms

RESERVER = """
import sys
from overheard.db.budgets import DatabaseLimiter
from overheard.db.database import open_database
from overheard.db.token_rates import Rate
db = open_database(sys.argv[1])
limiter = DatabaseLimiter(db, {"reddit": Rate(1200, 3)})
with db.session():
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(25):
        print(repr(limiter.reserve("reddit:x").slot), flush=True)
db.release()
"""


@pytest.fixture
def db(db: Db, clock: Clock) -> Db:
    """The database on a clock that stands still: what is computed is not how long the statements take."""
    return Db(db.peewee, sqlite=db.sqlite, clock=clock)


def limiter(db: Db, per_minute: float = PER_MINUTE, burst: int = 1) -> DatabaseLimiter:
    return DatabaseLimiter(db, {"reddit": Rate(per_minute, burst), "channel": Rate(60, 20)})


def spaced(slots: list[float], period: float, burst: int) -> None:
    """No window of any length holds more than ``burst`` + its length / ``period``."""
    slots = sorted(slots)
    for first, one in enumerate(slots):
        for last in range(first + 1, len(slots)):
            assert last - first + 1 <= burst + (slots[last] - one + TINY) / period


def test_slots_are_one_period_apart(db: Db) -> None:
    one = limiter(db)
    reservations = [one.reserve("reddit:x") for _ in range(10)]

    assert reservations[0].delay == 0
    slots = [reservation.slot for reservation in reservations]
    assert None not in slots
    for before, after in itertools.pairwise(slots[1:]):
        assert after - before == pytest.approx(0.05, abs=1e-4)
    assert reservations[-1].slot - db.clock() <= 9 * 0.05 + TINY
    assert [reservation.delay for reservation in reservations] == sorted(r.delay for r in reservations)


def test_a_burst_comes_at_once_and_the_next_waits(db: Db) -> None:
    one = limiter(db, per_minute=60, burst=5)
    delays = [one.reserve("reddit:x").delay for _ in range(7)]
    assert delays[:5] == [0.0] * 5
    assert delays[5] == pytest.approx(1.0, abs=TINY)
    assert delays[6] - delays[5] == pytest.approx(1.0, abs=TINY)


def test_a_service_has_a_rate_of_its_own_and_its_messages_keep_their_slots(db: Db) -> None:
    one = limiter(db)
    delays = [one.reserve("service:chat", (60.0, 2)).delay for _ in range(3)]
    assert delays[:2] == [0.0, 0.0]
    assert delays[2] == pytest.approx(1.0, abs=TINY)
    held = Slot("service:chat", db.clock() - 0.01)
    waits: list[float] = []
    permit = permit_for(one, BudgetNeed("channel:1"), held, wait=waits.append, on_wait=lambda kind, wait: None)
    assert permit.held == held
    permit.paced("chat", (60.0, 2)).acquire()
    assert permit.held is None
    assert waits == []
    with pytest.raises(BudgetExhausted) as exhausted:
        permit.paced("chat", (6.0, 1)).acquire()
    assert exhausted.value.key == "service:chat"


def test_a_quiet_time_saves_no_more_than_the_burst(db: Db) -> None:
    one = limiter(db, per_minute=60, burst=5)
    one.reserve("reddit:x")
    Budget.update(tat=Budget.tat - 3600).execute(db.peewee)
    assert [one.reserve("reddit:x").delay > 0 for _ in range(6)] == [False] * 5 + [True]


def test_keys_are_independent(db: Db) -> None:
    one = limiter(db, per_minute=60)
    assert [one.reserve(key).delay > 0 for key in ("reddit:x", "reddit:y", "channel:1", "reddit:x")] == [
        False, False, False, True,
    ]  # fmt: skip


def test_the_queue_has_a_maximum_length(db: Db) -> None:
    one = limiter(db, per_minute=1)
    reservations = [one.reserve("reddit:x") for _ in range(9)]
    got = [reservation.slot is not None for reservation in reservations]
    assert got[:5] == [True] * 5
    assert got[-2:] == [False, False]
    assert reservations[-1].delay == MAX_QUEUE_SECONDS
    booked = Budget.select(Budget.tat).scalar(db.peewee)
    assert limiter(db, per_minute=1).reserve("reddit:x").slot is None
    assert Budget.select(Budget.tat).scalar(db.peewee) == booked, "a refused reservation books nothing"


def test_threads_share_one_queue(db: Db, race: Race) -> None:
    one = limiter(db, burst=3)

    def ten() -> list[float]:
        return [reservation.slot for _ in range(10) if (reservation := one.reserve("reddit:x")).slot is not None]

    slots = [slot for taken in race(*[ten] * 6) for slot in taken]
    assert len(slots) == 60
    spaced(slots, 0.05, 3)


def test_processes_share_one_queue(db_url: str, db: Db) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", RESERVER, db_url],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    slots = [float(line) for process in processes for line in process.communicate(timeout=60)[0].split()]
    assert len(slots) == 75
    spaced(slots, 0.05, 3)


# -- until, block, observe


def test_until_is_on_the_database_s_clock(db: Db) -> None:
    one = limiter(db)
    slot = one.reserve("reddit:x").slot
    assert slot is not None
    assert one.until("reddit:x", slot + 100) == pytest.approx(100, abs=TINY)
    assert one.until("reddit:x", slot - 100) == pytest.approx(-100, abs=TINY)
    assert one.until("reddit:unknown", db.clock() + 7) == pytest.approx(7, abs=TINY)


def test_no_slot_lies_within_a_block(db: Db) -> None:
    one = limiter(db, burst=5)
    one.block("reddit:x", 100)
    first, second = one.reserve("reddit:x"), one.reserve("reddit:x")
    assert first.delay == pytest.approx(100, abs=TINY)
    assert second.slot - first.slot == pytest.approx(0.05, abs=1e-3)
    assert one.reserve("reddit:y").delay == 0


def test_a_shorter_block_does_not_end_a_longer_one(db: Db) -> None:
    one = limiter(db)
    one.block("reddit:x", 200)
    one.block("reddit:x", 10)
    assert one.reserve("reddit:x").delay == pytest.approx(200, abs=TINY)


def test_during_a_block_longer_than_the_queue_nothing_is_reserved(db: Db) -> None:
    one = limiter(db)
    one.block("reddit:x", MAX_QUEUE_SECONDS + 100)
    assert one.reserve("reddit:x").slot is None


def test_slots_within_a_block_do_not_all_come_at_once_after_it(db: Db) -> None:
    """Ten slots are reserved, one second apart, when Reddit blocks for 100 seconds."""
    one = limiter(db, per_minute=60)
    held = [one.reserve("reddit:x").slot for _ in range(10)]
    one.block("reddit:x", 100)
    ends = db.clock() + 100

    slots = []
    for slot in held:
        permit = Permit(one, "reddit:x", slot=Slot("reddit:x", slot), wait=pytest.fail, on_wait=lambda seconds: None)
        with pytest.raises(BudgetExhausted) as postponed:
            permit.acquire()
        assert postponed.value.slot is not None
        slots.append(postponed.value.slot)

    assert min(slots) >= ends - TINY
    spaced(slots, 1.0, 1)
    assert [one.until("reddit:x", slot) > 0 for slot in slots] == [True] * 10, "and those are good"


def test_a_slot_after_the_block_stays_valid(db: Db) -> None:
    one = limiter(db, per_minute=60)
    one.block("reddit:x", 10)
    slot = one.reserve("reddit:x").slot
    assert slot is not None
    one.block("reddit:x", 5)
    assert one.until("reddit:x", slot) == pytest.approx(10, abs=TINY)
    assert one.until("reddit:x", slot - 3) == -math.inf


def test_a_block_lasts_an_hour_at_most(db: Db) -> None:
    limiter(db).block("reddit:x", 10**9)
    assert budgets.usage(db, "reddit:x")[1] == pytest.approx(budgets.MAX_BLOCK_SECONDS, abs=TINY)


def test_the_server_s_count_is_stored_and_respected(db: Db) -> None:
    one = limiter(db)
    one.observe("reddit:x", 42.0, 300)
    assert budgets.usage(db, "reddit:x") == (42.0, 0.0)
    assert one.reserve("reddit:x").delay == 0

    one.observe("reddit:x", 0.5, 120)
    remaining, busy = budgets.usage(db, "reddit:x")
    assert (remaining, busy) == (0.5, pytest.approx(120, abs=TINY))
    assert one.reserve("reddit:x").delay == pytest.approx(120, abs=TINY)


def test_a_count_older_than_its_window_is_unknown(db: Db) -> None:
    one = limiter(db)
    one.observe("reddit:x", 42.0, 300)
    Budget.update(observed_at=Budget.observed_at - WINDOW_SECONDS + 30).execute(db.peewee)
    assert budgets.usage(db, "reddit:x")[0] == 42.0
    Budget.update(observed_at=Budget.observed_at - 31).execute(db.peewee)
    assert budgets.usage(db, "reddit:x")[0] is None


def test_an_absurd_reset_blocks_for_ten_minutes_at_most(db: Db) -> None:
    one = limiter(db)
    one.observe("reddit:x", 0, 10**9)
    assert budgets.usage(db, "reddit:x")[1] <= 600
    one.observe("reddit:y", 0, -5)
    assert one.reserve("reddit:y").delay == 0


def test_an_unused_budget_is_free(db: Db) -> None:
    assert budgets.usage(db, "reddit:never") == (None, 0.0)


# -- spare tokens


def test_only_a_token_that_would_be_lost_is_spare(db: Db, clock: Clock) -> None:
    one = limiter(Db(db.peewee, sqlite=db.sqlite, clock=clock), per_minute=60, burst=3)
    assert one.spare("reddit:x") == 0, "an unused budget is full"
    assert 0 < one.spare("reddit:x") <= 1 + 2 * TINY, "one is lost each period"
    for idle, spare in [(0.9, False), (0.2, True), (0.9, False), (3600, True), (0.0, False)]:
        Budget.update(tat=Budget.tat - idle).execute(db.peewee)
        assert (one.spare("reddit:x") == 0) is spare, (idle, spare)


def test_a_spare_token_delays_no_reservation(db: Db) -> None:
    """Two budgets with the same history; of one, every spare token is taken before each reservation."""
    one = limiter(db, per_minute=60, burst=3)
    for key in ("reddit:x", "reddit:y"):
        one.reserve(key)
    taken = 0
    for idle in (0.0, 0.5, 1.0, 1.7, 30.0, 1.5, 0.0, 0.0, 5.0, 0.3, 3600.0):
        Budget.update(tat=Budget.tat - idle).execute(db.peewee)
        for _ in range(3):
            taken += one.spare("reddit:x") == 0
        assert one.reserve("reddit:x").delay == pytest.approx(one.reserve("reddit:y").delay, abs=TINY)
    assert taken == 3, "at 30, 5 and 3600: elsewhere the bucket is not full"


def test_a_blocked_or_scarce_budget_has_no_spare_token(db: Db) -> None:
    one = limiter(db, per_minute=60, burst=3)
    one.block("reddit:x", 30)
    assert one.spare("reddit:x") == pytest.approx(30, abs=TINY)
    Budget.update(block_until=0, remaining=29.0, observed_at=db.clock() - 10).execute(db.peewee)
    assert one.spare("reddit:x") > 0, "the credentials are in use elsewhere"
    assert one.reserve("reddit:x").delay == 0
    Budget.update(tat=0, remaining=31.0).execute(db.peewee)
    assert one.spare("reddit:x") == 0
    Budget.update(tat=0, remaining=0.0, observed_at=db.clock() - 601).execute(db.peewee)
    assert one.spare("reddit:x") == 0, "that was another window"


def test_of_many_at_once_one_gets_the_spare_token(db: Db, race: Race) -> None:
    one = limiter(db, per_minute=60, burst=3)
    one.reserve("reddit:x")
    for _ in range(10):
        Budget.update(tat=0).execute(db.peewee)
        assert sorted(race(*[lambda: one.spare("reddit:x")] * 4))[:2] != [0.0, 0.0]


def spare_permit(one: DatabaseLimiter, waits: list[float], *, urgent: bool, slot: float | None = None) -> SparePermit:
    held = None if slot is None else Slot("reddit:x", slot)
    spare = SparePermit(one, "reddit:x", "channel:share", slot=held, wait=waits.append, on_wait=lambda seconds: None)
    spare.urgent = urgent
    return spare


def test_a_permit_that_can_wait_takes_spare_tokens_only(db: Db) -> None:
    one, waits = limiter(db, per_minute=60, burst=1), []  # type: tuple[DatabaseLimiter, list[float]]
    spare_permit(one, waits, urgent=False).acquire()
    for _ in range(3):
        one.reserve("reddit:x")
    with pytest.raises(BudgetExhausted) as caught:
        spare_permit(one, waits, urgent=False).acquire()
    assert caught.value.slot is None, "it stands in no line"
    assert one.reserve("reddit:x").delay == pytest.approx(3.0, abs=TINY), "nor was a token taken"


def test_an_urgent_permit_reserves_as_often_as_its_share_allows(db: Db) -> None:
    one, waits = DatabaseLimiter(db, {"reddit": Rate(60, 1), "channel": Rate(6, 1)}), []  # type: DatabaseLimiter, list[float]
    for _ in range(4):
        one.reserve("reddit:x")
    with pytest.raises(BudgetExhausted) as caught:
        spare_permit(one, waits, urgent=True).acquire()
    slot = caught.value.slot
    assert slot is not None
    with pytest.raises(BudgetExhausted) as refused:
        spare_permit(one, waits, urgent=True).acquire()
    assert refused.value.slot is None, "its share is used up for ten seconds"
    Budget.update(tat=Budget.tat - 10).execute(db.peewee)
    for _ in range(8):
        one.reserve("reddit:x")
    admitted = spare_permit(one, waits, urgent=True, slot=slot - 10)
    admitted.acquire()  # the slot that was waited for
    with pytest.raises(BudgetExhausted) as login:
        admitted.acquire()
    assert login.value.slot is not None, "a reserved permit may acquire a second token, for a login"


def test_a_spare_token_a_moment_away_is_waited_for(db: Db) -> None:
    one = limiter(db, per_minute=120, burst=1)
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        Budget.update(tat=Budget.tat - seconds).execute(db.peewee)

    spare = SparePermit(one, "reddit:x", "channel:share", wait=wait, on_wait=lambda seconds: None)
    for _ in range(3):
        spare.acquire()
    assert len(waits) == 2
    assert all(0 < seconds <= 0.51 for seconds in waits)


def test_a_database_error_is_raised_as_unavailable(db: Db) -> None:
    """The permit is acquired inside PRAW, which must not take it for one of its own errors."""
    one = limiter(db)
    calls = (
        lambda: one.reserve("reddit:x"),
        lambda: one.spare("reddit:x"),
        lambda: one.until("reddit:x", 1.0),
        lambda: one.block("reddit:x", 1.0),
        lambda: one.observe("reddit:x", 1.0, 1.0),
    )
    if db.sqlite:
        db.peewee.execute_sql("ALTER TABLE budget RENAME TO elsewhere")
    for call in calls:
        if not db.sqlite:
            db.peewee.connection().close()  # as if the server had: the next session makes a new one
        with pytest.raises(Unavailable):
            call()


def test_as_many_triggers_as_an_hour_has_come_at_once_and_then_one_by_one(db: Db) -> None:
    assert [budgets.try_acquire_trigger(db, 1, 3) for _ in range(5)] == [True, True, True, False, False]
    assert budgets.try_acquire_trigger(db, 2, 3), "each workspace has its own"
    for _ in range(2):
        Budget.update(tat=Budget.tat - 1201).where(Budget.key == "trigger:1").execute(db.peewee)
        assert [budgets.try_acquire_trigger(db, 1, 3) for _ in range(2)] == [True, False]
    Budget.update(tat=Budget.tat - 86400).where(Budget.key == "trigger:1").execute(db.peewee)
    assert [budgets.try_acquire_trigger(db, 1, 3) for _ in range(4)] == [True, True, True, False], (
        "a quiet day saves no more"
    )
    assert [budgets.try_acquire_trigger(db, 3, 1) for _ in range(2)] == [True, False]


def test_concurrent_triggers_do_not_exceed_the_limit(db: Db, race: Race) -> None:
    admitted = race(*[lambda: [budgets.try_acquire_trigger(db, 1, 10) for _ in range(10)]] * 4)
    assert sum(itertools.chain.from_iterable(admitted)) == 10


# -- several clients

CLIENTS = ("reddit:a", "reddit:b", "reddit:c")


def test_the_soonest_of_several_budgets(db: Db) -> None:
    one = limiter(db, per_minute=60, burst=2)
    assert one.soonest(CLIENTS) == "reddit:a", "none has been used"
    one.reserve("reddit:a")
    assert one.soonest(CLIENTS) == "reddit:b", "in turn"
    one.reserve("reddit:b")
    one.block("reddit:c", 30)
    assert one.soonest(CLIENTS) == "reddit:a", "the least recently used"
    for _ in range(3):
        one.reserve("reddit:a")
    assert one.soonest(CLIENTS) == "reddit:b", "it still has a token"
    for _ in range(100):
        one.reserve("reddit:b")
    assert one.soonest(CLIENTS) == "reddit:a"
    one.block("reddit:a", 3600)
    assert one.soonest(CLIENTS) == "reddit:c"


def test_a_client_that_is_in_use_elsewhere_has_no_spare_tokens(db: Db) -> None:
    one = limiter(db, per_minute=60, burst=2)
    one.observe("reddit:a", 29.0, 300)
    one.reserve("reddit:b")
    one.reserve("reddit:c")
    assert one.soonest(CLIENTS) == "reddit:a"
    assert one.soonest(CLIENTS, spare=True) == "reddit:b", "rechecks would wait for the first one all the time"


def test_under_demand_every_client_s_budget_is_used_up_and_never_exceeded(db_url: str, db: Db, clock: Clock) -> None:
    """In virtual time: forty messages of ten requests each, a few of which a thread begins at any moment."""
    at_clock = open_database(db_url, clock)
    began, one, waits, tokens = clock(), limiter(at_clock, per_minute=95, burst=5), [], defaultdict(list)  # type: ignore[var-annotated]

    def wait(seconds: float) -> None:
        waits.append(seconds)
        clock.advance(seconds)

    def work(slot: Slot | None) -> BudgetExhausted | None:
        permit = Permit(one, "reddit:a", slot=slot, wait=wait, on_wait=lambda seconds: None)
        for _ in range(10):
            name = permit.soonest(("a", "b", "c"))
            try:
                permit.of(name).acquire()
            except BudgetExhausted as exhausted:
                return exhausted
            tokens[name].append(clock())
        return None

    with at_clock.session():
        queue: list[tuple[float, int, Slot | None]] = [(began, number, None) for number in range(40)]
        while clock() < began + 300:
            due, number, slot = heapq.heappop(queue)
            clock.advance(max(due - clock(), 0.0))
            exhausted = work(slot)
            held = None if exhausted is None or exhausted.slot is None else Slot(exhausted.key, exhausted.slot)
            heapq.heappush(queue, (clock() + (exhausted.delay if exhausted else 0.0), number, held))
    at_clock.release()
    assert all(seconds <= MAX_THREAD_WAIT_SECONDS for seconds in waits)
    for taken in tokens.values():
        spaced(taken, 60 / 95, 5)
        assert len(taken) >= 0.98 * 95 * 5
    assert len(tokens) == 3


def test_many_that_choose_at_once_leave_no_client_unused(db: Db, race: Race) -> None:
    one = limiter(db, burst=1)

    def twenty() -> list[tuple[str, float]]:
        found = []
        for _ in range(20):
            key = one.soonest(CLIENTS)
            slot = one.reserve(key).slot
            assert slot is not None
            found.append((key, slot))
        return found

    slots = [each for taken in race(*[twenty] * 6) for each in taken]
    for key in CLIENTS:
        own = [slot for used, slot in slots if used == key]
        spaced(own, 0.05, 1)
        assert 30 <= len(own) <= 50, "of 120"
