"""Decide what becomes a message of its own, what is folded into a summary, and when. Pure.

A channel gets a sixth of what it allows in an hour as single messages within ten minutes (ten of sixty), and as many of
one query in an hour; what is beyond that is folded into a summary, one every ``summary_every`` seconds. After a few of
them each one comes twice as late as the one before, up to a quarter of an hour: a flood that goes on for hours is not
news any more. Folding ends when no summary was sent for ten minutes, or for two of those gaps. A query that has not
been heard of meanwhile gets through as a single message even then, so that it does not wait behind another's flood,
and its further mentions make the next summary come within five minutes. When half of the hour's messages are used,
summaries come at the pace at which the rest lasts.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise, takewhile, zip_longest

import msgspec

WINDOW_SECONDS = 600.0
HOUR_SECONDS = 3600.0
SINGLES_PART = 6  # of max_per_hour: 1/6, as the window is of the hour
# So many summaries in an hour come at ``summary_every``, enough for a spike of a minute or two. Each further one takes
# twice as long, up to thirty times: at 30 s, four an hour, which is a pace that people leave switched on. Not more than
# 15 minutes: the pace is read from the last three summaries, and no more than the last hour's messages are known.
PROMPT_SUMMARIES = 4
LONGEST_SUMMARY_FACTOR = 30
SUMMARY_MAX_GAP_SECONDS = 900.0
OTHERS_MAX_WAIT_SECONDS = 300.0  # of a mention of another query than the one that floods


class FoldRules(msgspec.Struct, frozen=True):
    """A channel's pace; seconds. ``max_per_hour`` 0: every mention is a message. ``digest``: overflow waits for it."""

    min_gap: float = 0.0
    max_per_hour: int = 60
    summary_every: float = 30.0
    digest: bool = False

    @property
    def singles(self) -> int:
        """Return how many single messages are sent within the window: no more than its gaps have room for."""
        room = int(WINDOW_SECONDS // self.min_gap) if self.min_gap else sys.maxsize
        return max(1, min(self.max_per_hour // SINGLES_PART, room))


class SentMessage(msgspec.Struct, frozen=True):
    """A message of the last hour; ``query``: the one that it is about, of a summary the one with most mentions."""

    at: float
    summary: bool
    query: int | None


class WaitingMentions(msgspec.Struct, frozen=True):
    """Mentions of one query that are due: how many, since when, and how many were held until now (quiet hours)."""

    query: int | None
    count: int
    oldest_at: float
    held: int = 0


class FoldPlan(msgspec.Struct, frozen=True):
    """What to send now: up to ``singles`` messages, only of ``queries`` (None: of all), or a ``summary`` of all.

    ``overflow``: keep the rest for the digest. ``wake_at``: when to decide again about what still waits; None: nothing
    does, or it is decided when this was sent.
    """

    singles: int = 0
    queries: frozenset[int | None] | None = None
    summary: bool = False
    overflow: bool = False
    wake_at: float | None = None


def plan(rules: FoldRules, sent: Sequence[SentMessage], waiting: Sequence[WaitingMentions], now: float) -> FoldPlan:
    """Decide. ``sent``: the messages of the last hour, newest first.

    1. nothing before the channel may get its next message at all;
    2. what was held until now (quiet hours, a disabled channel) in one summary;
    3. what has waited for a window, and is more than the channel may get now, in one summary, when that is due;
    4. single messages while there is room for them in the window, unless a summary was sent in it; of a query no more
       in an hour than in the window, or one that never stops would have all of the hour's messages;
    5. one single message of a query that was not heard of in the window, nor had most of a summary;
    6. the rest as a summary when one is due, or when another query than the flood's has waited for five minutes; or
       kept for the digest.
    """
    total = sum(group.count for group in waiting)
    if not total:
        return FoldPlan()
    next_at = ready_at(rules, sent)
    if next_at > now:
        return FoldPlan(wake_at=next_at)
    left = min(total, messages_left(rules, sent))
    if not rules.max_per_hour:
        return FoldPlan(singles=left)
    if total > 1 and any(group.held for group in waiting):
        return _folded(rules, total)
    oldest_at = min(group.oldest_at for group in waiting)
    due_at = _summary_due_at(rules, sent, oldest_at)
    if total > left and oldest_at <= now - WINDOW_SECONDS and due_at <= now:
        return _folded(rules, total)
    since = {False: now - WINDOW_SECONDS, True: now - max(WINDOW_SECONDS, 2 * _summary_gap(rules, sent))}
    recent = [message for message in sent if message.at > since[message.summary]]
    singles = sum(not message.summary for message in recent)
    folds = any(message.summary for message in recent)
    told = Counter(message.query for message in sent if not message.summary)
    fresh = [group for group in waiting if told[group.query] < rules.singles]
    if fresh and not folds and singles < rules.singles:
        queries = None if len(fresh) == len(waiting) else frozenset(group.query for group in fresh)
        return FoldPlan(
            singles=min(rules.singles - singles, left, sum(group.count for group in fresh)), queries=queries
        )
    heard_of = {message.query for message in recent}
    quiet = frozenset(group.query for group in waiting if group.query not in heard_of)
    if quiet and singles < 2 * rules.singles:
        # One of each: the second one of a query has been heard of.
        return FoldPlan(singles=1, queries=quiet)
    if rules.digest:
        return FoldPlan(overflow=True)
    floods = {message.query for message in recent if message.summary}
    others = [group.oldest_at for group in waiting if group.query not in floods]
    if others and not _half_used(rules, sent):
        due_at = min(due_at, max(min(others) + OTHERS_MAX_WAIT_SECONDS, oldest_at + rules.summary_every))
    return _folded(rules, total) if due_at <= now else FoldPlan(wake_at=due_at)


def _folded(rules: FoldRules, total: int) -> FoldPlan:
    if rules.digest:
        return FoldPlan(overflow=True)
    return FoldPlan(summary=True) if total > 1 else FoldPlan(singles=1)


def ready_at(rules: FoldRules, sent: Sequence[SentMessage]) -> float:
    """Return when the channel may get its next message, whatever it is."""
    if not sent:
        return 0.0
    next_at = sent[0].at + rules.min_gap
    if 0 < rules.max_per_hour <= len(sent):
        next_at = max(next_at, sent[rules.max_per_hour - 1].at + HOUR_SECONDS)
    return next_at


def messages_left(rules: FoldRules, sent: Sequence[SentMessage]) -> int:
    """Return how many messages may be sent, one directly after the other, once the channel is ready."""
    if rules.min_gap:
        return 1
    return rules.max_per_hour - len(sent) if rules.max_per_hour else sys.maxsize


def _summary_due_at(rules: FoldRules, sent: Sequence[SentMessage], oldest_at: float) -> float:
    last_at = next(iter(_folded_at(rules, sent)), 0.0)
    return max(last_at + _summary_gap(rules, sent), oldest_at + rules.summary_every)


def _summary_gap(rules: FoldRules, sent: Sequence[SentMessage]) -> float:
    """Return how long after the last summary the next one may come; of two floods, the second one counts."""
    gaps = [later - earlier for later, earlier in pairwise(_folded_at(rules, sent))]
    steady = sum(1 for _ in takewhile(_goes_on, zip_longest(gaps, gaps[1:], fillvalue=0.0)))
    gap = gaps[0] * (2 if steady + 1 >= PROMPT_SUMMARIES else 1) if steady else 0.0
    gap = max(min(gap, LONGEST_SUMMARY_FACTOR * rules.summary_every, SUMMARY_MAX_GAP_SECONDS), rules.summary_every)
    return max(gap, 2 * HOUR_SECONDS / rules.max_per_hour) if _half_used(rules, sent) else gap


def _half_used(rules: FoldRules, sent: Sequence[SentMessage]) -> bool:
    return 2 * len(sent) >= rules.max_per_hour


def _folded_at(rules: FoldRules, sent: Sequence[SentMessage]) -> list[float]:
    """Return when there was a summary, or in its place one more single message of a query that has had all of its own.

    Newest first. A query that was quiet before its message has not.
    """
    told: Counter[int | None] = Counter()
    heard_at: dict[int | None, float] = {}
    times = []
    for message in reversed(sent):
        heard = heard_at.get(message.query, 0.0) > message.at - WINDOW_SECONDS
        if message.summary or (heard and told[message.query] >= rules.singles):
            times.append(message.at)
        told[message.query] += not message.summary
        heard_at[message.query] = message.at
    return times[::-1]


def _goes_on(gaps: tuple[float, float]) -> bool:
    """Return True if the later of two gaps is as it may be in one flood: at most twice the earlier one, and late."""
    later, earlier = gaps
    return later <= max(WINDOW_SECONDS, 3 * earlier)
