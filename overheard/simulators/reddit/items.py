"""The simulator's posts, comments and subreddits, and Reddit's base-36 names for them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

Kind = Literal["t1", "t3"]
State = Literal["public", "private", "banned", "quarantined", "missing"]
Gone = Literal["author", "moderator", "filter"]
Place = int | Fraction  # an item's sort key in listings: its number, unless it was released late

STATES: tuple[State, ...] = ("public", "private", "banned", "quarantined", "missing")
SUBREDDIT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{2,20}")
_FULLNAME = re.compile(r"(t[1-6])_([0-9a-z]{1,13})")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def base36(number: int) -> str:
    """Return a non-negative number in base 36, as in Reddit's ids: `base36(36)` is `"10"`."""
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if not number:
            return digits


def parse_fullname(name: str) -> tuple[str, int] | None:
    """Return ("t3", 36) for "t3_10"; None for anything that does not look like a fullname."""
    match = _FULLNAME.fullmatch(name)
    return (match[1], int(match[2], 36)) if match else None


@dataclass(slots=True)
class Subreddit:
    """A subreddit and the places of its visible items, lowest first, for each kind."""

    name: str
    number: int
    state: State
    created: float
    listed: dict[Kind, list[Place]] = field(default_factory=lambda: {"t1": [], "t3": []})

    @property
    def fullname(self) -> str:
        return f"t5_{base36(self.number)}"

    @property
    def is_profile(self) -> bool:
        """Return True for what a user posts on the own page, u_NAME."""
        return self.name.lower().startswith("u_")

    @property
    def is_shown(self) -> bool:
        """Return True if api/info knows it: private ones, too, but not those that were banned or never existed."""
        return self.state not in ("missing", "banned")


@dataclass(slots=True)
class Post:
    """A submission. `created` and `edited` are Unix seconds; `gone` is the actor that removed it, if any.

    `orphaned`: its author has deleted the account; the text stays, without a name. `captions`: of the pictures of a
    gallery; `options`: of a poll; `original`: the post that it crossposts.
    """

    number: int
    subreddit: Subreddit
    author: str
    title: str
    text: str
    url: str | None
    over_18: bool
    created: float
    edited: float | None = None
    gone: Gone | None = None
    comments: int = 0
    flair: str | None = None
    captions: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    original: Post | None = None
    orphaned: bool = False
    released: Fraction | None = None  # its place, if a filter held it at first

    @property
    def fullname(self) -> str:
        return f"t3_{base36(self.number)}"

    @property
    def place(self) -> Place:
        return self.number if self.released is None else self.released

    @property
    def permalink(self) -> str:
        slug = re.sub(r"[^a-z0-9]+", "_", self.title.lower()).strip("_")[:50].rstrip("_")
        return f"/r/{self.subreddit.name}/comments/{base36(self.number)}/{slug or '_'}/"


@dataclass(slots=True)
class Comment:
    """A comment on the post `link`, replying to `parent` (the fullname of the post or of a comment)."""

    number: int
    subreddit: Subreddit
    author: str
    text: str
    link: Post
    parent: str
    created: float
    edited: float | None = None
    gone: Gone | None = None
    orphaned: bool = False

    @property
    def fullname(self) -> str:
        return f"t1_{base36(self.number)}"

    @property
    def place(self) -> Place:
        return self.number

    @property
    def permalink(self) -> str:
        return f"{self.link.permalink}{base36(self.number)}/"


Item = Post | Comment


def kind_of(item: Item) -> Kind:
    return "t3" if isinstance(item, Post) else "t1"
