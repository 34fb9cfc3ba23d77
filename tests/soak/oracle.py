"""Which workspace must receive which mention: computed from marker words, without Overheard's own matching.

An item is what the simulator was given; a listener is a workspace as written into the file. Words are runs of
a to z, which is all that the soak's texts consist of.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

HACKER_NEWS = "hackernews"  # in place of a subreddit
WORD = re.compile(r"[a-z]+")
Pair = tuple[str, str]  # workspace's slug, item's fullname


@dataclass(frozen=True)
class Wish:
    """A query: one of ``any_of`` (words, or phrases of words), and nowhere ``without``."""

    any_of: tuple[str, ...]
    without: str = ""

    @property
    def text(self) -> str:
        """Return the query in Overheard's query language."""
        choice = " OR ".join(f'"{each}"' if " " in each else each for each in self.any_of)
        return f"({choice}) NOT {self.without}" if self.without else choice

    def holds(self, fields: Iterable[str]) -> bool:
        texts = [f" {' '.join(WORD.findall(text.lower()))} " for text in fields]
        wanted = any(f" {each} " in text for each in self.any_of for text in texts)
        return wanted and not (self.without and any(f" {self.without} " in text for text in texts))


@dataclass(frozen=True)
class Listener:
    """A workspace: what it watches, its queries, and whether its channel is instant or digest.

    ``hackernews``: it watches all of Hacker News, too.
    """

    slug: str
    subreddits: tuple[str, ...]
    kinds: tuple[str, ...]  # posts, comments
    wishes: tuple[Wish, ...]
    digest: bool = False
    hackernews: bool = False

    @property
    def homes(self) -> tuple[str, ...]:
        """The subreddits, and HACKER_NEWS if it is watched."""
        return (*self.subreddits, HACKER_NEWS) if self.hackernews else self.subreddits

    def wants(self, said: Said) -> bool:
        if said.kind not in self.kinds or said.subreddit not in self.homes:
            return False
        return any(wish.holds(said.fields) for wish in self.wishes)


@dataclass(frozen=True)
class Said:
    """An item of one of the simulators; ``at`` is the time at which it appeared (epoch seconds).

    ``late``: it was older then, and appeared at its own place, below newer ones.
    """

    name: str
    kind: str  # posts, comments
    subreddit: str
    fields: tuple[str, ...]
    at: float
    late: bool = False


def is_story(pair: Pair) -> bool:
    """Return True if the item is one of Hacker News: they have numbers."""
    return pair[1].isdecimal()


class Oracle:
    """Match one item after another. Only workspaces with a query for one of its words are tested."""

    def __init__(self, listeners: Iterable[Listener]) -> None:
        self._by_word: dict[str, list[Listener]] = defaultdict(list)
        for listener in listeners:
            for word in {each.split()[0] for wish in listener.wishes for each in wish.any_of}:
                self._by_word[word].append(listener)

    def audience(self, said: Said) -> set[str]:
        """Return the slugs of the workspaces that must receive it."""
        words = {word for text in said.fields for word in WORD.findall(text.lower())}
        asked = {listener for word in words for listener in self._by_word.get(word, ())}
        return {listener.slug for listener in asked if listener.wants(said)}


@dataclass(frozen=True)
class Arrival:
    """One mention that arrived at the receiver at time ``at``, in the delivery ``id``."""

    slug: str
    item: str
    id: str
    at: float


@dataclass
class Books:
    """Truth against record: expected mentions, received mentions, and what the database holds.

    ``stored`` has every mention that is not backfilled, as often as it is there.
    """

    expected: Mapping[Pair, float]  # when the item was said
    arrivals: list[Arrival]
    stored: Counter[Pair]
    late: AbstractSet[str] = frozenset()  # items that appeared late at their own place
    first: dict[Pair, float] = field(init=False)

    def __post_init__(self) -> None:
        self.first = {}
        for arrival in self.arrivals:
            self.first.setdefault((arrival.slug, arrival.item), arrival.at)

    @property
    def lost(self) -> set[Pair]:
        """Never received."""
        return self.expected.keys() - self.first.keys()

    @property
    def unstored(self) -> set[Pair]:
        return self.expected.keys() - self.stored.keys()

    @property
    def uncalled_for(self) -> set[Pair]:
        """Received or stored without being expected."""
        return (self.first.keys() | self.stored.keys()) - self.expected.keys()

    @property
    def stored_twice(self) -> int:
        return sum(count - 1 for count in self.stored.values())

    @property
    def repeats(self) -> tuple[int, int]:
        """Count repeated arrivals of the same mention: with the same delivery id, and with another one."""
        ids: dict[Pair, set[str]] = defaultdict(set)
        same = other = 0
        for arrival in self.arrivals:
            had = ids[(arrival.slug, arrival.item)]
            if arrival.id in had:
                same += 1
            elif had:
                other += 1
            had.add(arrival.id)
        return same, other

    def ages(self, slugs: Iterable[str], *, late: bool = False) -> list[float]:
        """Return the sorted seconds from an item's appearance to its first arrival, for these workspaces' mentions."""
        among = set(slugs)
        return sorted(
            at - self.expected[pair]
            for pair, at in self.first.items()
            if pair in self.expected and pair[0] in among and (pair[1] in self.late) is late
        )
