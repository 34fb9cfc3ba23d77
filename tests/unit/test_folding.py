"""Folding: what becomes a message of its own, what is folded into a summary, and when."""

from __future__ import annotations

import itertools
from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overheard.folding import HOUR_SECONDS, FoldPlan, FoldRules, SentMessage, WaitingMentions, plan

NOW = 1_000_000.0
USUAL = FoldRules()  # 60 an hour: ten single messages in ten minutes, then a summary every 30 s
BRAND, RIVAL = 7, 8


def sent(*messages: tuple[float, int | None] | tuple[float, int | None, str]) -> list[SentMessage]:
    """(seconds ago, query[, "summary"]) of each message, the newest first."""
    return [SentMessage(NOW - ago, bool(kind), query) for ago, query, *kind in messages]


def waiting(*groups: tuple[int | None, int] | tuple[int | None, int, float]) -> list[WaitingMentions]:
    """(query, count[, for so many seconds]) of each group."""
    return [WaitingMentions(query, count, NOW - (age[0] if age else 0.0)) for query, count, *age in groups]


HELD = [WaitingMentions(BRAND, 5, NOW - 9000, held=5)]
TEN = sent(*((60.0 + number, BRAND) for number in range(10)))
TWENTY = sent(*((60.0 + number, BRAND) for number in range(20)))
FOLDING = sent((20, BRAND, "summary"), *((60.0 + number, BRAND) for number in range(10)))
HALF_USED = sent((40, BRAND, "summary"), *((700.0 + number, BRAND) for number in range(29)))
FULL = sent(*((700.0 + number, BRAND) for number in range(60)))


@pytest.mark.parametrize(
    ("rules", "messages", "groups", "expected"),
    [
        (USUAL, [], [], FoldPlan()),
        (USUAL, [], waiting((BRAND, 3)), FoldPlan(singles=3)),
        (USUAL, [], waiting((BRAND, 2000)), FoldPlan(singles=10)),
        (USUAL, TEN[:7], waiting((BRAND, 5)), FoldPlan(singles=3)),
        (USUAL, TEN, waiting((BRAND, 5)), FoldPlan(wake_at=NOW + 30)),
        (USUAL, TEN, waiting((BRAND, 5, 30)), FoldPlan(summary=True)),
        (USUAL, TEN, waiting((BRAND, 1, 30)), FoldPlan(singles=1)),
        (USUAL, TEN, waiting((BRAND, 5), (RIVAL, 2)), FoldPlan(singles=1, queries=frozenset({RIVAL}))),
        (USUAL, TWENTY, waiting((BRAND, 5), (RIVAL, 2)), FoldPlan(wake_at=NOW + 30)),
        (USUAL, FOLDING, waiting((BRAND, 5, 30)), FoldPlan(wake_at=NOW + 10)),
        (USUAL, FOLDING[:1], waiting((BRAND, 5, 1)), FoldPlan(wake_at=NOW + 29)),
        (USUAL, sent((700, BRAND, "summary")), waiting((BRAND, 5)), FoldPlan(singles=5)),
        (USUAL, HALF_USED, waiting((BRAND, 5, 39)), FoldPlan(wake_at=NOW + 80)),
        (USUAL, FULL, waiting((BRAND, 5)), FoldPlan(wake_at=FULL[59].at + HOUR_SECONDS)),
        (USUAL, FULL[:57], waiting((RIVAL, 5)), FoldPlan(singles=3)),
        (USUAL, FULL[:10], waiting((BRAND, 5), (RIVAL, 2)), FoldPlan(singles=2, queries=frozenset({RIVAL}))),
        (USUAL, FULL[:10], waiting((BRAND, 5)), FoldPlan(singles=1, queries=frozenset({BRAND}))),
        (USUAL, [], HELD, FoldPlan(summary=True)),
        (USUAL, [], [WaitingMentions(BRAND, 1, NOW, held=1)], FoldPlan(singles=1)),
        (FoldRules(min_gap=60), [], waiting((BRAND, 5)), FoldPlan(singles=1)),
        (FoldRules(min_gap=60), sent((20, RIVAL)), waiting((BRAND, 5)), FoldPlan(wake_at=NOW + 40)),
        (FoldRules(max_per_hour=0), TWENTY, waiting((BRAND, 500)), FoldPlan(singles=500)),
        (FoldRules(max_per_hour=0), [], HELD, FoldPlan(singles=5)),
        (FoldRules(max_per_hour=0, min_gap=5), [], waiting((BRAND, 500)), FoldPlan(singles=1)),
        (FoldRules(max_per_hour=1), [], waiting((BRAND, 5)), FoldPlan(singles=1)),
        (FoldRules(max_per_hour=2), sent((30, BRAND)), waiting((BRAND, 5, 30)), FoldPlan(summary=True)),
        (FoldRules(digest=True), [], waiting((BRAND, 3)), FoldPlan(singles=3)),
        (FoldRules(digest=True), TEN, waiting((BRAND, 1)), FoldPlan(overflow=True)),
        (FoldRules(digest=True), TEN, waiting((RIVAL, 1)), FoldPlan(singles=1, queries=frozenset({RIVAL}))),
        (FoldRules(digest=True), [], HELD, FoldPlan(overflow=True)),
    ],
)
def test_what_is_sent_now(
    rules: FoldRules, messages: list[SentMessage], groups: list[WaitingMentions], expected: FoldPlan
) -> None:
    assert plan(rules, messages, groups, NOW) == expected


class Channel:
    """A channel that does what the plan says, from one arrival to the next, and wakes when it says."""

    def __init__(self, rules: FoldRules) -> None:
        self.rules = rules
        self.messages: list[SentMessage] = []  # oldest first
        self.waiting: list[tuple[float, int]] = []
        self.told: Counter[int] = Counter()
        self.longest_wait: dict[int, float] = {}
        self.wake_at: float | None = None

    def arrive(self, at: float, queries: list[int]) -> FoldPlan:
        """Wake as often as is due by then, and decide about new mentions, too."""
        self.wake_until(at)
        self.waiting += [(at, query) for query in queries]
        return self.decide(at)

    def wake_until(self, at: float) -> None:
        while self.wake_at is not None and self.wake_at <= at:
            self.decide(self.wake_at)

    def decide(self, now: float) -> FoldPlan:
        """Decide until nothing more is sent; return what is left to do."""
        self.wake_at = None
        while True:
            hour = [message for message in self.messages if message.at > now - HOUR_SECONDS][::-1]
            groups = [
                WaitingMentions(query, len(of_query), min(of_query))
                for query in {query for _, query in self.waiting}
                for of_query in [[at for at, each in self.waiting if each == query]]
            ]
            decided = plan(self.rules, hour, groups, now)
            if decided.summary:
                most = Counter(query for _, query in self.waiting).most_common(1)[0][0]
                self._tell(self.waiting, now, most, summary=True)
            elif decided.singles:
                chosen = [each for each in self.waiting if decided.queries is None or each[1] in decided.queries]
                assert chosen
                for each in chosen[: decided.singles]:
                    self._tell([each], now, each[1])
            else:
                self.wake_at = decided.wake_at
                return decided

    def _tell(self, mentions: list[tuple[float, int]], now: float, query: int, *, summary: bool = False) -> None:
        self.told.update(each for _, each in mentions)
        for at, each in mentions:
            self.longest_wait[each] = max(self.longest_wait.get(each, 0.0), now - at)
        self.messages.append(SentMessage(now, summary, query))
        for each in list(mentions):
            self.waiting.remove(each)


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[float, int]]:
    """Bursts of mentions of a few queries."""
    now, found = NOW, []
    for _ in range(draw(st.integers(1, 12))):
        now += draw(st.sampled_from([0.0, 1.0, 20.0, 90.0, 700.0, 4000.0]))
        query = draw(st.integers(1, 4))
        found += [(now, query)] * draw(st.integers(1, 30))
    return found


rules = st.builds(
    FoldRules,
    min_gap=st.sampled_from([0.0, 0.0, 10.0, 300.0]),
    max_per_hour=st.sampled_from([1, 2, 7, 60, 600]),
    summary_every=st.sampled_from([0.0, 30.0, 600.0]),
)


@settings(deadline=None)
@given(rules, arrivals())
def test_nothing_is_lost_and_no_hour_has_more_than_it_may(rules: FoldRules, found: list[tuple[float, int]]) -> None:
    channel = Channel(rules)
    for at in sorted({at for at, _ in found}):
        channel.arrive(at, [query for found_at, query in found if found_at == at])
        assert bool(channel.waiting) == (channel.wake_at is not None), "what waits has a time"
        assert channel.wake_at is None or channel.wake_at > at
    wakes = 0
    while channel.wake_at is not None:
        channel.decide(channel.wake_at)
        wakes += 1
        assert wakes < 1000
    assert channel.told == Counter(query for _, query in found), "everything is told once"
    times = [message.at for message in channel.messages]
    for position, at in enumerate(times[rules.max_per_hour :]):
        assert at >= times[position] + HOUR_SECONDS
    assert all(later - earlier >= rules.min_gap for earlier, later in itertools.pairwise(times))


@settings(deadline=None)
@given(st.integers(11, 500), st.floats(0, 590), st.booleans())
def test_a_quiet_query_does_not_wait_for_a_flood(flood: int, for_seconds: float, folds: bool) -> None:
    messages = FOLDING if folds else TEN
    groups = waiting((BRAND, flood, for_seconds), (RIVAL, 1))
    assert plan(USUAL, messages, groups, NOW) == FoldPlan(singles=1, queries=frozenset({RIVAL}))


def test_summaries_of_a_flood_that_goes_on_come_ever_later() -> None:
    channel = Channel(USUAL)
    for second in range(0, 3 * 3600, 10):
        channel.arrive(NOW + second, [BRAND])
    summaries = [message.at for message in channel.messages if message.summary]
    gaps = [round(later - earlier) for earlier, later in itertools.pairwise(summaries)]
    assert gaps[:8] == [30, 30, 30, 60, 120, 240, 480, 900]
    assert set(gaps[7:]) == {900}
    assert len(channel.messages) - len(summaries) == 10, "single messages do not begin again"


def test_a_flood_after_a_flood_is_told_as_promptly() -> None:
    channel = Channel(USUAL)
    for flood in (NOW, NOW + 1000, NOW + 2000):
        for second in range(60):
            channel.arrive(flood + second, [BRAND] * 33)
        channel.wake_until(flood + 120)
        assert not channel.waiting
    assert len(channel.messages) <= 25


def test_after_a_flood_that_went_on_a_single_mention_is_a_message_again() -> None:
    channel = Channel(USUAL)
    for second in range(0, 7200, 10):
        channel.arrive(NOW + second, [BRAND])
    channel.wake_until(NOW + 2 * 3600 + 900)
    assert not channel.waiting
    channel.arrive(NOW + 3 * 3600, [BRAND])
    assert not channel.waiting
    assert not channel.messages[-1].summary


@pytest.mark.parametrize(
    ("rules", "longest", "most"),
    [
        (USUAL, 930, 4 * 24),
        (FoldRules(min_gap=300), 1200, 4 * 12),
        (FoldRules(min_gap=900, summary_every=3600), 2 * 3600, 4 * 4),
        (FoldRules(max_per_hour=6), 2400, 4 * 6),
        (FoldRules(max_per_hour=1), 3700, 4),
    ],
)
def test_a_flood_that_goes_on_makes_nothing_late(rules: FoldRules, longest: float, most: int) -> None:
    channel = Channel(rules)
    for second in range(0, 4 * 3600, 36):
        channel.arrive(NOW + second, [BRAND, RIVAL] if second % 1080 == 0 else [BRAND])
    assert max(channel.longest_wait.values()) <= longest
    assert len(channel.messages) <= most


def test_every_mention_of_another_query_is_told_within_minutes_of_a_flood_that_goes_on() -> None:
    channel = Channel(USUAL)
    for second in range(0, 3 * 3600, 10):
        channel.arrive(NOW + second, [BRAND, RIVAL] if second % 1200 in (0, 60, 200) else [BRAND])
    assert channel.longest_wait[RIVAL] <= 300
    assert channel.longest_wait[BRAND] > 600, "which waits for its summary"


def test_beside_a_digest_a_query_that_never_stops_has_a_few_messages_an_hour() -> None:
    channel = Channel(msgspec.structs.replace(USUAL, digest=True))
    for second in range(0, 4 * 3600, 10):
        channel.waiting.append((NOW + second, BRAND))
        if channel.decide(NOW + second).overflow:
            channel.waiting.clear()
    assert 40 <= len(channel.messages) <= 4 * 16


@pytest.mark.parametrize("digest", [True, False])
def test_a_spike_of_two_thousand_is_a_handful_of_messages(digest: bool) -> None:
    channel = Channel(msgspec.structs.replace(USUAL, digest=digest))
    for second in range(60):
        left = channel.arrive(NOW + second, [BRAND] * 33 + ([RIVAL] if second == 31 else []))
        if left.overflow:
            channel.waiting.clear()
    while channel.wake_at is not None:
        channel.decide(channel.wake_at)
    singles = [message for message in channel.messages if not message.summary]
    assert [(each.query, each.at) for each in singles if each.query == RIVAL] == [(RIVAL, NOW + 31)], "at once"
    if digest:
        assert len(channel.messages) == len(singles) == 11
    else:
        assert len(channel.messages) <= 15
        assert channel.messages[-1].at <= NOW + 120
        assert channel.told.total() == 60 * 33 + 1
