"""Parse Hacker News's JSON into items. Pure.

An answer that is not JSON (an error page, a truncated body) is a transient failure: RetryableError. JSON that is not an
item as documented is an ``UnreadableItem``: it costs only itself.
"""

from __future__ import annotations

import html

import msgspec

from overheard.decoding import converter, decode_json
from overheard.errors import RetryableError
from overheard.items import ALL, Item
from overheard.sources.hackernews.names import SOURCE, permalink
from overheard.sources.html_text import html_to_text
from overheard.sources.sanitize import is_storable_time, sanitized, web_address

NAME_MAX_CHARS = 100  # of an author; Hacker News allows 15
POSTS = ("story", "job", "poll")
PART = "pollopt"  # an option of a poll, which says little without the others


class HackerNewsItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item as ``/v0/item/N.json`` has it; ``kids``, ``parts`` and scores are not needed."""

    id: int
    type: str = ""
    by: str | None = None
    time: float | None = None
    text: str | None = None
    title: str | None = None
    url: str | None = None
    parent: int | None = None
    poll: int | None = None
    deleted: bool = False
    dead: bool = False

    @property
    def gone(self) -> bool:
        """Return True if its author has deleted it, or moderators, flags or filters have killed it."""
        return self.deleted or self.dead

    @property
    def above(self) -> int | None:
        """Return the number of the item that it belongs to; None for a story."""
        above = self.parent if self.parent is not None else self.poll
        # An item is younger than what it belongs to: anything else could make a circle.
        return above if above is not None and 0 < above < self.id else None


class UnreadableItem(msgspec.Struct, frozen=True):
    """JSON that is not an item; ``reason`` names fields and types, never values."""

    reason: str


class HackerNewsUpdates(msgspec.Struct, frozen=True):
    """What ``/v0/updates.json`` lists: items that were changed lately."""

    items: list[int] = []


Answer = HackerNewsItem | UnreadableItem | None  # None: there is no item of this number, or not yet

NOT_JSON = (ValueError, RecursionError)  # msgspec's and json's errors; and nested more deeply than either reads

_ITEM = msgspec.json.Decoder(HackerNewsItem | None)
_to_raw = converter(HackerNewsItem)
_NUMBER = msgspec.json.Decoder(int)
_UPDATES = msgspec.json.Decoder(HackerNewsUpdates)


def parse_item(body: bytes, number: int) -> Answer:
    """Return an item. Raises RetryableError when the answer is not JSON, or says nothing of this number."""
    item: HackerNewsItem | None
    try:
        item = _ITEM.decode(body)
    except NOT_JSON:
        return _unusual(body, number)
    if item is not None and item.id != number:
        raise RetryableError("its answer is another item")
    return item


def _unusual(body: bytes, number: int) -> Answer:
    try:
        decoded = decode_json(body)
    except ValueError:
        raise RetryableError("its answer is not JSON") from None
    if not isinstance(decoded, dict) or decoded.get("id") != number:
        raise RetryableError("its answer is not an item")  # an error of a proxy, for example
    try:
        return _to_raw(decoded)
    except msgspec.ValidationError as error:
        return UnreadableItem(str(error))
    except UnicodeError:
        return UnreadableItem("a text where a number belongs")


def parse_max_item(body: bytes) -> int:
    """Return the highest number. Raises RetryableError for anything else."""
    try:
        number = _NUMBER.decode(body)
    except NOT_JSON:
        raise RetryableError("its answer is not the number of an item") from None
    if not 0 <= number < 10**18:
        raise RetryableError("its answer is not the number of an item")
    return number


def parse_updates(body: bytes) -> list[int]:
    """Return the numbers of changed items. Raises RetryableError for anything else."""
    try:
        return [number for number in _UPDATES.decode(body).items if 0 < number < 10**18]
    except NOT_JSON:
        raise RetryableError("its answer is not a list of updates") from None


class ItemRoot(msgspec.Struct, frozen=True):
    """The story (or poll, or job) of a comment: the highest item known above it, and its title if it has one."""

    id: int | None
    title: str = ""


def to_item(raw: HackerNewsItem, root: ItemRoot) -> Item | UnreadableItem:
    """Return the item of a story, job, poll or comment that is not gone."""
    if raw.time is None or not is_storable_time(raw.time):
        return UnreadableItem("its `time` is not a time")
    number = str(raw.id)
    if raw.type == "comment":
        return Item(
            source=SOURCE,
            id=number,
            kind="comment",
            place=ALL,
            author=author_of(raw.by),
            body=html_to_text(raw.text or ""),
            permalink=permalink(number),
            thread=None if root.id is None else str(root.id),
            thread_title=root.title,
            created_at=raw.time,
        )
    if raw.type not in POSTS:
        return UnreadableItem("its `type` is unknown")
    return Item(
        source=SOURCE,
        id=number,
        kind="post",
        place=ALL,
        author=author_of(raw.by),
        title=title_of(raw.title),
        body=html_to_text(raw.text or ""),
        url=web_address(raw.url),
        permalink=permalink(number),
        thread=number,
        created_at=raw.time,
    )


def title_of(title: str | None) -> str:
    """Return a title, which is encoded for HTML but has no elements."""
    return " ".join(sanitized(html.unescape(sanitized(title or ""))).split())


def author_of(name: str | None) -> str | None:
    """Return the author's name; None without one."""
    return sanitized(name or "").strip()[:NAME_MAX_CHARS] or None
