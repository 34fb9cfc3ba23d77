"""Whatever happens to requests and numbers: an item of Hacker News is read, or lies in a recorded gap."""

from __future__ import annotations

import random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from overheard.errors import BudgetExhausted, RetryableError
from overheard.sources import Page
from overheard.sources.hackernews.cursor import HOLE_SECONDS
from tests.unit.sources.hackernews_world import HackerNewsDesk

pytestmark = pytest.mark.thorough

FAULT_FRACTION = 0.05


class BusyDay:
    """One example: items, holes, faults, restarts and crashes, and readings in between."""

    def __init__(self, desk: HackerNewsDesk, seed: int) -> None:
        self.desk = desk
        self.simulator = desk.simulator
        self.random = random.Random(seed)
        self.simulator.add_samples(5)
        self.answer = self.simulator.answer
        self.expected: set[int] = set()  # appeared in time, and were not deleted
        self.last: int | None = None
        self.faulty = True
        desk.read()
        server = self.simulator._server
        assert server is not None
        server.application = self.respond

    def respond(self, request):  # type: ignore[no-untyped-def]
        """Fail at random, and otherwise answer."""
        if self.faulty and self.random.random() < FAULT_FRACTION:
            kind = self.random.choice(["fail", "html", "truncate", "reset", "rate limit"])
            faults = self.simulator.faults
            if kind == "rate limit":
                faults.fail(429, retry_after="1")
            elif kind == "fail":
                faults.fail(503)
            else:
                getattr(faults, kind)()
        return self.answer(request)

    # -- actions

    def items(self, count: int) -> None:
        for _ in range(count):
            self.expected.add(self.simulator.add_sample())

    def late_item(self, seconds: int) -> None:
        self.expected.add(self.simulator.add_story("late", hidden_for=seconds * 20))

    def hole(self, count: int) -> None:
        self.simulator.add_hole(count)

    def very_late_item(self, seconds: int) -> None:
        """It appears when its number has been given up."""
        self.expected.add(self.simulator.add_story("too late", hidden_for=HOLE_SECONDS * 3))

    def wrong_head(self, number: int) -> None:
        self.simulator.set_max_item(self.random.choice([None, 0, self.simulator.items.highest() + 10**number]))

    def restart(self, number: int) -> None:
        self.desk.restart()

    def reading(self, number: int) -> None:
        self.read(crash=False)

    def short_reading(self, number: int) -> None:
        self.desk.budget.tokens = self.desk.budget.taken + number
        self.read(crash=False)
        self.desk.budget.tokens = None

    def crash(self, number: int) -> None:
        """What was read is not stored, and the process begins again from its cursor."""
        self.read(crash=True)
        self.desk.restart()

    def pause(self, number: int) -> None:
        self.desk.clock.advance(number * 15)

    # -- reading

    def read(self, *, crash: bool) -> None:
        """Make one reading. As in the fetch stage, a page that fails keeps what the pages before it have stored."""
        self.desk.clock.advance(3)
        pages: list[Page] = []
        try:
            pages.append(self.desk.page())
            while pages[-1].position is not None:
                pages.append(self.desk.page(pages[-1].position))
        except (RetryableError, BudgetExhausted):
            return  # the poll is postponed: the cursor stays
        if not crash:
            self.desk.store(pages)

    def settle(self) -> None:
        """Let time pass, until every number was read or given up."""
        self.simulator.set_max_item()
        self.simulator.add_story("the last one")
        for _ in range(12):
            self.faulty = False
            self.simulator.faults.clear()
            self.desk.clock.advance(HOLE_SECONDS / 4)
            self.read(crash=False)

    def missing(self) -> list[int]:
        gaps = [(int(gap.since[0]), int(gap.until[0])) for gap in self.desk.gaps if gap.since and gap.until]
        return [
            number
            for number in sorted(self.expected)
            if str(number) not in self.desk.found and not any(low < number < high for low, high in gaps)
        ]

    def false_gaps(self) -> list[int]:
        """Return numbers that were recorded as missing although they were read."""
        gaps = [(int(gap.since[0]), int(gap.until[0])) for gap in self.desk.gaps if gap.since and gap.until]
        return [number for low, high in gaps for number in range(low + 1, high) if str(number) in self.desk.found]


ACTIONS = (
    *("items", "items", "items", "late_item", "hole", "very_late_item", "wrong_head", "restart", "pause"),
    *("reading", "reading", "reading", "short_reading", "crash"),
)
STEPS = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(1, 12)), min_size=10, max_size=40)


@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(steps=STEPS, seed=st.integers(0, 1000))
def test_every_item_is_found_or_lies_in_a_recorded_gap(steps: list[tuple[str, int]], seed: int) -> None:
    with HackerNewsDesk() as desk:
        day = BusyDay(desk, seed)
        for action, number in steps:
            getattr(day, action)(number)
        day.settle()
        assert day.missing() == []
        assert day.false_gaps() == []
