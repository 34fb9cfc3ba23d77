"""Decide what becomes a message of its own, what is folded into a summary, and when. Pure.

A channel gets a sixth of what it allows in an hour as single messages within ten minutes (ten of sixty), and as many of
one query in an hour; what is beyond that is folded into a summary, one every ``summary_every`` seconds, until ten
minutes pass without one. After a few of them the next ones come ever later, up to ten times ``summary_every``: a flood
that goes on is no longer news. A query that has not been heard of for ten minutes gets through as a single message even
then, so that it does not wait behind another's flood. When half of the hour's messages are used, summaries come at the
pace at which the rest lasts.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

import msgspec

WINDOW_SECONDS = 600.0
HOUR_SECONDS = 3600.0
SINGLES_PART = 6  # of max_per_hour: 1/6, as the window is of the hour
# So many summaries in an hour come at ``summary_every``, enough for a spike of a minute or two. Each further one takes
# twice as long, up to ten times: at 30 s, a dozen an hour, which is a pace that people leave switched on.
PROMPT_SUMMARIES = 4
LONGEST_SUMMARY_FACTOR = 10


class FoldRules(msgspec.Struct, frozen=True):
    """A channel's pace; seconds. ``max_per_hour`` 0: every mention is a message. ``digest``: overflow waits for it."""

    min_gap: float = 0.0
    max_per_hour: int = 60
    summary_every: float = 30.0
    digest: bool = False

    @property
    def singles(self) -> int:
        """Return how many single messages are sent within the window."""
        return max(1, self.max_per_hour // SINGLES_PART)


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
    3. single messages while there is room for them in the window, unless a summary was sent in it; of a query no more
       in an hour than in the window, or one that never stops would have all of the hour's messages;
    4. one single message of a query that was not heard of in the window;
    5. the rest as a summary when one is due, or kept for the digest.
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
    recent = [message for message in sent if message.at > now - WINDOW_SECONDS]
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
    due_at = _summary_due_at(rules, sent, min(group.oldest_at for group in waiting))
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
    summaries = sum(message.summary for message in sent)
    every = rules.summary_every * min(1 << max(summaries + 1 - PROMPT_SUMMARIES, 0), LONGEST_SUMMARY_FACTOR)
    # Later than that, the window would be over, and single messages would begin again.
    every = max(min(every, WINDOW_SECONDS / 2), rules.summary_every)
    if 2 * len(sent) >= rules.max_per_hour:
        every = max(every, 2 * HOUR_SECONDS / rules.max_per_hour)
    last_at = next((message.at for message in sent if message.summary), 0.0)
    return max(last_at + every, oldest_at + rules.summary_every)
