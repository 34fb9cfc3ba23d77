"""Stack Exchange: new questions are posts, new answers are comments of their question. Read forward by time.

Comments below questions and answers are not read: the API lists those of a whole site only, not of a tag.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, cast

import msgspec

from overheard.clock import Clock
from overheard.config import Config
from overheard.config.sources import StackExchangeSettings
from overheard.errors import BudgetExhausted, FeedRefused, InvalidInput, RetryableError, Unavailable
from overheard.items import Item
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.sources import ListingGap, LookupResult, Page, ReadRequest, RequestTokens, SingleFeedSource, Source
from overheard.sources.stackexchange import forward, items
from overheard.sources.stackexchange.client import StackExchangeClient
from overheard.sources.stackexchange.forward import PAGE_ENTRIES, ForwardState
from overheard.sources.stackexchange.items import ActiveQuestion, ParsedEntry
from overheard.sources.stackexchange.names import ITEM_ID, LOOKUP_ITEMS, SOURCE, SitePlace, parse_place
from overheard.sources.stackexchange.question_titles import QuestionTitles

log = get_logger(__name__)

FIRST_READING = -1  # in place of the second in which a reading began
CLOCK_SECONDS = 300.0  # by which the server's clock may be ahead


class StackExchangeSource(SingleFeedSource):
    """Implements ``Source`` and ``ItemLookup``. Thread-safe."""

    name = SOURCE

    def __init__(self, settings: StackExchangeSettings, metrics: ProcessMetrics, *, clock: Clock) -> None:
        self._client = StackExchangeClient(settings, clock)
        self._clock = clock
        self._titles = QuestionTitles()
        self._unreadable = metrics.items_unreadable.labels(SOURCE)

    def read(self, request: ReadRequest, budget: RequestTokens) -> Page:
        """Read a page of one site or tag, in one request: at first the newest one, then forward from the cursor.

        Answers to the questions of a tag take two requests: the questions with new activity are read first, because
        answers cannot be listed by tag.
        Raises BudgetExhausted, RetryableError, LoginRefused and FeedRefused.
        """
        if request.kind == "items":
            return Page(items=())
        (name,) = request.places
        try:
            place = parse_place(name)
        except InvalidInput:
            raise FeedRefused("missing", (name,)) from None
        text = request.position or request.cursor
        state = forward.decode_forward_state(text) if text else None
        gaps = (ListingGap("outdated"),) if text and state is None else ()
        if request.kind == "comments" and place.tag is not None:
            found, after = self._answers_of_tag(place, state, budget)
        else:
            found, after = self._listed(request.kind == "posts", place, state, budget)
        cursor = forward.encode_forward_state(after)
        complete = not after.more and not after.questions
        return Page(
            items=tuple(found),
            position=None if complete else cursor,
            complete=complete,
            cursor=cursor,
            gaps=gaps,
            behind=not complete,
        )

    def probe(self, budget: RequestTokens) -> None:
        """Request a question of Stack Overflow."""
        self._client.get("/questions", {"site": "stackoverflow", "pagesize": "1"}, budget, "stackoverflow")

    def look_up(self, ids: Sequence[str], budget: RequestTokens) -> LookupResult:
        """Look up posts, those of one site and kind in one request. A deleted one is missing from the response.

        Raises BudgetExhausted or RetryableError if not even one request was answered.
        """
        if len(ids) > LOOKUP_ITEMS:
            raise ValueError(f"at most {LOOKUP_ITEMS} items per request, not {len(ids)}")
        groups: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        for item_id in ids:
            if (parts := ITEM_ID.fullmatch(item_id)) is not None:
                groups[parts[1], parts[2]][parts[3]] = item_id
        found: list[Item] = []
        absent: list[str] = []
        answered = 0
        for (site, kind), numbers in groups.items():
            try:
                here, missing = self._look_up(site, kind, numbers, budget)
                found += here
                absent += missing
            except Unavailable:
                raise  # our database, which holds the budget
            except FeedRefused:  # a site that has been closed
                pass
            except (BudgetExhausted, RetryableError):
                if not answered:
                    raise
                break
            answered += 1
        waiting = list(groups.values())[answered:]
        unanswered = tuple(item_id for numbers in waiting for item_id in numbers.values())
        return LookupResult(tuple(found), (), tuple(absent), unanswered)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _listed(
        self, questions: bool, place: SitePlace, state: ForwardState | None, budget: RequestTokens
    ) -> tuple[list[Item], ForwardState]:
        """Read questions, or answers of a whole site."""
        before = state or ForwardState()
        params = _params(place, "creation", state) | {"filter": "withbody"}
        wrapper = self._client.get("/questions" if questions else "/answers", params, budget, str(place))
        entries = wrapper.items or []
        parsed = [
            items.parse_question(entry, str(place), place.site)
            if questions
            else items.parse_answer(entry, str(place), place.site, {})
            for entry in entries
        ]
        seconds = [_integer(entry, "creation_date") for entry in entries]
        after = forward.advanced(before, self._credible(seconds), more=wrapper.has_more and state is not None)
        return self._new(parsed, entries, "question_id" if questions else "answer_id", before, after)

    def _credible(self, seconds: Sequence[int | None]) -> list[int]:
        """Return the seconds that are not in the future: a cursor there would leave out all that follows."""
        latest = self._clock() + CLOCK_SECONDS
        return [second for second in seconds if second is not None and second <= latest]

    def _answers_of_tag(
        self, place: SitePlace, state: ForwardState | None, budget: RequestTokens
    ) -> tuple[list[Item], ForwardState]:
        if state is not None and state.questions:
            return self._answers(place, state, budget)
        before = state or ForwardState()
        # Newer answers make a question active; so do edits, which cost a request in vain.
        wrapper = self._client.get("/questions", _params(place, "activity", state), budget, str(place))
        active = [each for each in map(items.parse_active, wrapper.items or []) if each is not None]
        after = forward.advanced(
            before,
            self._credible([each.last_activity_date for each in active]),
            more=wrapper.has_more and state is not None,
        )
        # The overlap lists questions whose answers were read. It is worth a request only as long as caches may have
        # hidden an answer.
        settled = self._clock() - forward.OVERLAP_SECONDS
        wanted = [
            each
            for each in active
            if before.active.get(str(each.question_id)) != each.last_activity_date or each.last_activity_date > settled
        ]
        self._titles.add(place.site, wanted)
        return [], msgspec.structs.replace(
            after,
            active={
                str(each.question_id): each.last_activity_date
                for each in active
                if each.last_activity_date >= after.newest - forward.OVERLAP_SECONDS
            },
            questions=_answered(wanted),
            start=FIRST_READING if state is None else before.start if before.more else forward.start_date(before),
            answers_page=1,
        )

    def _answers(self, place: SitePlace, state: ForwardState, budget: RequestTokens) -> tuple[list[Item], ForwardState]:
        first = state.start == FIRST_READING
        window = {"order": "desc"} if first else {"order": "asc", "fromdate": str(state.start)}
        params = window | {"site": place.site, "sort": "creation", "filter": "withbody"}
        params |= {"pagesize": str(PAGE_ENTRIES), "page": str(state.answers_page)}
        method = f"/questions/{';'.join(map(str, state.questions))}/answers"
        wrapper = self._client.get(method, params, budget, str(place))
        entries = wrapper.items or []
        titles = self._titles.of(place.site, state.questions)
        parsed = [items.parse_answer(entry, str(place), place.site, titles) for entry in entries]
        more = wrapper.has_more and bool(entries) and not first
        after = msgspec.structs.replace(
            state,
            questions=state.questions if more else [],
            answers_page=state.answers_page + 1 if more else 1,
        )
        return self._new(parsed, entries, "answer_id", state, after)

    def _new(
        self,
        parsed: Sequence[ParsedEntry],
        entries: Sequence[Any],
        number: str,
        before: ForwardState,
        after: ForwardState,
    ) -> tuple[list[Item], ForwardState]:
        """Return the items that were not read before, and the state in which they were."""
        wrong = [each.wrong for each in parsed if each.wrong]
        if wrong:
            self._unreadable.inc(len(wrong))
            log.warning("skipped posts that cannot be read", count=len(wrong), first=wrong[0])
        known = frozenset(before.seen)
        new = [
            (each.item, read)
            for each, entry in zip(parsed, entries, strict=True)
            if each.item is not None and (read := cast(int, _integer(entry, number))) not in known
        ]
        return [item for item, _ in new], forward.with_seen(after, [read for _, read in new])

    def _look_up(
        self, site: str, kind: str, numbers: dict[str, str], budget: RequestTokens
    ) -> tuple[list[Item], list[str]]:
        """Return those items that exist, and the ids of those that the response leaves out."""
        method = "/questions/" if kind == "q" else "/answers/"
        params = {"site": site, "filter": "withbody", "pagesize": str(PAGE_ENTRIES)}
        wrapper = self._client.get(method + ";".join(numbers), params, budget, site)
        entries = wrapper.items or []
        parsed = [
            items.parse_question(entry, site, site) if kind == "q" else items.parse_answer(entry, site, site, {})
            for entry in entries
        ]
        key = "question_id" if kind == "q" else "answer_id"
        shown = {str(_integer(entry, key)) for entry in entries}
        return (
            [each.item for each in parsed if each.item is not None and each.item.id in numbers.values()],
            # A response that says that it has more is not the whole of it.
            [item_id for number, item_id in numbers.items() if number not in shown and not wrapper.has_more],
        )


def _params(place: SitePlace, sort: str, state: ForwardState | None) -> dict[str, str]:
    """Return the parameters of a list: its newest page without a state, else the page that follows it."""
    params = {"site": place.site, "sort": sort, "pagesize": str(PAGE_ENTRIES)}
    if place.tag is not None:
        params["tagged"] = place.tag
    if state is None:
        return params | {"order": "desc"}
    # fromdate is about the creation, whatever the order; min is about what is sorted by.
    bound = "fromdate" if sort == "creation" else "min"
    return params | {"order": "asc", bound: str(forward.start_date(state)), "page": str(state.page)}


def _answered(active: Sequence[ActiveQuestion]) -> list[int]:
    return [each.question_id for each in active if each.question_id > 0 and each.answer_count != 0]


def _integer(entry: object, name: str) -> int | None:
    found = entry.get(name) if isinstance(entry, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None


def open_source(config: Config, metrics: ProcessMetrics, clock: Clock) -> Source:
    """Open the source. A key is optional."""
    return StackExchangeSource(config.sources.stackexchange, metrics, clock=clock)
