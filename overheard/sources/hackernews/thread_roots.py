"""The stories of comments: an item names only its parent, so a comment is followed upwards to its story."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence

import msgspec

from overheard.sources import RequestTokens
from overheard.sources.hackernews.concurrent_requests import ConcurrentRequests
from overheard.sources.hackernews.items import HackerNewsItem, ItemRoot, title_of

MAX_LINKS = 50_000  # about five days of items; chosen, not measured
MAX_ROUNDS = 25  # of requests upwards for a page of comments; threads are seldom deeper
MAX_STEPS = 200  # upwards through what is known already


class ParentLink(msgspec.Struct, frozen=True):
    """What is above an item: its parent's number, or None and, for a story, its title."""

    above: int | None
    title: str = ""


class ThreadRoots:
    """Remembers what is above the items that were read lately. Thread-safe."""

    def __init__(self, requests: ConcurrentRequests) -> None:
        self._requests = requests
        self._links: OrderedDict[int, ParentLink] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, items: Iterable[HackerNewsItem]) -> None:
        """Remember what is above these items."""
        with self._lock:
            for item in items:
                title = "" if item.gone or item.above is not None else title_of(item.title)
                self._links[item.id] = ParentLink(item.above, title)
                self._links.move_to_end(item.id)
            while len(self._links) > MAX_LINKS:
                self._links.popitem(last=False)

    def find(
        self, comments: Sequence[HackerNewsItem], budget: RequestTokens, *, max_requests: int
    ) -> dict[int, ItemRoot]:
        """Return the root of each comment.

        Ancestors that are not known are requested, each once, all of one level at a time. What the requests do not
        reach (there are at most ``max_requests``, and tokens may run out) ends at the highest ancestor that is known.
        """
        left = max_requests
        self.add(comments)
        unreachable: set[int] = set()
        for _ in range(MAX_ROUNDS):
            tops = {self._top(comment)[0] for comment in comments}
            # Newest first: their threads are the liveliest, and later comments need them too.
            wanted = sorted((top for top in tops if not self._is_known(top) and top not in unreachable), reverse=True)
            if not wanted or left <= 0:
                break
            batch = self._requests.items(wanted[:left], budget)
            left -= len(batch.answers) + len(batch.failures)
            found = [answer for answer in batch.answers.values() if isinstance(answer, HackerNewsItem)]
            self.add(found)
            unreachable |= {*wanted} - {item.id for item in found}
            if batch.exhausted is not None or batch.should_stop:
                break
        return {comment.id: self._root(comment) for comment in comments}

    def _is_known(self, number: int) -> bool:
        with self._lock:
            return number in self._links

    def _top(self, item: HackerNewsItem) -> tuple[int, str]:
        """Return the number of the highest known ancestor (the item's own without one), and its title."""
        with self._lock:
            number, title = item.id, ""
            for _ in range(MAX_STEPS):
                link = self._links.get(number)
                if link is None or link.above is None:
                    title = link.title if link is not None else ""
                    break
                number = link.above
            if number != item.id:
                # The next step from here is to the top.
                self._links[item.id] = ParentLink(number)
            return number, title

    def _root(self, comment: HackerNewsItem) -> ItemRoot:
        number, title = self._top(comment)
        return ItemRoot(number if number != comment.id else None, title)
