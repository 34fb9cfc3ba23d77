"""Mastodon: public timelines and hashtags, read forward from server to server, each of which may fail alone."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import quote

from overheard.clock import Clock
from overheard.config import Config
from overheard.config.sources import MastodonSettings
from overheard.errors import BudgetExhausted, FeedRefused, InvalidInput, PermanentError, RetryableError, Unavailable
from overheard.items import Item
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.sources import ListingGap, LookupResult, Page, ReadRequest, RequestTokens, SingleFeedSource, Source
from overheard.sources.mastodon import items, timeline
from overheard.sources.mastodon.client import SERVER_RETRY_SECONDS, MastodonClient
from overheard.sources.mastodon.names import LOOKUP_ITEMS, SOURCE, STATUS_ADDRESS, TimelinePlace, parse_place
from overheard.sources.mastodon.timeline import PAGE_STATUSES, TimelineState

log = get_logger(__name__)

FUTURE_SECONDS = 86_400.0  # by which a clock, a server's or ours, may be wrong; chosen, not measured

LookupWord = Literal["gone", "absent", "unknown"]


class MastodonSource(SingleFeedSource):
    """Implements ``Source`` and ``ItemLookup``. Thread-safe. ``probe`` does nothing: servers fail one by one."""

    name = SOURCE

    def __init__(self, settings: MastodonSettings, metrics: ProcessMetrics, *, clock: Clock) -> None:
        self._client = MastodonClient(settings, clock)
        self._clock = clock
        self._unreadable = metrics.items_unreadable.labels(SOURCE)
        self._opted_out = metrics.items_opted_out.labels(SOURCE)

    def read(self, request: ReadRequest, budget: RequestTokens) -> Page:
        """Read a page of one timeline, in one request: at first the newest one, then forward from the cursor.

        Raises BudgetExhausted, and FeedRefused for anything that is wrong with this server.
        """
        if request.kind != "items":
            return Page(items=())
        (place,) = request.places
        try:
            server = parse_place(place)
        except InvalidInput:
            raise FeedRefused("missing", (place,)) from None
        text = request.position or request.cursor
        state = timeline.decode_state(text) if text else None
        now = self._clock()
        start = timeline.start_of(state, now) if state is not None else None
        entries = self._entries(place, server, start, budget, known=text is not None)
        gaps = (ListingGap("outdated"),) if text and state is None else ()
        after = timeline.after_page(state or TimelineState(), start or "0", self._ids(entries), now)
        if state is None:  # the newest page: what is older is not news
            after.follows = ""
        known = frozenset(state.seen) if state is not None else frozenset()
        fresh = [entry for entry in entries if items.local_id(entry) not in known]
        cursor = timeline.encode_state(after)
        return Page(
            items=tuple(self._items(fresh, place, server)),
            position=cursor if after.follows else None,
            complete=not after.follows,
            cursor=cursor,
            gaps=gaps,
            behind=bool(after.follows),
        )

    def look_up(self, ids: Sequence[str], budget: RequestTokens) -> LookupResult:
        """Look up statuses, each in one request to the server that it was read from (``Item.lookup``).

        404 means deleted there, or no longer shown to the public. A server that fails leaves its statuses unknown.
        Raises BudgetExhausted if not even one was looked up.
        """
        if len(ids) > LOOKUP_ITEMS:
            raise ValueError(f"at most {LOOKUP_ITEMS} items per request, not {len(ids)}")
        pages = {item_id: page or item_id for item_id, _, page in (name.partition(" ") for name in ids)}
        results: dict[str, Item | LookupWord] = {}
        silent: set[str] = set()  # servers; one of them costs one timeout
        for item_id, page in pages.items():
            try:
                results[item_id] = self._look_up(item_id, page, silent, budget)
            except BudgetExhausted:
                if not results:
                    raise
                break

        def with_word(word: LookupWord) -> tuple[str, ...]:
            return tuple(item_id for item_id, result in results.items() if result == word)

        return LookupResult(
            items=tuple(result for result in results.values() if isinstance(result, Item)),
            gone=with_word("gone"),
            absent=with_word("absent"),
            unanswered=tuple(item_id for item_id in pages if item_id not in results),
        )

    def _entries(
        self, place: str, server: TimelinePlace, start: str | None, budget: RequestTokens, *, known: bool
    ) -> list[Any]:
        path = "/api/v1/timelines/" + ("public" if server.tag is None else f"tag/{quote(server.tag, safe='')}")
        path += f"?limit={PAGE_STATUSES}" + ("" if start is None else f"&min_id={start}")
        began = time.monotonic()
        try:
            response = self._client.get(server, path, budget)
        except Unavailable:
            raise  # our database, which holds the budget
        except RetryableError:
            delay = self._client.retry_seconds(time.monotonic() - began)
            raise FeedRefused("no answer", (place,), delay=delay) from None
        except PermanentError as error:
            raise FeedRefused(str(error), (place,)) from None
        refusal = self._client.refusal(response, place)
        if refusal is not None:
            raise refusal
        entries = items.decode_timeline(response.body)
        if entries is None:
            # An error page, if the server has answered as Mastodon does before.
            raise FeedRefused("not Mastodon", (place,), delay=SERVER_RETRY_SECONDS if known else None)
        return entries

    def _ids(self, entries: Sequence[object]) -> list[str]:
        # An id of the future would hide everything until then behind the cursor.
        latest = timeline.id_of(self._clock() + FUTURE_SECONDS)
        found = (local for local in map(items.local_id, entries) if local is not None)
        return [local for local in found if not (local.isdecimal() and int(local) > latest)]

    def _items(self, entries: Sequence[object], place: str, server: TimelinePlace) -> list[Item]:
        parsed = [items.parse_status(entry, place, server) for entry in entries]
        opted_out = sum(each.opted_out for each in parsed)
        self._opted_out.inc(opted_out)
        wrong = Counter(each.wrong for each in parsed if each.wrong)
        if wrong:
            self._unreadable.inc(wrong.total())
            log.warning("skipped statuses that cannot be read", count=wrong.total(), first=next(iter(wrong)))
        return list({each.item.id: each.item for each in parsed if each.item is not None}.values())

    def _look_up(self, item_id: str, page: str, silent: set[str], budget: RequestTokens) -> Item | LookupWord:
        """Return the status as it is now, or what is known of it. Add its server to ``silent`` if that has failed."""
        address = STATUS_ADDRESS.fullmatch(page)
        if address is None or address[1] in silent:
            return "unknown"
        try:
            server = parse_place(address[1])
            response = self._client.get(server, f"/api/v1/statuses/{address[2]}", budget)
        except Unavailable:
            raise  # our database, which holds the budget
        except (InvalidInput, RetryableError, PermanentError):
            silent.add(address[1])
            return "unknown"
        entry = items.decode_status(response.body)
        if response.status in (404, 410):
            # Mastodon answers in JSON. A page may come from whatever has taken the server's place: it has to be
            # confirmed.
            return "gone" if entry is not None else "absent"
        if response.status != 200 or entry is None:
            return "unknown"
        parsed = items.parse_status(entry, str(server), server)
        if parsed.opted_out:  # since it was stored
            return "gone"
        return parsed.item if parsed.item is not None and parsed.item.id == item_id else "unknown"


def open_source(config: Config, metrics: ProcessMetrics, clock: Clock) -> Source:
    """Open the source. Servers need no credentials."""
    return MastodonSource(config.sources.mastodon, metrics, clock=clock)
