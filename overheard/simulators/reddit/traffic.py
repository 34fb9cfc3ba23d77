"""Simulated users: add posts and comments, the same ones in the same order for the same seed."""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from threading import Event, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .simulator import RedditSimulator

_COMMENTED_POSTS = 20  # comments are added to one of a subreddit's latest posts, as many as this


@dataclass(frozen=True, slots=True)
class SampleText:
    """The text of a post or a comment, with its subreddit and author; a comment has no title."""

    subreddit: str
    author: str
    title: str | None
    text: str


def sample() -> list[SampleText]:
    """Return the texts that come with the simulator: about 120 posts and comments of 8 subreddits."""
    lines = files(__package__).joinpath("sample.jsonl").read_text("utf-8").splitlines()
    return [SampleText(**json.loads(line)) for line in lines]


class Traffic:
    """Adds items to a simulator: one with `step()`, several with `fill()`, or at a rate from its own thread.

    `rate_per_second` is an average; the intervals between items vary randomly. `subreddits` limits the texts to those
    subreddits. Raises ValueError if no texts are left, or if the rate is not positive.
    """

    def __init__(
        self,
        simulator: RedditSimulator,
        seed: int = 0,
        rate_per_second: float = 2.0,
        subreddits: Iterable[str] | None = None,
        texts: Sequence[SampleText] | None = None,
    ) -> None:
        wanted = None if subreddits is None else {name.lower() for name in subreddits}
        chosen = [
            text
            for text in (sample() if texts is None else texts)
            if wanted is None or text.subreddit.lower() in wanted
        ]
        if not chosen:
            raise ValueError(f"no texts to post in {', '.join(sorted(wanted or ['any subreddit']))}")
        if not rate_per_second > 0:
            raise ValueError(f"rate_per_second is {rate_per_second}; it must be above 0")
        self._simulator = simulator
        self._rate = rate_per_second
        # Two generators, so that the rate does not influence the content.
        self._content = random.Random(f"content {seed}")
        self._pace = random.Random(f"pace {seed}")
        self._texts = self._shuffled(chosen)
        self._posts: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=_COMMENTED_POSTS))
        # Reversed, so that the first post of each subreddit remains.
        self._openings = {text.subreddit: text for text in reversed(chosen) if text.title is not None}
        self._stopping = Event()
        self._thread: Thread | None = None

    def step(self) -> str:
        """Add one item and return its fullname."""
        text = next(self._texts)
        posts = self._posts[text.subreddit]
        if text.title is None and not posts:
            # There is no post to comment on yet: add the subreddit's first post instead.
            text = self._openings.get(text.subreddit) or SampleText(
                text.subreddit, text.author, text.text[:80], text.text
            )
        if text.title is not None:
            posts.append(self._simulator.add_post(text.subreddit, text.title, text.text, text.author))
            return posts[-1]
        return self._simulator.add_comment(self._content.choice(posts), text.text, text.author)

    def fill(self, count: int) -> None:
        """Add `count` items at once."""
        for _ in range(count):
            self.step()

    def start(self) -> None:
        """Add items from a daemon thread until `stop()`."""
        if self._thread is not None:
            raise RuntimeError("this traffic is already running")
        self._stopping.clear()
        self._thread = Thread(target=self._run, name="reddit-simulator-traffic", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        # Due times are added up, so that the average rate does not depend on how long a step takes.
        due = time.monotonic() + self._pace.expovariate(self._rate)
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            self.step()
            due += self._pace.expovariate(self._rate)

    def _shuffled(self, texts: list[SampleText]) -> Iterator[SampleText]:
        # Use every text once before repeating any.
        while True:
            yield from self._content.sample(texts, len(texts))
