"""Several requests in flight. The calling thread takes a token for each, in order; threads of a pool make them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec

from overheard.errors import BudgetExhausted, RetryableError
from overheard.sources import RequestTokens
from overheard.sources.hackernews.client import MAX_CONCURRENT_REQUESTS, HackerNewsClient
from overheard.sources.hackernews.items import Answer

# Chosen, not measured. One in 20 requests may fail at random: as many in a row mean that the server is down.
FAILURES_IN_A_ROW = 5
# Numbers without an item are rare, so more than a few in a row are most likely beyond the newest item. As many as a
# first reading has, so that it comes to its end.
EMPTY_IN_A_ROW = 30


class AnswerBatch(msgspec.Struct):
    """The answers by number, and why there are not more: the first failure, or the budget."""

    answers: dict[int, Answer] = {}
    failures: dict[int, RetryableError] = {}
    exhausted: BudgetExhausted | None = None
    failed_in_a_row: int = 0
    empty_in_a_row: int = 0

    @property
    def failure(self) -> RetryableError | None:
        """Return a failure, one with a delay if there is any."""
        return max(self.failures.values(), key=lambda error: error.delay or 0.0, default=None)

    @property
    def should_stop(self) -> bool:
        """Return True if further requests of this batch would be wasted."""
        return self.failed_in_a_row >= FAILURES_IN_A_ROW or self.empty_in_a_row >= EMPTY_IN_A_ROW

    def add(self, number: int, answer: Answer | RetryableError) -> None:
        failed = isinstance(answer, RetryableError)
        self.failed_in_a_row = self.failed_in_a_row + 1 if failed else 0
        self.empty_in_a_row = 0 if answer is not None and not failed else self.empty_in_a_row + 1
        if isinstance(answer, RetryableError):
            self.failures[number] = answer
        else:
            self.answers[number] = answer


class ConcurrentRequests:
    """Thread-safe. Its threads start with the first request."""

    def __init__(self, client: HackerNewsClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def items(
        self, numbers: Iterable[int], budget: RequestTokens, *, go_on: Callable[[], bool] = lambda: True
    ) -> AnswerBatch:
        """Request items in the order of ``numbers``, until the budget or the batch is exhausted or ``go_on`` is False.

        What was requested has been answered, or has failed, when this returns. A failure that names a delay also
        blocks the budget, for all processes.
        """
        batch = AnswerBatch()
        in_flight: deque[tuple[int, Future[Answer | RetryableError]]] = deque()
        for number in numbers:
            try:
                budget.acquire()
            except BudgetExhausted as exhausted:
                batch.exhausted = exhausted
                break
            in_flight.append((number, self._submit(number)))
            while in_flight and (len(in_flight) >= MAX_CONCURRENT_REQUESTS or in_flight[0][1].done()):
                self._collect(in_flight, batch)
            if batch.should_stop or not go_on():
                break
        while in_flight:
            self._collect(in_flight, batch)
        if batch.failure is not None and batch.failure.delay is not None:
            budget.block(batch.failure.delay)
        return batch

    def close(self) -> None:
        """End the threads; a later request starts new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def _submit(self, number: int) -> Future[Answer | RetryableError]:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(MAX_CONCURRENT_REQUESTS, thread_name_prefix="hackernews")
            return self._pool.submit(self._ask, number)

    def _ask(self, number: int) -> Answer | RetryableError:
        try:
            return self._client.item(number)
        except RetryableError as error:
            return error.with_traceback(None)

    def _collect(self, in_flight: deque[tuple[int, Future[Answer | RetryableError]]], batch: AnswerBatch) -> None:
        number, future = in_flight.popleft()
        batch.add(number, future.result())
