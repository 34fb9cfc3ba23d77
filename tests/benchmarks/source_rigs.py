"""Each source with its simulator, for benchmarks: its settings, what a workspace watches of it, and how it publishes.

``rate`` is in items a second: that of the source itself where it is fixed, else what a busy selection has.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from overheard.simulators.bluesky import BlueskySimulator, StreamFault
from overheard.simulators.feeds import FeedsSimulator
from overheard.simulators.hackernews import HackerNewsSimulator
from overheard.simulators.http.injected_failures import FailureKind, InjectedFailure
from overheard.simulators.http.simulator import HttpSimulator
from overheard.simulators.mastodon import MastodonSimulator
from overheard.simulators.reddit import CLIENT_ID, CLIENT_SECRET, RedditSimulator
from overheard.simulators.stackexchange import StackExchangeSimulator
from overheard.workspaces import WatchSpec

FAULTY_SHARE = 0.05  # of the requests; of a stream, of its stretches of a thousand events
FAULTS: tuple[FailureKind, ...] = ("fail", "html", "truncate", "reset", "timeout")
STREAM_FAULTS: tuple[Any, ...] = ("reset", "half", "close")
HANG_SECONDS = 2.0
FEEDS = 20
FEED = "/{}.xml"


@dataclass
class SourceRig:
    """``every``: how often the workspace is due. ``faulty``: while it is True, some requests fail."""

    name: ClassVar[str]
    rate: ClassVar[float]
    every: ClassVar[str] = "10s"
    watch: WatchSpec = field(init=False)
    settings: dict[str, str] = field(init=False)  # environment variables, without OVERHEARD_
    faulty: bool = False

    def publish(self, text: str) -> None:
        """Publish an item with this text, whose first word is its title."""
        raise NotImplementedError

    def requests(self) -> int:
        """Return the number of requests so far; of a stream, of connections."""
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError


class HttpRig(SourceRig):
    """A source over HTTP. The same requests fail in each run."""

    def __init__(self, simulator: HttpSimulator) -> None:
        self.faulty = False
        self.http = simulator
        self._chance = random.Random(self.name)
        self._take = simulator.faults.take
        simulator.faults.take = self._take_or_fail  # type: ignore[method-assign]
        simulator.start()
        self.url = simulator.url.rstrip("/")

    def requests(self) -> int:
        return self.http.counters.snapshot(0, 0)["total"]

    def stop(self) -> None:
        self.http.stop()

    def _take_or_fail(self, path: str, *, data: bool) -> InjectedFailure | None:
        if self.faulty and data and self._chance.random() < FAULTY_SHARE:
            return InjectedFailure(self._chance.choice(FAULTS), seconds=HANG_SECONDS, status=503)
        return self._take(path, data=data)


class RedditRig(HttpRig):
    name = "reddit"
    rate = 2.0

    def __init__(self) -> None:
        self._reddit = RedditSimulator()
        super().__init__(self._reddit)
        self._reddit.set_subreddit("python")
        self.watch = WatchSpec("reddit", ("python",))
        self.settings = {
            "REDDIT__CLIENT_ID": CLIENT_ID,
            "REDDIT__CLIENT_SECRET": CLIENT_SECRET,
            "REDDIT__USER_AGENT": "linux:overheard-bench:1 (by /u/tests)",
            "REDDIT__REDDIT_URL": self.url,
            "REDDIT__OAUTH_URL": self.url,
        }

    def publish(self, text: str) -> None:
        self._reddit.add_post("python", text.split()[0], text)


class HackerNewsRig(HttpRig):
    name = "hackernews"
    rate = 1.2  # ten times its own

    def __init__(self) -> None:
        self._hackernews = HackerNewsSimulator()
        super().__init__(self._hackernews)
        self._hackernews.add_samples(60, 3600.0)
        self.watch = WatchSpec("hackernews", ("all",))
        self.settings = {
            "SOURCES__HACKERNEWS__URL": self.url,
            "SOURCES__HACKERNEWS__SEARCH_URL": self.url,
            "SOURCES__HACKERNEWS__REQUESTS_PER_SECOND": "10",
        }
        self._stories: list[int] = []

    def publish(self, text: str) -> None:
        # One story, and comments on it and on each other, as most items there are.
        if len(self._stories) % 10 == 0:
            self._stories.append(self._hackernews.add_story(text.split()[0], text))
        else:
            self._stories.append(self._hackernews.add_comment(self._stories[-1], text))


class FeedsRig(HttpRig):
    name = "feeds"
    rate = 2.0  # of twenty feeds

    def __init__(self) -> None:
        self._feeds = FeedsSimulator()
        super().__init__(self._feeds)
        paths = [FEED.format(number) for number in range(FEEDS)]
        for path in paths:
            self._feeds.add_feed(path)
            self._feeds.add_entry(path, "old")
        self.watch = WatchSpec("feeds", tuple(map(self._feeds.url_of, paths)))
        self.settings = {"SOURCES__FEEDS__ALLOW_PRIVATE": "true", "SOURCES__FEEDS__MIN_INTERVAL": "15"}
        self._published = 0

    def publish(self, text: str) -> None:
        self._published += 1
        self._feeds.add_entry(FEED.format(self._published % FEEDS), text.split()[0], f"<p>{text}</p>")


class MastodonRig(HttpRig):
    name = "mastodon"
    rate = 2.0

    def __init__(self) -> None:
        self._mastodon = MastodonSimulator()
        super().__init__(self._mastodon)
        self.watch = WatchSpec("mastodon", (f"{self.url}/#python",))
        self.settings = {"SOURCES__MASTODON__ALLOW_PRIVATE": "true"}

    def publish(self, text: str) -> None:
        self._mastodon.publish(f"<p>{text}</p>", tags=["python"])


class StackExchangeRig(HttpRig):
    name = "stackexchange"
    rate = 0.5
    every = "30s"

    def __init__(self) -> None:
        self._stackexchange = StackExchangeSimulator()
        super().__init__(self._stackexchange)
        self.watch = WatchSpec("stackexchange", ("stackoverflow/postgresql",))
        self.settings = {
            "SOURCES__STACKEXCHANGE__URL": self.url,
            "SOURCES__STACKEXCHANGE__KEY": "simulated-key",
        }

    def publish(self, text: str) -> None:
        self._stackexchange.ask("stackoverflow", text.split()[0], f"<p>{text}</p>")


class BlueskyRig(SourceRig):
    name = "bluesky"
    rate = 36.0  # its busiest hour

    def __init__(self) -> None:
        self.faulty = False
        self._bluesky = BlueskySimulator()
        self._bluesky.start()
        self._chance = random.Random(self.name)
        self._take = self._bluesky.faults.take
        self._bluesky.faults.take = self._take_or_fail  # type: ignore[method-assign]
        self.watch = WatchSpec("bluesky", ("all",))
        self.settings = {"SOURCES__BLUESKY__URL": self._bluesky.url}
        self._published = 0

    def publish(self, text: str) -> None:
        self._published += 1
        self._bluesky.add_post(text, f"did:plc:bench{self._published % 5000:019d}")

    def requests(self) -> int:
        return len(self._bluesky.targets())

    def stop(self) -> None:
        self._bluesky.stop()

    def _take_or_fail(self, *, refusing: bool) -> StreamFault | None:
        if self.faulty and not refusing:
            after = int(self._chance.expovariate(FAULTY_SHARE / 50))
            return StreamFault(self._chance.choice(STREAM_FAULTS), after=after, status=1011)
        return self._take(refusing=refusing)


RIGS: tuple[Callable[[], SourceRig], ...] = (
    RedditRig,
    HackerNewsRig,
    FeedsRig,
    BlueskyRig,
    MastodonRig,
    StackExchangeRig,
)
