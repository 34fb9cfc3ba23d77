"""The simulator's content: what was posted where, what is visible, what was removed.

An item has a number (its id) that increases with time; posts and comments are numbered separately, as on Reddit. Every
listing is a sorted list of places: one per subreddit and kind, and one per kind for r/all. An item's place is its
number, so an item that a moderator approves or restores returns to where it was, below newer items. The exception is a
post that a filter held from the beginning: on approval, Reddit lists it above all others, with its old id and date.
Adding an item appends; removing and approving bisect.

Some numbers may be holes: no item ever has them, or one that appears later, at its own place.
"""

from __future__ import annotations

import heapq
import math
import random
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from threading import RLock
from typing import Literal

from .items import STATES, SUBREDDIT_NAME, Comment, Gone, Item, Kind, Place, Post, State, Subreddit, parse_fullname
from .items import kind_of as kind_of_item

Release = Literal["top", "place"]

# Ids that look like Reddit's; the seed adds to them.
_FIRST_POST = int("1ma0000", 36)
_FIRST_COMMENT = int("na00000", 36)


@dataclass(frozen=True, slots=True)
class NumberHoles:
    """Numbers without an item: `share` of all never have one; `late` of the items appear after up to `seconds`."""

    share: float = 0.0
    late: float = 0.0
    seconds: float = 0.0


NO_HOLES = NumberHoles()


class SimulatedContent:
    """Thread-safe content. `keep` limits the items per kind: the oldest are discarded entirely.

    `release` is where an approved post enters that a filter held: at the "top", as on Reddit, or at its own "place".
    """

    def __init__(
        self,
        clock: Callable[[], float],
        seed: int = 0,
        keep: int | None = None,
        release: Release = "top",
        holes: NumberHoles = NO_HOLES,
    ) -> None:
        if keep is not None and keep < 1:
            raise ValueError(f"keep is {keep}; it must be at least 1 item per kind, or None for no bound")
        draw = random.Random(seed)
        self.lock = RLock()  # reentrant: public methods call each other
        self.subreddits: dict[str, Subreddit] = {}
        self._homes = 0
        self.all: dict[Kind, list[Place]] = {"t1": [], "t3": []}
        self._released: dict[Place, Post] = {}
        self._held: set[int] = set()  # numbers of posts that have not been in a listing yet
        self._release = release
        self._items: dict[str, dict[int, Item]] = {"t1": {}, "t3": {}}
        self._next: dict[Kind, int] = {
            "t3": _FIRST_POST + draw.randrange(36**4),
            "t1": _FIRST_COMMENT + draw.randrange(36**4),
        }
        self._clock = clock
        self._keep = keep
        self._holes = holes
        self._chance = random.Random(f"holes {seed}")
        self._unseen: dict[str, dict[int, Item]] = {"t1": {}, "t3": {}}
        self._appearing: list[tuple[float, Kind, int]] = []

    def add_post(
        self,
        subreddit: str,
        title: str,
        text: str = "",
        *,
        author: str,
        created: float | None,
        url: str | None,
        over_18: bool,
        flair: str | None = None,
        captions: Iterable[str] = (),
        options: Iterable[str] = (),
        crosspost: str | None = None,
        held: bool,
    ) -> str:
        """Add a post and return its fullname. A new subreddit is created, public.

        Raises KeyError without the post `crosspost`.
        """
        with self.lock:
            original = None if crosspost is None else self.get(crosspost)
            if isinstance(original, Comment):
                raise KeyError(f"{crosspost} is not a post")
            home = self.subreddit(subreddit)
            number = self._take_number("t3")
            post = Post(number, home, author, title, text, url, over_18, self._stamp(created), flair=flair)
            post.captions, post.options, post.original = tuple(captions), tuple(options), original
            return self._add(post, held)

    def add_comment(
        self, link: str, text: str, *, author: str, parent: str | None, created: float | None, held: bool
    ) -> str:
        """Add a comment to the post `link` (a fullname) and return its fullname. Raises KeyError without the post."""
        with self.lock:
            post = self.get(link)
            if not isinstance(post, Post):
                raise KeyError(f"{link} is not a post")
            if parent is not None and parent != link and not isinstance(self.get(parent), Comment):
                raise KeyError(f"{parent} is not a comment")
            number = self._take_number("t1")
            comment = Comment(number, post.subreddit, author, text, post, parent or link, self._stamp(created))
            post.comments += 1
            return self._add(comment, held)

    def take_away(self, fullname: str, by: Gone) -> None:
        """Remove an item from every listing; api/info continues to show that it was removed."""
        with self.lock:
            item = self.get(fullname)
            item.gone = by
            for column in self._columns(item):
                at = bisect_left(column, item.place)
                if column[at : at + 1] == [item.place]:
                    del column[at]

    def approve(self, fullname: str) -> None:
        """Show a held or removed item at its place, or at the top if it is a post that was never shown."""
        with self.lock:
            item = self.get(fullname)
            if item.gone == "author":
                raise ValueError(f"{fullname} was deleted by its author: no moderator can approve it")
            if item.gone is not None:
                item.gone = None
                if isinstance(item, Post) and item.number in self._held:
                    self._held.discard(item.number)
                    if self._release == "top":
                        self._move_to_top(item)
                for column in self._columns(item):
                    insort(column, item.place)

    def _move_to_top(self, post: Post) -> None:
        """Give the post a place above all existing posts, and below the next one."""
        # A fraction sorts between two ids and never equals one, so the post keeps its own id.
        highest = max(self._next["t3"] - 1, max(self._released, default=0))
        post.released = Fraction(highest + self._next["t3"]) / 2
        self._released[post.released] = post

    def edit(self, fullname: str, text: str) -> None:
        """Change a post's selftext or a comment's body. Titles cannot be edited on Reddit."""
        with self.lock:
            item = self.get(fullname)
            item.text = text
            item.edited = self._stamp(None)

    def delete_account(self, author: str) -> None:
        """Remove an author's name (in any case) from all items; the texts stay."""
        with self.lock:
            for items in self._items.values():
                for item in items.values():
                    if item.author.lower() == author.lower():
                        item.orphaned = True

    def vanish(self, fullname: str) -> None:
        """Erase an item without a trace, even from api/info."""
        with self.lock:
            item = self.get(fullname)
            self.take_away(fullname, "filter")
            del self._items[kind_of_item(item)][item.number]
            self._released.pop(item.place, None)

    def get(self, fullname: str) -> Item:
        """Return an item, visible or not. Raises KeyError if it does not exist."""
        parsed = parse_fullname(fullname)
        with self.lock:
            item = self.find(*parsed) or self._unseen.get(parsed[0], {}).get(parsed[1]) if parsed else None
        if item is None:
            raise KeyError(f"no post or comment is called {fullname}")
        return item

    def find(self, kind: str, number: int) -> Item | None:
        """Return an item by its parsed fullname; None if it is missing or of another kind than t1 and t3."""
        items = self._items.get(kind)
        return items.get(number) if items is not None else None

    def at(self, kind: Kind, place: Place) -> Item | None:
        """Return the item at this place in the listings."""
        return self._released.get(place) if isinstance(place, Fraction) else self._items[kind].get(place)

    def subreddit(self, name: str) -> Subreddit:
        """Return a subreddit by its name, in any case; create it if it is new."""
        if not SUBREDDIT_NAME.fullmatch(name) or name.lower() == "all":
            raise ValueError(f"{name!r} cannot be a subreddit's name: 3 to 21 of A-Z a-z 0-9 _, not 'all'")
        with self.lock:
            if name.lower() not in self.subreddits:
                self._homes += 1  # arbitrary: nothing is sorted by it
                number = 0x200000 + self._homes
                self.subreddits[name.lower()] = Subreddit(name, number, "public", self._stamp(None))
            return self.subreddits[name.lower()]

    def numbered(self, number: int) -> list[Subreddit]:
        """Return the subreddit of this number, if there is one."""
        return [home for home in self.subreddits.values() if home.number == number]

    def rename(self, name: str, new: str) -> None:
        """Give a subreddit another name; its number and its items stay. Raises ValueError if that name is taken."""
        with self.lock:
            if new.lower() in self.subreddits or not SUBREDDIT_NAME.fullmatch(new):
                raise ValueError(f"{new!r} is taken, or cannot be a subreddit's name")
            home = self.subreddits.pop(name.lower())
            home.name = new
            self.subreddits[new.lower()] = home

    def set_state(self, name: str, state: State) -> None:
        """Set a subreddit's state; create it if it is new. Only public ones are in r/all."""
        if state not in STATES:
            raise ValueError(f"{state!r} is not a state of a subreddit: {', '.join(STATES)}")
        with self.lock:
            self.subreddit(name).state = state
            public = [subreddit for subreddit in self.subreddits.values() if subreddit.state == "public"]
            for kind in self.all:
                self.all[kind] = sorted(place for home in public for place in home.listed[kind])

    def _add(self, item: Item, held: bool) -> str:
        kind = kind_of_item(item)
        if self._holes.late and self._chance.random() < self._holes.late:
            self._unseen[kind][item.number] = item
            at = self._clock() + self._chance.uniform(0, self._holes.seconds)
            heapq.heappush(self._appearing, (at, kind, item.number))
            return item.fullname
        self._items[kind][item.number] = item
        if held:
            item.gone = "filter"
            self._held.add(item.number)
        else:
            for column in self._columns(item):
                column.append(item.place)
        if self._keep is not None and len(self._items[kind]) > self._keep:
            self._discard_oldest(kind)
        return item.fullname

    def _discard_oldest(self, kind: Kind) -> None:
        # Numbers increase, so the first key of the dict is the oldest.
        oldest = self._items[kind].pop(next(iter(self._items[kind])))
        self._released.pop(oldest.place, None)
        self._held.discard(oldest.number)
        for column in self._columns(oldest):
            at = bisect_left(column, oldest.place)
            if column[at : at + 1] == [oldest.place]:
                del column[at]

    def _columns(self, item: Item) -> list[list[Place]]:
        kind = kind_of_item(item)
        columns = [item.subreddit.listed[kind]]
        return [*columns, self.all[kind]] if item.subreddit.state == "public" else columns

    def settle(self) -> None:
        """Let those items appear at their places whose time has come."""
        with self.lock:
            while self._appearing and self._appearing[0][0] <= self._clock():
                _, kind, number = heapq.heappop(self._appearing)
                item = self._items[kind][number] = self._unseen[kind].pop(number)
                for column in self._columns(item):
                    insort(column, item.place)

    def skip_numbers(self, kind: Kind, count: int) -> int:
        """Let the numbers of new items jump; return the first that is left out."""
        with self.lock:
            first = self._next[kind]
            self._next[kind] += count
            return first

    def _take_number(self, kind: Kind) -> int:
        while self._holes.share and self._chance.random() < self._holes.share:
            self._next[kind] += 1
        number = self._next[kind]
        self._next[kind] = number + 1
        return number

    def _stamp(self, moment: float | None) -> float:
        # Reddit sends whole seconds as floats.
        return float(math.floor(self._clock() if moment is None else moment))
