"""Search Reddit's past, for backfilling: posts only, the newest first, about 1,000 deep. Pure.

With words, it is Reddit's search, where words are quoted and joined by OR. Without words, it is the listing of new
posts, since a search needs some. Places and words that do not fit into one request are searched part after part.

A page without items may be the end, or its anchor may have been deleted: then the page behind the item above the anchor
shows which it was. Comments cannot be searched.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from urllib.parse import quote_plus

import msgspec

from overheard.items import Item
from overheard.sources import SearchPage, SearchRequest

PAGE_ITEMS = 100
SEARCH_ITEMS = 1000  # the depth of Reddit's listings
FULL_DEPTH_FRACTION = 0.95  # of the depth: a search that ends before it has really ended; chosen, not measured
# In a URL, whose 2,000 bytes are known to work. Reddit's search takes 512 characters.
NAMES_MAX_BYTES = 1200
QUERY_MAX_BYTES = 512
# Reddit's time windows, and the margin for a clock that is wrong: a page of posts that are too old does no harm.
WINDOWS = (("hour", 3600.0), ("day", 86400.0), ("week", 7 * 86400.0), ("month", 30 * 86400.0), ("year", 365 * 86400.0))
CLOCK_MARGIN_SECONDS = 60.0


class _Position(msgspec.Struct, omit_defaults=True):
    """``above``: the name above the anchor ``after``. ``seen``: posts of this part so far."""

    part: int = 0
    after: str = ""
    above: str = ""
    seen: int = 0
    truncated: bool = False


_POSITION = msgspec.json.Decoder(_Position)


class SearchReader:
    """Reads one page of a search. ``now`` chooses the window."""

    def __init__(self, request: SearchRequest, now: float) -> None:
        self._request = request
        self._parts = list(product(_joined(request.places, "+", NAMES_MAX_BYTES), _queries(request.words)))
        self._at = _decoded(request.position)
        self._window = next(
            (name for name, seconds in WINDOWS if now - request.since < seconds - CLOCK_MARGIN_SECONDS), "all"
        )

    @property
    def can_search(self) -> bool:
        """Return True if Reddit has what is searched for: posts, in any place."""
        return "post" in self._request.kinds and self._at.part < len(self._parts)

    @property
    def places(self) -> tuple[str, ...]:
        """Return the places of this page's request."""
        return tuple(self._parts[self._at.part][0].split("+"))

    @property
    def path(self) -> str:
        """Return the path of this page."""
        places, query = self._parts[self._at.part]
        return f"r/{places}/{'search' if query else 'new'}"

    @property
    def params(self) -> dict[str, str]:
        """Return the parameters of this page."""
        query = self._parts[self._at.part][1]
        search = {"q": query, "restrict_sr": "on", "sort": "new", "t": self._window, "type": "link"} if query else {}
        return {**search, "limit": str(PAGE_ITEMS), **({"after": self._at.after} if self._at.after else {})}

    def take(self, items: Sequence[Item], after: str | None) -> SearchPage:
        """Process a page; ``after`` is the listing's own anchor for the next one."""
        at, request = self._at, self._request
        wanted = tuple(item for item in items if request.since <= item.created_at < request.until)
        at.seen += len(items)
        # All, because a post that was released late is old among newer ones.
        reached = bool(items) and all(item.created_at < request.since for item in items)
        if not items and at.after and at.above:
            at.after, at.above = at.above, ""
        elif after and not reached and at.seen < SEARCH_ITEMS:
            at.after, at.above = after, items[-2].id if len(items) > 1 else ""
        else:
            lost = bool(at.after) and not items
            at.truncated |= lost or (not reached and at.seen >= FULL_DEPTH_FRACTION * SEARCH_ITEMS)
            self._at = at = _Position(part=at.part + 1, truncated=at.truncated)
        return self._page(wanted)

    def without_comments(self) -> SearchPage:
        """Return the page of a search that ends without a request."""
        return SearchPage((), truncated="comment" in self._request.kinds)

    def _page(self, items: tuple[Item, ...]) -> SearchPage:
        ended = self._at.part >= len(self._parts)
        truncated = self._at.truncated or (ended and "comment" in self._request.kinds)
        return SearchPage(items, None if ended else msgspec.json.encode(self._at).decode(), truncated)


def _decoded(position: str | None) -> _Position:
    try:
        return _POSITION.decode(position) if position else _Position()
    except msgspec.MsgspecError:  # of another release: begin again, which finds nothing twice
        return _Position()


def _queries(words: Iterable[str]) -> list[str]:
    """Return the search texts for all words; one empty text if they cannot be searched for."""
    bare = (" ".join(word.replace('"', " ").replace("\\", " ").split()) for word in words)
    quoted = [f'"{word}"' for word in dict.fromkeys(bare) if word]
    if any(_url_bytes(word) > QUERY_MAX_BYTES for word in quoted):
        return [""]
    return _joined(quoted, " OR ", QUERY_MAX_BYTES) or [""]


def _url_bytes(text: str) -> int:
    return len(quote_plus(text, safe="+"))


def _joined(texts: Iterable[str], separator: str, max_bytes: int) -> list[str]:
    """Join texts into as few as possible that take at most ``max_bytes`` in a URL."""
    joined: list[str] = []
    for text in dict.fromkeys(texts):
        if joined and _url_bytes(joined[-1] + separator + text) <= max_bytes:
            joined[-1] += separator + text
        else:
            joined.append(text)
    return joined
