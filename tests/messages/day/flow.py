"""A day's items: the posts and comments of OVERHEARD_CORPUS, spread over 24 hours as people write them."""

from __future__ import annotations

import gzip
import json
import math
import random
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

from overheard.items import Item

DAY_SECONDS = 86_400.0
SEED = 20_261_127
# Every so many-th post is another source's, as a workspace watches several.
ELSEWHERE = (
    ("hackernews", "all", "https://news.ycombinator.com/item?id={id}"),
    ("mastodon", "fosstodon.org", "https://fosstodon.org/@{author}/{id}"),
    ("stackexchange", "serverfault.com", "https://serverfault.com/q/{id}"),
    ("bluesky", "all", "https://bsky.app/profile/{author}/post/{id}"),
    ("feeds", "https://planet.example/linux/feed.xml", "https://planet.example/linux/{id}"),
)
POSTS_PER_OTHER_SOURCE = 12
REPOSTED_LATER_SECONDS = 3 * 3600.0  # every so many-th link is posted again elsewhere, as good links are
POSTS_PER_REPOST = 40
NAMES = ("late_night_sysop", "kettle42", "Ana-Maria", "quiet.fox", "tabs_or_spaces", "mr_uptime", "Øyvind", "jdoe")


def day_of_items(corpus: Path, start: float) -> list[Item]:
    """Return the items of the day that begins at ``start``, the oldest first."""
    dice = random.Random(SEED)
    posts = [_post(row, number, start, dice) for number, row in enumerate(_rows(corpus / "posts.jsonl.gz"))]
    again = [_reposted(post, dice) for post in posts[::POSTS_PER_REPOST] if post.url]
    comments = [_comment(row, posts, start, dice) for row in _rows(corpus / "comments.jsonl.gz")]
    items = [item for item in (*posts, *again, *comments) if item.created_at < start + DAY_SECONDS]
    return sorted(items, key=lambda item: item.created_at)


def _rows(path: Path) -> Iterator[Any]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _moment(start: float, dice: random.Random) -> float:
    """Return a time of the day; twice as much is written in its afternoon as in its early morning (UTC)."""
    while True:
        part = dice.random()
        if dice.random() < (1.5 - 0.5 * math.cos(2 * math.pi * (part - 0.15))) / 2:
            return start + part * DAY_SECONDS


def _post(row: Any, number: int, start: float, dice: random.Random) -> Item:
    at, author = _moment(start, dice), dice.choice(NAMES)
    item = Item(
        source="reddit", id=row["name"], kind="post", place=row["subreddit"], author=author,
        title=unescape(row["title"]), body=unescape(row["selftext"]),
        url="" if row["is_self"] else unescape(row["url"]), permalink=row["permalink"], thread=row["name"],
        created_at=at,
    )  # fmt: skip
    if number % POSTS_PER_OTHER_SOURCE:
        return item
    return _moved(item, number // POSTS_PER_OTHER_SOURCE)


def _moved(item: Item, number: int) -> Item:
    source, place, permalink = ELSEWHERE[number % len(ELSEWHERE)]
    id, author = str(40_000_000 + number), item.author or ""
    return Item(
        source=source, id=id, kind="post", place=place, author=author, title=item.title, body=item.body, url=item.url,
        permalink=permalink.format(id=id, author=author), thread=id, created_at=item.created_at,
    )  # fmt: skip


def _reposted(post: Item, dice: random.Random) -> Item:
    id = f"t3_again{post.id.removeprefix('t3_')}"
    return Item(
        source="reddit", id=id, kind="post", place="hackernews_mirror", author=dice.choice(NAMES), title=post.title,
        url=f"{post.url}{'&' if '?' in post.url else '?'}utm_source=share", thread=id,
        permalink=f"/r/hackernews_mirror/comments/{id}/again/",
        created_at=post.created_at + dice.random() * REPOSTED_LATER_SECONDS,
    )  # fmt: skip


def _comment(row: Any, posts: list[Item], start: float, dice: random.Random) -> Item:
    post = dice.choice(posts)
    while post.source != "reddit":
        post = dice.choice(posts)
    at = max(_moment(start, dice), post.created_at)
    return Item(
        source="reddit", id=f"t1_{row['id']}", kind="comment", place=post.place, author=dice.choice(NAMES),
        body=unescape(row["body"]), permalink=f"{post.permalink}{row['id']}/", thread=post.id, thread_title=post.title,
        created_at=at,
    )  # fmt: skip
