"""The canary's source: a generated post, a new one every second. It makes no requests."""

from __future__ import annotations

from overheard import canary
from overheard.clock import Clock
from overheard.config import Config
from overheard.errors import FeedRefused
from overheard.items import Item
from overheard.observability.metrics import ProcessMetrics
from overheard.sources import Page, ReadRequest, RequestTokens, SingleFeedSource


class CanarySource(SingleFeedSource):
    """Implements ``overheard.sources.Source``. Thread-safe."""

    name = canary.SOURCE

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    def read(self, request: ReadRequest, budget: RequestTokens) -> Page:
        """Return this second's post; there are no comments. Uses no token of the budget."""
        unknown = tuple(place for place in request.places if place != canary.PLACE)
        if unknown:
            raise FeedRefused("missing", unknown)
        if request.kind != "posts":
            return Page(items=())
        item = self._item(self._clock())
        return Page(items=(item,), cursor=item.id)

    def _item(self, now: float) -> Item:
        number = str(int(now))
        return Item(
            source=canary.SOURCE,
            id=number,
            kind="post",
            place=canary.PLACE,
            thread=number,
            author="overheard",
            title="Overheard canary",
            body="A generated post, to check that mentions arrive.",
            permalink=f"https://overheard.invalid/{number}",
            created_at=now,
        )


def open_source(config: Config, metrics: ProcessMetrics, clock: Clock) -> CanarySource:
    """Open the source; it needs no configuration."""
    return CanarySource(clock=clock)
