"""Sources beside each other: what happens to one of them, or to one of its servers, delays none of the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from peewee import fn

from overheard.db.models import DeadLetter, Gap, Mention, StoredItem
from overheard.simulators.bluesky import BlueskySimulator
from overheard.simulators.feeds import FeedsSimulator
from overheard.simulators.mastodon import MastodonSimulator
from overheard.simulators.stackexchange import StackExchangeSimulator
from overheard.workspaces import WatchSpec
from tests.servers.farm import HACKER_NEWS, Farm
from tests.servers.forks import shared_forks

FEED = "/feed.xml"
KEYLESS = ("bluesky", "feeds", "hackernews", "mastodon", "stackexchange")


class EverySource:
    """A farm whose workspace watches every source; ``say`` publishes an item on each that needs no key."""

    def __init__(self, folder: Path, open_: ExitStack) -> None:
        bluesky = open_.enter_context(BlueskySimulator())
        feeds = open_.enter_context(FeedsSimulator())
        mastodon = open_.enter_context(MastodonSimulator(allowed=100_000))
        stackexchange = open_.enter_context(StackExchangeSimulator(quota=100_000))
        feeds.add_feed(FEED)
        settings = {
            "SOURCES__BLUESKY__URL": bluesky.url,
            "SOURCES__FEEDS__ALLOW_PRIVATE": "true",
            "SOURCES__FEEDS__MIN_INTERVAL": "1",
            "SOURCES__MASTODON__ALLOW_PRIVATE": "true",
            "SOURCES__STACKEXCHANGE__URL": stackexchange.url.rstrip("/"),
            "REDDIT__CLIENT_SECRET": "revoked",
        }
        database = f"sqlite:///{folder}/overheard.db"
        self.farm = open_.enter_context(Farm(folder, bus="memory://", database=database, **settings))
        self.farm.workspace(
            watch=(
                HACKER_NEWS,
                WatchSpec("bluesky", ("all",)),
                WatchSpec("feeds", (feeds.url_of(FEED),)),
                WatchSpec("mastodon", (f"{mastodon.url.rstrip('/')}/#python",)),
                WatchSpec("stackexchange", ("stackoverflow/postgresql",)),
            )
        )
        self.bluesky = bluesky
        self._publish: dict[str, Callable[[str], object]] = {
            "bluesky": bluesky.add_post,
            "feeds": lambda text: feeds.add_entry(FEED, text),
            "hackernews": self.farm.hackernews.add_story,
            "mastodon": lambda text: mastodon.publish(f"<p>{text}</p>", tags=["python"]),
            "stackexchange": lambda text: stackexchange.ask("stackoverflow", text),
        }

    def say(self, text: str) -> None:
        for source in KEYLESS:
            self._publish[source](f"{text} on {source}")

    def mentioned(self, text: str) -> set[str]:
        """Return the sources whose item with this text has arrived at the receiver."""
        bodies = [request.json for request in self.farm.sink.wait_for(0)]
        return {
            body["data"]["source"]
            for body in bodies
            if f"{text} on {body['data']['source']}" in f"{body['data']['title']} {body['data']['body']}"
        }

    def wait_for(self, text: str) -> None:
        self.farm.wait(
            lambda: self.mentioned(text) == set(KEYLESS),
            lambda: f"only {self.mentioned(text)} have arrived",
        )


@pytest.fixture
def every(tmp_path: Path) -> Iterator[EverySource]:
    with ExitStack() as open_:
        yield EverySource(tmp_path, open_)


def test_all_sources_without_a_key_are_heard_while_reddits_is_refused(every: EverySource) -> None:
    farm = every.farm
    farm.start("run", "overheard.cli", "run")
    assert every.bluesky.wait_for_connections(1)
    refused = farm.post(2)
    every.say("a needle")
    every.wait_for("a needle")
    every.say("another needle")
    every.wait_for("another needle")
    assert not refused & set(farm.received())
    assert farm.scalar(Mention.select(fn.count(Mention.id))) == 2 * len(KEYLESS)
    assert farm.scalar(StoredItem.select(fn.count(StoredItem.id))) == 2 * len(KEYLESS)
    assert not farm.scalar(DeadLetter.select(fn.count(DeadLetter.id)))
    assert not farm.scalar(Gap.select(fn.count(Gap.id)))
    listing = ("source", "list", "--format", "json")
    listed = shared_forks().run("overheard.cli", *listing, env=farm.environment, cwd=farm.folder)
    states = {row["source"]: row["state"] for row in map(json.loads, listed.stdout.splitlines())}
    assert {name: states[name] for name in KEYLESS} == dict.fromkeys(KEYLESS, "ok"), listed.stderr
    assert states["reddit"] == "revoked"
    assert farm.terminate("run") == 0


HANGING_FEEDS = 30
FEED_TIMEOUT_SECONDS = 4
# Far above the timeout of one feed, for a busy machine, and far below that of all of them together.
WITHIN_SECONDS = 40


def test_a_feed_server_that_hangs_delays_no_other(tmp_path: Path) -> None:
    """Its feeds come first in the workspace, and each request to it would hang until the timeout."""
    paths = [f"/{number}.xml" for number in range(HANGING_FEEDS)]
    settings = {
        "SOURCES__FEEDS__ALLOW_PRIVATE": "true",
        "SOURCES__FEEDS__MIN_INTERVAL": "1",
        "SOURCES__FEEDS__TIMEOUT": str(FEED_TIMEOUT_SECONDS),
    }
    with (
        FeedsSimulator() as healthy,
        FeedsSimulator().start(host="127.0.0.2") as hanging,
        Farm(tmp_path, bus="memory://", database=f"sqlite:///{tmp_path}/overheard.db", **settings) as farm,
    ):
        healthy.add_feed(FEED)
        feeds = WatchSpec("feeds", (*[hanging.add_feed(path) for path in paths], healthy.url_of(FEED)))
        hanging.faults.timeout(60, times=10_000)
        farm.workspace(watch=(HACKER_NEWS, feeds))
        farm.start("run", "overheard.cli", "run")
        assert hanging.wait_for_requests(1)
        for round_ in range(3):
            told = farm.tell(1, first=round_)
            healthy.add_entry(FEED, f"needle {round_}")
            farm.wait(lambda told=told: told <= set(farm.received()), lambda: "Hacker News waits", WITHIN_SECONDS)
            farm.wait(
                lambda round_=round_: f"needle {round_}" in titles(farm), lambda: "the feed waits", WITHIN_SECONDS
            )
        assert farm.terminate("run") == 0


def titles(farm: Farm) -> list[str]:
    return [request.json["data"]["title"] for request in farm.sink.wait_for(0)]
