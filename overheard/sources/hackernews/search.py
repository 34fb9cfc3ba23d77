"""Algolia's search of Hacker News's past: newest first, backwards in time, at most 1,000 items a request. Pure."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from overheard.decoding import converter
from overheard.errors import RetryableError
from overheard.items import Item
from overheard.sources import SearchPage, SearchRequest
from overheard.sources.hackernews.items import NOT_JSON, author_of, title_of
from overheard.sources.hackernews.names import ITEM_ID, SOURCE, permalink
from overheard.sources.html_text import html_to_text
from overheard.sources.sanitize import is_storable_time, web_address

HITS_PER_PAGE = 1000  # also the most that Algolia shows of one search
TAGS_OF_KIND = {"post": ("story", "poll", "job"), "comment": ("comment",)}
_PLAIN_WORD = re.compile(r"[a-z0-9]{3,40}", re.IGNORECASE)


class AlgoliaHit(msgspec.Struct, frozen=True, kw_only=True):
    """An item as the search has it; texts are HTML."""

    objectID: str
    created_at_i: float
    author: str | None = None
    title: str | None = None
    url: str | None = None
    story_text: str | None = None
    comment_text: str | None = None
    job_text: str | None = None
    story_id: int | None = None
    story_title: str | None = None
    tags: list[str] = msgspec.field(name="_tags", default_factory=list)


class AlgoliaAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a search. ``nbHits``: how many items match, shown or not."""

    hits: list[Any]
    nbHits: int | None = None


class SearchPosition(msgspec.Struct, frozen=True):
    """Where a search goes on: before ``until``, in whole seconds."""

    until: int


_ANSWER = msgspec.json.Decoder(AlgoliaAnswer)
_POSITION = msgspec.json.Decoder(SearchPosition)
_to_hit = converter(AlgoliaHit)


def search_until(request: SearchRequest) -> int:
    """Return the time before which items are wanted. It is in whole seconds, as their times are."""
    end = int(-(-request.until // 1))
    if request.position is None:
        return end
    try:
        return min(_POSITION.decode(request.position).until, end)
    except msgspec.DecodeError:
        return end


def search_params(request: SearchRequest, until: int) -> dict[str, str]:
    """Return the parameters of the request for items from ``request.since`` until ``until``."""
    tags = [tag for kind in request.kinds for tag in TAGS_OF_KIND[kind]]
    params = {
        "tags": f"({','.join(tags)})",
        "numericFilters": f"created_at_i>={int(request.since)},created_at_i<{until}",
        "hitsPerPage": str(HITS_PER_PAGE),
    }
    # Algolia wants all words of a query, and takes a word apart as it likes: anything but one plain word could lose
    # items.
    if len(request.words) == 1 and _PLAIN_WORD.fullmatch(request.words[0]):
        params["query"] = request.words[0]
    return params


class SearchAnswer(msgspec.Struct, frozen=True):
    """A page of items, and how many hits were not items."""

    page: SearchPage
    unreadable: int


def parse_search(body: bytes, since: float, until: int) -> SearchAnswer:
    """Return the items of an answer and where the search goes on. Raises RetryableError if it is not an answer."""
    try:
        answer = _ANSWER.decode(body)
    except NOT_JSON:
        raise RetryableError("the search's answer is not a list of hits") from None
    hits = [hit for raw in answer.hits if (hit := _hit(raw)) is not None]
    items = [item for hit in hits if "pollopt" not in hit.tags and (item := _item(hit)) is not None]
    unreadable = len(answer.hits) - len(hits)
    shown = [int(hit.created_at_i) for hit in hits if since <= hit.created_at_i < until]
    total = answer.nbHits if answer.nbHits is not None else len(answer.hits)
    more = total > len(answer.hits) or (answer.nbHits is None and total >= HITS_PER_PAGE)
    if not more or not shown:
        return SearchAnswer(SearchPage(tuple(items), truncated=more), unreadable)
    # The oldest second may have more items than were shown; what is found twice is told apart by its id.
    oldest, truncated = min(shown) + 1, False
    if oldest >= until:  # all of them are of one second, of which no more can be seen
        oldest, truncated = min(shown), True
    position = msgspec.json.Encoder().encode(SearchPosition(oldest)).decode() if oldest > since else None
    return SearchAnswer(SearchPage(tuple(items), position, truncated), unreadable)


def _hit(raw: object) -> AlgoliaHit | None:
    try:
        hit = _to_hit(raw)
    except (msgspec.ValidationError, UnicodeError):
        return None
    return hit if ITEM_ID.fullmatch(hit.objectID) and is_storable_time(hit.created_at_i) else None


def _item(hit: AlgoliaHit) -> Item:
    comment = "comment" in hit.tags
    thread = str(hit.story_id) if comment and hit.story_id is not None and hit.story_id > 0 else None
    return Item(
        source=SOURCE,
        id=hit.objectID,
        kind="comment" if comment else "post",
        place="all",
        author=author_of(hit.author),
        title="" if comment else title_of(hit.title),
        body=html_to_text((hit.comment_text if comment else hit.story_text or hit.job_text) or ""),
        url="" if comment else web_address(hit.url),
        permalink=permalink(hit.objectID),
        thread=thread if comment else hit.objectID,
        thread_title=title_of(hit.story_title) if comment else "",
        created_at=hit.created_at_i,
    )
