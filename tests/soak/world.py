"""The world of a soak: workspaces, items, and a record of both (the truth log)."""

from __future__ import annotations

import heapq
import math
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, cast

from overheard.simulators.hackernews import HackerNewsSimulator
from overheard.simulators.reddit import RedditSimulator
from overheard.simulators.reddit.items import Post
from overheard.simulators.reddit.traffic import SampleText, Traffic
from overheard.workspaces import ChannelSpec, QuerySpec, WatchSpec, WorkspaceSpec
from tests.soak.oracle import HACKER_NEWS, Listener, Said, Wish
from tests.soak.plan import Plan

UNWANTED = "qhiring"
BURST_RANK = 5  # of the subreddit in which many posts come at once
POSTS = 0.25  # share of the items; the rest are comments
# Markers begin with a letter with which nothing else begins.
SYLLABLES = ["ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va", "we", "zi"]


@dataclass(frozen=True)
class World:
    listeners: list[Listener]
    texts: list[SampleText]
    stories: list[SampleText]  # of Hacker News, and comments
    burst: list[SampleText]  # posts that come at once in one subreddit


class Recorded(Traffic):
    """Traffic that records the items that appear. It holds some back, which appear later at their own old place."""

    def __init__(self, simulator: RedditSimulator, plan: Plan, texts: list[SampleText]) -> None:
        super().__init__(simulator, plan.seed, plan.rate, texts=texts)
        self.said: list[Said] = []
        self.holds = 0.0  # share of the items
        self._late_seconds = plan.late_seconds
        self._chance = random.Random(f"late {plan.seed}")
        self._held: list[tuple[float, str]] = []

    def step(self) -> str:
        at = time.time()
        self.release(at)
        held = self._chance.random() < self.holds
        with self._simulator.store.lock:  # nobody sees it before it is held
            name = super().step()
            if held:
                self._simulator.hold(name)
        if held:
            heapq.heappush(self._held, (at + self._chance.uniform(*self._late_seconds), name))
        else:
            self._record(name, at)
        return name

    def release(self, until: float = math.inf) -> None:
        """Let what was held until then appear."""
        while self._held and self._held[0][0] <= until:
            _, name = heapq.heappop(self._held)
            self._simulator.approve(name)
            self._record(name, time.time(), late=True)

    def burst(self, texts: Iterable[SampleText]) -> None:
        """Add these posts at once."""
        for text in texts:
            at = time.time()
            title = text.title or text.text[:80]
            self._record(self._simulator.add_post(text.subreddit, title, text.text, text.author), at)

    def _record(self, name: str, at: float, *, late: bool = False) -> None:
        item = self._simulator.store.get(name)
        post = isinstance(item, Post)
        fields = (item.title, item.text) if isinstance(item, Post) else (item.text,)
        self.said.append(Said(name, "posts" if post else "comments", item.subreddit.name, fields, at, late))


class RecordedStories(Traffic):
    """The same on Hacker News."""

    def __init__(self, simulator: HackerNewsSimulator, plan: Plan, texts: list[SampleText]) -> None:
        super().__init__(cast(Any, simulator), plan.seed, plan.hackernews_rate, texts=texts)
        self._hackernews = simulator
        self.said: list[Said] = []

    def step(self) -> str:
        at, text = time.time(), next(self._texts)
        stories = self._posts[HACKER_NEWS]
        fields: tuple[str, ...]
        if text.title is not None or not stories:
            fields = (text.title or text.text[:80], text.text)
            name = str(self._hackernews.add_story(fields[0], fields[1], author=text.author))
            stories.append(name)
        else:
            fields = (text.text,)
            name = str(self._hackernews.add_comment(int(self._content.choice(stories)), text.text, author=text.author))
        self.said.append(Said(name, "posts" if len(fields) == 2 else "comments", HACKER_NEWS, fields, at))
        return name


def make(plan: Plan, count: int, stories: int) -> World:
    """Workspaces, and ``count`` texts of which some hold what one of them listens for; ``stories`` of Hacker News."""
    chance = random.Random(plan.seed)
    names = [f"soak{number:04d}" for number in range(plan.subreddits)]
    # As on Reddit, a few subreddits have most of the readers and of the traffic.
    weights = list(accumulate(1 / (rank + 10) ** 0.9 for rank in range(len(names))))
    markers = [_marker(number) for number in range(max(50, plan.workspaces // 3))]
    listeners = [_listener(plan, number, names, weights, markers, chance) for number in range(plan.workspaces)]
    chance.shuffle(listeners)  # they come in no order, so that those who share a subreddit are due at any time
    watchers: dict[str, list[Listener]] = {name: [] for name in (*names, HACKER_NEWS)}
    for listener in listeners:
        for name in listener.homes:
            watchers[name].append(listener)
    homes = chance.choices(names, cum_weights=weights, k=count)
    texts = [_text(plan, home, watchers[home], chance) for home in homes]
    told = [_text(plan, HACKER_NEWS, watchers[HACKER_NEWS], chance) for _ in range(stories)]
    home = names[min(BURST_RANK, len(names) - 1)]
    return World(listeners, texts, told, [_text(plan, home, watchers[home], chance) for _ in range(plan.burst)])


def specs(listeners: list[Listener], plan: Plan, sink: str, secret: str) -> list[WorkspaceSpec]:
    """The workspaces as their owners write them, each with a webhook of its own at ``sink``."""
    return [
        WorkspaceSpec(
            slug=listener.slug,
            every=plan.every,
            digest=plan.digest_every if listener.digest else "0 9 * * *",
            subreddits=listener.subreddits,
            watch=(WatchSpec("hackernews", ("all",)),) if listener.hackernews else (),
            kinds=listener.kinds,  # type: ignore[arg-type]
            query=tuple(QuerySpec(f"q{number}", wish.text) for number, wish in enumerate(listener.wishes)),
            channel=(
                ChannelSpec(
                    "hook",
                    f"{sink}/{listener.slug}",
                    "digest" if listener.digest else "instant",
                    secret,
                    max_per_hour=0,  # the receiver counts every mention
                ),
            ),
        )
        for listener in listeners
    ]


def _listener(
    plan: Plan, number: int, names: list[str], weights: list[float], markers: list[str], chance: random.Random
) -> Listener:
    mine = names[number % len(names)]  # every subreddit is watched by some workspace
    more = chance.choices(names, cum_weights=weights, k=chance.randint(0, 4))
    kinds = chance.choices([("posts", "comments"), ("posts",), ("comments",)], (80, 10, 10))[0]
    wishes = tuple(_wish(markers, chance) for _ in range(chance.choices((1, 2, 3), (30, 40, 30))[0]))
    digest, hackernews = chance.random() < plan.digests, chance.random() < plan.hackernews
    return Listener(f"ws{number:05d}", tuple(dict.fromkeys((mine, *more))), kinds, wishes, digest, hackernews)


def _wish(markers: list[str], chance: random.Random) -> Wish:
    one, other = chance.sample(markers, 2)
    shapes = [Wish((one,)), Wish((one, other)), Wish((one,), UNWANTED), Wish((f"{one} {other}",))]
    return chance.choices(shapes, (40, 20, 20, 20))[0]


def _text(plan: Plan, home: str, watchers: list[Listener], chance: random.Random) -> SampleText:
    words = [_filler(chance) for _ in range(chance.choice((8, 12, 20, 40)))]
    if watchers and chance.random() < plan.hits:
        wish = chance.choice(chance.choice(watchers).wishes)
        words.insert(chance.randrange(len(words)), chance.choice(wish.any_of))
        if chance.random() < 0.1:
            words.append(UNWANTED)
    if chance.random() < 0.2:  # what only looks like a marker
        words.append(f"{_marker(chance.randrange(3000))}s")
    body = " ".join(words).capitalize() + "."
    title = " ".join(words[:6]) if chance.random() < POSTS else None
    return SampleText(home, f"author{chance.randrange(5000)}", title, body)


def _marker(number: int) -> str:
    first, rest = number % 18, number // 18
    return f"q{SYLLABLES[rest // 324 % 18]}{SYLLABLES[rest // 18 % 18]}{SYLLABLES[rest % 18]}{SYLLABLES[first]}"


def _filler(chance: random.Random) -> str:
    return "".join(chance.choice(SYLLABLES) for _ in range(chance.choice((1, 2, 2, 3))))
