"""One page of a reading: the next numbers, and the holes that are due.

A number without an item, or whose request has failed, is a hole as soon as a later number has an item. Until then it is
unread: it may be above all items, because ``maxitem`` was wrong, or because the server fails. So neither a number that
jumps ahead nor one that falls back does any harm.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import chain

import msgspec

from overheard.clock import Clock
from overheard.observability.log import get_logger
from overheard.sources import RequestTokens
from overheard.sources.hackernews.client import HackerNewsClient
from overheard.sources.hackernews.concurrent_requests import AnswerBatch, ConcurrentRequests
from overheard.sources.hackernews.cursor import (
    FAILING_HOLE_SECONDS,
    HOLE_SECONDS,
    MAX_HOLES,
    Hole,
    ReadingState,
)
from overheard.sources.hackernews.items import Answer, HackerNewsItem, UnreadableItem

log = get_logger(__name__)

PAGE_NUMBERS = 100
PAGE_HOLES = 30  # requested again with a page
# A reading ends after so many numbers or seconds, so that its cursor moves: the next one follows at once. The lease of
# a group lasts four times as long.
READING_NUMBERS = 300
READING_SECONDS = 30.0
# A first reading begins with what was posted since the watch was made, and a few items more.
FIRST_NUMBERS = 30
FIRST_MAX_NUMBERS = 8000  # a day's
PROBED_NUMBERS = 3


class PageAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """What a page has read, and the state after it."""

    items: list[HackerNewsItem]
    unreadable: list[UnreadableItem]
    state: ReadingState
    behind: bool  # there is more to read now, on another page or by the next reading
    ended: bool  # this was the reading's last page


class PageReader:
    """Reads pages; thread-safe."""

    def __init__(self, client: HackerNewsClient, requests: ConcurrentRequests, clock: Clock) -> None:
        self._client = client
        self._requests = requests
        self._clock = clock

    def begin(self, cursor: ReadingState | None, since: float, max_item: int, budget: RequestTokens) -> ReadingState:
        """Return the state at the start of a reading whose head is ``max_item``."""
        state = cursor or ReadingState(next=self._first(max_item, since, budget))
        return msgspec.structs.replace(state, max_item=max_item, begun_at=self._clock())

    def _first(self, max_item: int, since: float, budget: RequestTokens) -> int:
        """Return where a first reading begins: below everything posted after ``since``, if that is not too far."""
        step = FIRST_NUMBERS
        while since and step < min(FIRST_MAX_NUMBERS, max_item):
            # Several, because any of them may be a hole.
            batch = self._requests.items(range(max_item - step, max_item - step + PROBED_NUMBERS), budget)
            self._raise_failure(batch)
            times = [item.time for item in batch.answers.values() if isinstance(item, HackerNewsItem) and item.time]
            if not times or min(times) < since:
                break
            step *= 2
        return max(max_item - step + 1, 1)

    def read(self, state: ReadingState, budget: RequestTokens) -> PageAnswers:
        """Read a page. Raises BudgetExhausted or RetryableError if there is something new, and none of it was read."""
        due = [hole.number for hole in state.holes if hole.is_due(self._clock())][:PAGE_HOLES]
        end = min(state.max_item, state.next + PAGE_NUMBERS - 1)
        batch = self._requests.items(
            chain(due, range(state.next, end + 1)), budget, go_on=lambda: not self._is_over(state)
        )
        if not batch.answers and state.next <= state.max_item:
            self._raise_failure(batch)
        after = self._advance(state, batch)
        highest = max(batch.answers, default=0)
        if state.next == after.next <= highest < state.max_item and batch.failure is None and batch.exhausted is None:
            after = self._check_max_item(state, batch, budget)
        return self._page(state, after, batch)

    def _is_over(self, state: ReadingState) -> bool:
        return self._clock() - state.begun_at >= READING_SECONDS

    def _raise_failure(self, batch: AnswerBatch) -> None:
        failure: Exception | None = batch.failure or batch.exhausted
        if failure is not None:
            raise failure

    def _check_max_item(self, state: ReadingState, batch: AnswerBatch, budget: RequestTokens) -> ReadingState:
        """Skip numbers without items if ``max_item`` has one: they are not above all items, then."""
        if not state.credible:
            head = self._requests.items([state.max_item], budget)
            if not any(isinstance(answer, HackerNewsItem | UnreadableItem) for answer in head.answers.values()):
                log.info("no item at the highest number yet", ahead=state.max_item - state.next)
                return state
        asked = [number for number in batch.answers if number >= state.next]
        return self._advance(msgspec.structs.replace(state, credible=True), batch, end=max(asked) + 1)

    def _advance(self, state: ReadingState, batch: AnswerBatch, *, end: int | None = None) -> ReadingState:
        """Return the state after a batch: below ``end`` (None: up to the highest item) all is read, or a hole."""
        now = self._clock()
        exist = {number for number, answer in batch.answers.items() if answer is not None}
        following = end if end is not None else max((number + 1 for number in exist if number >= state.next), default=0)
        following = max(following, state.next)
        asked = batch.answers.keys() | batch.failures.keys()
        kept = [
            msgspec.structs.replace(hole, asked_at=now) if hole.number in asked else hole
            for hole in state.holes
            if hole.number not in exist
        ]
        new, last_at = self._holes(range(state.next, following), batch.answers, state.last_at, now)
        return msgspec.structs.replace(
            state,
            next=following,
            holes=(*kept, *new),
            last_at=last_at,
            count=state.count + following - state.next,
        )

    def _holes(
        self, numbers: range, answers: dict[int, Answer], last_at: float, now: float
    ) -> tuple[list[Hole], float]:
        """Return new holes, and when the last item before the next numbers was created."""
        holes: list[Hole] = []
        open_from = 0  # of ``holes``: these have no item after them yet
        for number in numbers:
            answer = answers.get(number)
            if answer is None and last_at:  # below the first item that was ever read, nothing is missing
                holes.append(Hole(number, now, now, last_at, now))
            elif isinstance(answer, HackerNewsItem) and answer.time is not None:
                last_at = answer.time
                for at in range(open_from, len(holes)):
                    holes[at] = msgspec.structs.replace(holes[at], after_at=last_at)
                open_from = len(holes)
        return holes, last_at

    def _page(self, before: ReadingState, after: ReadingState, batch: AnswerBatch) -> PageAnswers:
        given_up = self._given_up(after.holes, batch)
        after = msgspec.structs.replace(
            after,
            holes=tuple(hole for hole in after.holes if hole not in given_up),
            given_up=(*after.given_up, *given_up),
        )
        answers = [batch.answers[number] for number in sorted(batch.answers) if number < after.next]
        left = after.next <= after.max_item
        # Without a failure, what has no item is above all items, or not there yet: the next poll will see.
        stuck = after.next == before.next and batch.exhausted is None and batch.failure is None
        over = after.count >= READING_NUMBERS or self._is_over(before) or batch.failed_in_a_row > 0
        return PageAnswers(
            items=[answer for answer in answers if isinstance(answer, HackerNewsItem)],
            unreadable=[answer for answer in answers if isinstance(answer, UnreadableItem)],
            state=after,
            behind=left and not stuck,
            ended=over or stuck or not left,
        )

    def _given_up(self, holes: Collection[Hole], batch: AnswerBatch) -> set[Hole]:
        now = self._clock()
        old = {
            hole
            for hole in holes
            if (hole.number in batch.answers and now - hole.seen_at >= HOLE_SECONDS)
            or (hole.number in batch.failures and now - hole.seen_at >= FAILING_HOLE_SECONDS)
        }
        newest = sorted(set(holes) - old, key=lambda hole: -hole.seen_at)
        return old.union(newest[MAX_HOLES:])
