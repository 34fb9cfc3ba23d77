"""A source and its simulator, for answers that are wrong on purpose: one class for each source over HTTP.

What a reading has found is told by markers, words that occur in one published item each: a spoiled answer may change
everything else about an item.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pkgutil import resolve_name
from typing import Any, ClassVar, Self

from overheard.config import Config
from overheard.items import ALL, FeedKind, Item, place_key
from overheard.simulators.feeds import FeedsSimulator
from overheard.simulators.feeds.feed import SimulatedFeed
from overheard.simulators.hackernews import HackerNewsSimulator
from overheard.simulators.http.exchange import SimulatedRequest, SimulatedResponse
from overheard.simulators.http.simulator import HttpSimulator
from overheard.simulators.mastodon import MastodonSimulator
from overheard.simulators.reddit import CLIENT_ID, CLIENT_SECRET, RedditSimulator
from overheard.simulators.stackexchange import StackExchangeSimulator
from overheard.sources import ListingGap, ReadRequest, Source
from overheard.sources.registry import SOURCES
from tests.fixtures import MONDAY, Clock
from tests.unit.sources.reddit_world import AGENT, RecordingBudget, new_metrics

FEED_PATH = "/feed"
PATIENCE_SECONDS = 60.0  # for an answer that comes: the simulator may be slow, too
MOST_PAGES = 500  # of one reading: more is one without end

Rewrite = Callable[[SimulatedRequest, SimulatedResponse], SimulatedResponse]


@dataclass
class SpoiledReading:
    """What pages up to the end of a reading had."""

    items: list[Item] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    gaps: list[ListingGap] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def has(self, marker: str) -> bool:
        return any(marker in f"{item.title} {item.body}" for item in self.items)


class SpoiledWorld:
    """A source that has read its feed once, and its simulator. ``rewrite`` changes its correct answers.

    ``paths``: patterns of the requests that make up a reading, each of which can be spoiled alone.
    """

    name: ClassVar[str]
    paths: ClassVar[tuple[str, ...]] = ("",)
    correct: ClassVar[str] = "respond"  # the simulator's method that returns a correct answer
    harmless: ClassVar[frozenset[tuple[str, str]]] = frozenset()  # paths and outages that look like correct answers
    many: ClassVar[int] = 10_000  # items at once
    between_seconds: ClassVar[float] = 3600.0  # two readings: longer than the source waits
    kind: ClassVar[FeedKind]

    def __init__(self, tls: ssl.SSLContext | None = None, *, timeout_seconds: float = PATIENCE_SECONDS) -> None:
        self.clock = Clock(MONDAY)
        self.metrics = new_metrics()
        self.budget = RecordingBudget()
        self.cursor: str | None = None
        self.rewrite: Rewrite | None = None
        self.simulator = self.make_simulator()
        self._correct = getattr(self.simulator, self.correct)
        setattr(self.simulator, self.correct, self._rewritten)
        self.timeout_seconds = timeout_seconds
        self._tls = tls
        self._published = 0

    def make_simulator(self) -> HttpSimulator:
        """Return the simulator, not started, on the world's clock."""
        raise NotImplementedError

    def settings(self, url: str) -> dict[str, Any]:
        """Return the source's settings; ``url`` is the simulator's."""
        raise NotImplementedError

    def publish(self, text: str) -> None:
        """Add an item with this text to the feed."""
        raise NotImplementedError

    @property
    def place(self) -> str:
        """The place that is read, as a workspace would name it."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.simulator.start(tls=self._tls)
        self.source = self._opened()
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()
        self.simulator.stop()

    def add(self) -> str:
        """Publish an item, and return its marker."""
        self._published += 1
        marker = f"marker{self._published}x"
        self.publish(marker)
        return marker

    def read(self) -> SpoiledReading:
        """Read to the end, as fetch would; the cursor moves only then. Raises what the source raises."""
        reading, position, cursor = SpoiledReading(), None, self.cursor
        self.clock.advance(self.between_seconds)
        for _ in range(MOST_PAGES):
            page = self.source.read(
                ReadRequest(
                    kind=self.kind,
                    places=(place_key(self.place),),
                    cursor=cursor,
                    position=position,
                    since=self.clock() - self.between_seconds,
                ),
                self.budget,
            )
            reading.items += page.items
            reading.gone += page.gone
            reading.gaps += [*page.gaps, *([page.unread] if page.unread else [])]
            reading.pauses.append(page.pause)
            position = page.position
            if position is None:
                self.cursor = cursor = page.cursor  # an ended poll: what it has read is stored
                if not page.behind:
                    return reading
        raise AssertionError(f"a reading without end: {MOST_PAGES} pages")

    @property
    def many_servers(self) -> bool:
        """True if its feeds are on servers of their own: one that fails is refused, and the source is not."""
        return SOURCES[self.name].many_servers

    def unreadable(self) -> float:
        """Return how many items were counted as unreadable."""
        return self.metrics.registry.get_sample_value("overheard_items_unreadable_total", {"source": self.name}) or 0.0

    def _opened(self) -> Source:
        config = Config.model_validate({"sources": {self.name: self.settings(self.simulator.url.rstrip("/"))}})
        assert SOURCES[self.name].check_place(self.place) == self.place
        opened: Source = resolve_name(SOURCES[self.name].factory)(config, self.metrics, self.clock)
        return opened

    def _rewritten(self, request: SimulatedRequest) -> SimulatedResponse:
        answer = self._correct(request)
        if self.rewrite is None or answer.status != 200 or answer.manner != "send":
            return answer
        # Another document: the server's name for the correct one is not its own.
        named = {name: value for name, value in answer.headers.items() if name not in ("etag", "last-modified")}
        return self.rewrite(request, replace(answer, headers=named))


class SpoiledReddit(SpoiledWorld):
    name = "reddit"
    correct = "answer"
    kind = "posts"
    place = "python"

    def make_simulator(self) -> HttpSimulator:
        self._reddit = RedditSimulator(clock=self.clock, requests_per_minute=1_000_000)
        self._reddit.set_subreddit("python")
        return self._reddit

    def settings(self, url: str) -> dict[str, Any]:
        return {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "user_agent": AGENT,
            "reddit_url": url,
            "oauth_url": url,
            "timeout": self.timeout_seconds,
        }

    def publish(self, text: str) -> None:
        self._reddit.add_post("python", f"title {text}", f"body {text}")


class SpoiledHackerNews(SpoiledWorld):
    name = "hackernews"
    paths = ("maxitem", "/item/")
    kind = "items"
    place = ALL
    harmless = frozenset({("maxitem", "truncated, as if complete")})  # half of a number is one, too
    many = 1000  # each costs a request
    between_seconds = 60.0  # numbers that have failed for an hour are given up

    def make_simulator(self) -> HttpSimulator:
        self._hackernews = HackerNewsSimulator(clock=self.clock)
        for number in range(40):
            self._hackernews.add_story(f"story {number}", "from before")
        return self._hackernews

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "search_url": url, "timeout": self.timeout_seconds}

    def publish(self, text: str) -> None:
        self._hackernews.add_story(f"title {text}", f"body {text}")


class SpoiledMastodon(SpoiledWorld):
    name = "mastodon"
    kind = "items"
    many = 1000  # forty on a page

    def make_simulator(self) -> HttpSimulator:
        self._mastodon = MastodonSimulator(clock=self.clock, allowed=1_000_000)
        return self._mastodon

    def settings(self, url: str) -> dict[str, Any]:
        self._place = f"{url}/#python"
        return {"allow_private": True, "timeout": self.timeout_seconds}

    @property
    def place(self) -> str:
        return self._place

    def publish(self, text: str) -> None:
        self._mastodon.publish(f"<p>{text}</p>", tags=["python"])


class SpoiledFeeds(SpoiledWorld):
    """JSON Feed; `test_feed_bad_input.py` spoils XML."""

    name = "feeds"
    kind = "items"
    many = 3000  # in one window

    def make_simulator(self) -> HttpSimulator:
        self._feeds = FeedsSimulator(self.clock)
        return self._feeds

    def settings(self, url: str) -> dict[str, Any]:
        self._feeds.add_feed(FEED_PATH, "json", window=self.many)
        self._feeds.add_entry(FEED_PATH, "the first", "from before")
        return {"allow_private": True, "min_interval": 60, "timeout": self.timeout_seconds}

    @property
    def feed(self) -> SimulatedFeed:
        """The feed, whose settings may be changed."""
        return self._feeds.feed(FEED_PATH)

    @property
    def place(self) -> str:
        return self._feeds.url_of(FEED_PATH)

    def publish(self, text: str) -> None:
        self._feeds.add_entry(FEED_PATH, f"title {text}", f"<p>body {text}</p>")


class SpoiledStackExchange(SpoiledWorld):
    name = "stackexchange"
    kind = "posts"
    place = "stackoverflow/postgresql"
    many = 3000  # a hundred on a page

    def make_simulator(self) -> HttpSimulator:
        self._stackexchange = StackExchangeSimulator(clock=self.clock, quota=1_000_000)
        return self._stackexchange

    def settings(self, url: str) -> dict[str, Any]:
        return {"url": url, "timeout": self.timeout_seconds}

    def publish(self, text: str) -> None:
        self.clock.advance(1)  # a second with very many questions would need a key
        self._stackexchange.ask("stackoverflow", f"title {text}", f"<p>body {text}</p>", tags=["postgresql"])


ALL_SPOILED: tuple[type[SpoiledWorld], ...] = (
    SpoiledReddit,
    SpoiledHackerNews,
    SpoiledFeeds,
    SpoiledMastodon,
    SpoiledStackExchange,
)
SPOILED = {each.name: each for each in ALL_SPOILED}
