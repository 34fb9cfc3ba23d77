"""People talking: adds posts and comments to a simulator, the same ones in the same order for the same seed."""

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

_THREADS_ALIVE = 20  # comments go to one of a subreddit's latest posts


@dataclass(frozen=True, slots=True)
class SampleText:
    """Something somebody says in a subreddit; a comment has no title."""

    subreddit: str
    author: str
    title: str | None
    text: str


def sample() -> list[SampleText]:
    """Return the sample that is shipped with the simulator: about 120 posts and comments of 8 subreddits."""
    lines = files(__package__).joinpath("sample.jsonl").read_text("utf-8").splitlines()
    return [SampleText(**json.loads(line)) for line in lines]


class Traffic:
    """Adds items to a simulator: one by `step()`, some by `fill()`, or at a rate from a thread of its own.

    `rate_per_second` is an average; gaps between items vary as they do among people. `subreddits` narrows the texts
    to those subreddits. ValueError when no text, or no positive rate, is left.
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
        # Two generators: how fast items come has no say in what they are.
        self._content = random.Random(f"content {seed}")
        self._pace = random.Random(f"pace {seed}")
        self._texts = self._shuffled(chosen)
        self._posts: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=_THREADS_ALIVE))
        self._openings = {text.subreddit: text for text in reversed(chosen) if text.title is not None}
        self._stopping = Event()
        self._thread: Thread | None = None

    def step(self) -> str:
        """Add one item and return its fullname."""
        text = next(self._texts)
        posts = self._posts[text.subreddit]
        if text.title is None and not posts:
            # Nothing to comment on yet: what would be said is the subreddit's first post instead.
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
            raise RuntimeError("this traffic is running already")
        self._stopping.clear()
        self._thread = Thread(target=self._run, name="reddit-simulator-traffic", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        # Due times add up, so that the average holds however long a step takes.
        due = time.monotonic() + self._pace.expovariate(self._rate)
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            self.step()
            due += self._pace.expovariate(self._rate)

    def _shuffled(self, texts: list[SampleText]) -> Iterator[SampleText]:
        # Everything once before anything twice.
        while True:
            yield from self._content.sample(texts, len(texts))
