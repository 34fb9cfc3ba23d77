"""The bounds of a gap of Reddit: whatever is missing has a number between them, with their margins."""

from __future__ import annotations

import random
from typing import NamedTuple

import pytest

from overheard.items import Item, ItemKind
from overheard.reading.numbers import HOLE
from overheard.sources import Page, ReadRequest
from overheard.sources.reddit.gap_numbers import APPROVED_LATE_MAX_NUMBERS, NEIGHBOURS_NUMBERS, gap_numbers
from overheard.sources.reddit.listing_reader import BOUND_ITEMS, ListingReader
from overheard.sources.reddit.names import number_of, numbered

PAGE, DEPTH = 100, 1000
SITE_POSTS = 18  # a second, of which one is in the feed
HELD_SECONDS = (60, 600)


class Listed(NamedTuple):
    """A post, and when it is listed; ``number``: its own."""

    at: float
    number: int


def posts(chance: random.Random, late: float, since: float, until: float) -> list[Listed]:
    """Return the posts of a feed in this time, as they are listed, the newest first."""
    listed = []
    for second in range(int(since), int(until)):
        held = chance.uniform(*HELD_SECONDS) if chance.random() < late else 0.0
        # Neighbours may change places.
        listed.append(Listed(second + held + chance.uniform(0, 3), 1_000_000 + second * SITE_POSTS))
    return sorted(listed, reverse=True)


def read(listing: list[Listed], now: float, cursor: str | None) -> tuple[set[int], Page]:
    """Read the feed at a time, back to the cursor; return the numbers that were read, and the last page."""
    shown = [post for post in listing if post.at <= now][:DEPTH]
    position, found = None, set[int]()
    while True:
        reader = ListingReader(
            ReadRequest(kind="posts", places=("python",), cursor=cursor, position=position, since=0.0),
            page_size=PAGE,
            depth=DEPTH,
        )
        names = [numbered("post", post.number) for post in shown]
        start = names.index(reader.after) + 1 if reader.after else 0
        items = [item(post) for post in shown[start : start + PAGE]]
        page = reader.take(items, items[-1].id if start + PAGE < len(shown) else None)
        found |= {number_of(each.id) or 0 for each in page.items}
        position = page.position
        if page.complete or position is None:
            return found, page


def item(post: Listed) -> Item:
    name = numbered("post", post.number)
    created_at = (post.number - 1_000_000) / SITE_POSTS
    return Item(source="reddit", id=name, kind="post", place="python", created_at=float(int(created_at)))


@pytest.mark.parametrize("late", [0.0, 0.05, 0.3])
def test_what_is_missing_lies_between_them(late: float) -> None:
    for seed in range(5):
        chance = random.Random(seed)
        listing = posts(chance, late, 0, 12_000)
        before, first = read(listing, 3000.0, None)
        after, second = read(listing, 11_000.0, first.cursor)
        assert second.unread is not None
        assert second.unread.since is not None
        assert second.unread.until is not None
        numbers = gap_numbers(second.unread.reason, *(name for name, _ in (second.unread.since, second.unread.until)))
        assert numbers is not None
        low, high = numbers
        # What was listed before the first reading was not missed: that one is as deep as Reddit lists.
        missing = {post.number for post in listing if 3000.0 < post.at <= 11_000.0} - before - after
        count, lowest, highest = len(missing), min(missing), max(missing)
        assert count > 6000
        assert low <= lowest
        assert highest <= high


def test_posts_approved_together_are_no_bounds() -> None:
    """A moderator empties the queue: old posts at the top of one reading, and at the lower end of the next."""
    listing = posts(random.Random(1), 0.0, 0, 12_000)
    queue = [Listed(3000.0 - number / 100, 500 + number) for number in range(BOUND_ITEMS - 1)]
    before, first = read(sorted([*listing, *queue], reverse=True), 3000.0, None)
    last_shown = [post for post in listing if post.at <= 11_000.0][DEPTH - BOUND_ITEMS]
    queue += [Listed(last_shown.at - number / 1e6, 700 + number) for number in range(1, BOUND_ITEMS)]
    after, second = read(sorted([*listing, *queue], reverse=True), 11_000.0, first.cursor)
    assert {each.number for each in queue} <= before | after
    assert second.unread is not None
    assert second.unread.since is not None
    assert second.unread.until is not None
    newest, oldest = (number_of(name) for name, _ in (second.unread.since, second.unread.until))
    assert newest == max(before)
    assert oldest is not None
    assert last_shown.number <= oldest < last_shown.number + 10 * SITE_POSTS


def numbers_between(kind: ItemKind, since: int, until: int, reason: str = "horizon") -> tuple[int, int] | None:
    return gap_numbers(reason, numbered(kind, since), numbered(kind, until))


def test_the_margin_for_posts_that_were_approved_late_grows_with_the_gap() -> None:
    near, far = NEIGHBOURS_NUMBERS, APPROVED_LATE_MAX_NUMBERS
    assert numbers_between("post", 100_000, 100_100) == (100_000 - near, 100_100 + near)
    assert numbers_between("post", 100_000, 103_000) == (97_000, 103_000 + near)
    assert numbers_between("post", 100_000, 300_000) == (100_000 - far, 300_000 + near)
    assert numbers_between("post", 100, 50) == (0, 100 + near), "bounds out of order lie between their margins, too"
    assert numbers_between("post", 100, 50, HOLE) == (50, 100)


def test_comments_that_were_approved_late_are_in_no_gap() -> None:
    """They enter at their own old place, so a reading that stops above it misses none that it would have read."""
    assert numbers_between("comment", 100_000, 300_000) == (100_000 - NEIGHBOURS_NUMBERS, 300_000 + NEIGHBOURS_NUMBERS)
