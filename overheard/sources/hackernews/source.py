"""Hacker News: one sequence of numbers for stories, comments, jobs and polls, read by counting."""

from __future__ import annotations

from collections.abc import Sequence

from overheard.clock import Clock
from overheard.config import Config
from overheard.config.sources import HackerNewsSettings
from overheard.errors import BudgetExhausted, FeedRefused, RetryableError
from overheard.items import ALL, Item
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.sources import (
    ListingGap,
    LookupResult,
    Page,
    ReadRequest,
    RequestTokens,
    SearchPage,
    SearchRequest,
    SingleFeedSource,
)
from overheard.sources.hackernews.client import HackerNewsClient
from overheard.sources.hackernews.concurrent_requests import ConcurrentRequests
from overheard.sources.hackernews.cursor import ReadingState, decode_state, gaps_of
from overheard.sources.hackernews.items import PART, HackerNewsItem, ItemRoot, UnreadableItem, to_item
from overheard.sources.hackernews.names import ITEM_ID, LOOKUP_ITEMS, SOURCE
from overheard.sources.hackernews.reader import PageAnswers, PageReader
from overheard.sources.hackernews.recent_changes import RecentChanges
from overheard.sources.hackernews.search import parse_search, search_params, search_until
from overheard.sources.hackernews.thread_roots import ThreadRoots

log = get_logger(__name__)

BACKLOG_NUMBERS = 200  # with more of them unread, a reading hurries; chosen, not measured
# In a backlog, requests for the stories of comments are at most this fraction of those for items.
BACKLOG_ROOT_FRACTION = 0.3
ROOT_REQUESTS = 200  # for a page of an ordinary reading


class HackerNewsSource(SingleFeedSource):
    """Implements ``overheard.sources.Source``, ``ItemLookup`` and ``ItemSearch``. Thread-safe."""

    name = SOURCE

    def __init__(self, settings: HackerNewsSettings, metrics: ProcessMetrics, *, clock: Clock) -> None:
        self._client = HackerNewsClient(settings, clock)
        self._requests = ConcurrentRequests(self._client)
        self._reader = PageReader(self._client, self._requests, clock)
        self._roots = ThreadRoots(self._requests)
        self._changes = RecentChanges(clock)
        self._unreadable = metrics.items_unreadable.labels(SOURCE)

    def read(self, request: ReadRequest, budget: RequestTokens) -> Page:
        """Read the next numbers, several at a time: the oldest first, so that the cursor can move at any time.

        1. The first page of a reading asks for the highest number; everything from the cursor up to it is to be read.
        2. The next numbers are requested, and numbers that had no item before (``reader``).
        3. Comments are followed upwards to their story.
        4. The first page also asks for what has changed.

        If the budget is exhausted, the page ends with what was read until then, and has a position.
        """
        if request.kind != "items":
            return Page(items=())
        if request.places != (ALL,):
            raise FeedRefused("missing", request.places)
        state = decode_state(request.position)
        first = state is None
        if state is None:
            state = self._begin(request, budget)
        try:
            answers = self._reader.read(state, budget)
        except BudgetExhausted:
            if not first:
                raise
            # The head is known by now, and the next page need not ask for it.
            return Page(items=(), position=state.position, complete=False, cursor=state.cursor, behind=True)
        if request.cursor is None and first and answers.state.next == state.next <= state.max_item:
            raise RetryableError("there are no items at its highest numbers")
        return self._page(request, answers, budget, first=first)

    def _begin(self, request: ReadRequest, budget: RequestTokens) -> ReadingState:
        cursor, max_item = decode_state(request.cursor), self._max_item(budget)
        if cursor is None:
            # A number that was cut off on its way is a number, too. The first one decides where everything begins.
            max_item = max(max_item, self._max_item(budget))
        return self._reader.begin(cursor, request.since, max_item, budget)

    def _page(self, request: ReadRequest, answers: PageAnswers, budget: RequestTokens, *, first: bool) -> Page:
        state = answers.state
        lost = request.cursor is not None and decode_state(request.cursor) is None
        return Page(
            items=self._items(answers.items, answers.unreadable, budget, self._root_requests(answers)),
            gone=tuple(str(raw.id) for raw in answers.items if raw.gone),
            changed=self._changed(budget) if first else (),
            position=None if answers.ended else state.position,
            complete=not answers.behind,
            cursor=state.cursor,
            gaps=(*gaps_of(state.given_up), *([ListingGap("outdated")] if lost else [])),
            behind=answers.behind,
        )

    def probe(self, budget: RequestTokens) -> None:
        """Request the highest number."""
        self._max_item(budget)

    def look_up(self, ids: Sequence[str], budget: RequestTokens) -> LookupResult:
        """Look items up, each by a request of its own; ``unanswered`` are those whose request could not be made.

        Raises what ``read`` raises if none could be answered.
        """
        if len(ids) > LOOKUP_ITEMS:
            raise ValueError(f"{len(ids)} items: at most {LOOKUP_ITEMS} are looked up per request")
        numbers = [int(item_id) for item_id in ids if ITEM_ID.fullmatch(item_id)]
        batch = self._requests.items(numbers, budget)
        failure = batch.exhausted or batch.failure
        if failure is not None and not batch.answers:
            raise failure
        found = [raw for raw in batch.answers.values() if isinstance(raw, HackerNewsItem)]
        items = self._items(
            found, [raw for raw in batch.answers.values() if isinstance(raw, UnreadableItem)], budget, 0
        )
        return LookupResult(
            items,
            gone=tuple(str(raw.id) for raw in found if raw.gone),
            absent=tuple(str(number) for number, raw in batch.answers.items() if raw is None),
            unanswered=tuple(str(number) for number in numbers if number not in batch.answers),
        )

    def search(self, request: SearchRequest, budget: RequestTokens) -> SearchPage:
        """Return a page of what was published between two times, the newest first."""
        until = search_until(request)
        if until <= request.since or not request.kinds:
            return SearchPage(())
        budget.acquire()
        try:
            body = self._client.search(search_params(request, until))
        except RetryableError as error:
            self._block(error, budget)
            raise
        answer = parse_search(body, request.since, until)
        if answer.unreadable:
            self._unreadable.inc(answer.unreadable)
            log.warning("skipped search hits that cannot be parsed", count=answer.unreadable)
        return answer.page

    def close(self) -> None:
        """Close the connections and end the threads; a later reading opens new ones."""
        self._requests.close()
        self._client.close()

    def _max_item(self, budget: RequestTokens) -> int:
        budget.acquire()
        try:
            return self._client.max_item()
        except RetryableError as error:
            self._block(error, budget)
            raise

    def _block(self, error: RetryableError, budget: RequestTokens) -> None:
        if error.delay is not None:
            budget.block(error.delay)

    def _changed(self, budget: RequestTokens) -> tuple[str, ...]:
        # It only brings forward a recheck that is made anyway, so it may fail.
        try:
            budget.acquire()
            return tuple(str(number) for number in self._changes.new(self._client.updates()))
        except (BudgetExhausted, RetryableError) as error:
            log.info("changes not read", reason=str(error))
            return ()

    def _root_requests(self, answers: PageAnswers) -> int:
        if answers.state.max_item - answers.state.next < BACKLOG_NUMBERS:
            return ROOT_REQUESTS
        return int(BACKLOG_ROOT_FRACTION * len(answers.items))

    def _items(
        self, raws: Sequence[HackerNewsItem], unreadable: list[UnreadableItem], budget: RequestTokens, roots: int
    ) -> tuple[Item, ...]:
        present = [raw for raw in raws if not raw.gone and raw.type != PART]
        self._roots.add(raws)
        comments = [raw for raw in present if raw.type == "comment"]
        root_of = self._roots.find(comments, budget, max_requests=roots)
        made = [to_item(raw, root_of.get(raw.id, ItemRoot(None))) for raw in present]
        wrong = [*unreadable, *(each for each in made if isinstance(each, UnreadableItem))]
        if wrong:
            self._unreadable.inc(len(wrong))
            log.warning("skipped items that cannot be parsed", count=len(wrong), first=wrong[0].reason)
        return tuple(each for each in made if isinstance(each, Item))


def open_source(config: Config, metrics: ProcessMetrics, clock: Clock) -> HackerNewsSource:
    """Open the source; it needs no credentials."""
    return HackerNewsSource(config.sources.hackernews, metrics, clock=clock)
