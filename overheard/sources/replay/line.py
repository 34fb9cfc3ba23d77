"""A line of a file that is replayed: an item in our own form, or in that of Reddit's dumps; or a deletion. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from overheard.items import Item, ItemKind
from overheard.sources.jsonl_files import MatchableLine
from overheard.sources.reddit import names as reddit
from overheard.sources.sanitize import sanitized

SOURCE = "replay"
ID_MAX_CHARS = 200
NAME_MAX_CHARS = 100  # of a place, an author
LINK_MAX_CHARS = 4096
MAX_EPOCH_SECONDS = 253_402_300_800.0  # the year 10000: what no database and no datetime can hold


class InvalidLine(ValueError):
    """The line is not an item; the text says what is wrong, and holds none of the line's."""


class ReplayLine(MatchableLine):
    """What of a line counts. ``gone`` is the id of an item that was deleted; such a line has nothing else.

    An item has an id (``item``, ``name`` or ``id``), a place (``place`` or ``subreddit``), and texts as a line for
    ``overheard query test`` has them. Times (``created_at`` or ``created_utc``) are seconds since the epoch, or ISO
    8601; without one it comes as soon as it is read. In Reddit's dumps ``id`` is without its kind, ``link_id`` is the
    thread, and ``permalink`` is a path.
    """

    gone: str | None = None
    id: str | None = None
    place: str | None = None
    author: str | None = None
    url: str | None = None
    permalink: str | None = None
    created_at: float | str | None = None
    created_utc: float | str | None = None
    edited_at: float | None = None
    thread: str | None = None
    link_id: str | None = None
    thread_title: str | None = None
    link_title: str | None = None
    texts: dict[str, str] | None = None

    def to_item(self) -> Item:
        """Return the item; its time is 0 where the line has none. Raises Wrong."""
        kind, title = self.item_kind, sanitized(self.title or "")
        item_id = _bounded("id", self._id(kind), ID_MAX_CHARS)
        comment = kind == "comment"
        author = sanitized(self.author or "")[:NAME_MAX_CHARS]
        permalink = _link("permalink", self.permalink)
        return Item(
            source=SOURCE,
            id=item_id,
            kind=kind,
            place=_bounded("place", self.place or self.subreddit or "", NAME_MAX_CHARS),
            author=None if author in ("", "[deleted]") else author,
            title="" if comment else title,
            body=sanitized("\n".join(filter(None, (self.selftext, self.body)))),
            url=_link("url", self.url),
            permalink=permalink,
            thread=self._thread() if comment else item_id,
            thread_title=sanitized(self.thread_title or self.link_title or title) if comment else "",
            texts={sanitized(name): sanitized(text) for name, text in (self.texts or {}).items()},
            created_at=_time(self.created_at if self.created_at is not None else self.created_utc),
            edited_at=None if self.edited_at is None else _time(self.edited_at),
        )

    def _thread(self) -> str | None:
        thread = self.thread or self.link_id
        return _bounded("thread", thread, ID_MAX_CHARS) if thread else None

    def _id(self, kind: ItemKind) -> str:
        if self.item or self.name or not self.id:
            return self.item or self.name or ""
        of_a_dump = self.kind is None and self.place is None
        return reddit.fullname(kind, self.id) if of_a_dump else self.id


_decoder = msgspec.json.Decoder(ReplayLine)


def decode(raw: bytes) -> ReplayLine:
    """Return a line's object. Raises Wrong."""
    try:
        line = _decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidLine("a text is not Unicode" if isinstance(error, UnicodeError) else str(error)) from None
    if line.gone is not None:
        _bounded("gone", line.gone, ID_MAX_CHARS)
    return line


def _bounded(what: str, text: str, longest: int) -> str:
    if not 0 < len(text) <= longest or sanitized(text) != text:
        raise InvalidLine(f"its {what} is missing, longer than {longest} characters, or not Unicode")
    return text


def _link(what: str, text: str | None) -> str:
    if not text:
        return ""
    link = f"{reddit.SITE}{text}" if text.startswith("/") else text
    if len(link) > LINK_MAX_CHARS or not link.startswith(("http://", "https://")):
        raise InvalidLine(f"its {what} is not a link of at most {LINK_MAX_CHARS:,} characters")
    return sanitized(link)


def _time(given: float | str | None) -> float:
    if given is None:
        return 0.0
    try:
        seconds = float(given)
    except ValueError:
        seconds = _moment(str(given))
    if not 0 < seconds < MAX_EPOCH_SECONDS:  # nor NaN
        raise InvalidLine("its time is not one")
    return seconds


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
