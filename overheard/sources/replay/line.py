"""A line of a replayed file: an item in our own format or that of Reddit's dumps, or a deletion. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from overheard.items import Item, ItemKind
from overheard.sources.jsonl_files import MatchableLine
from overheard.sources.reddit import names as reddit
from overheard.sources.sanitize import is_storable_time, language_tag, sanitized

SOURCE = "replay"
ID_MAX_CHARS = 200
NAME_MAX_CHARS = 100  # of a place or an author
LINK_MAX_CHARS = 4096


class InvalidLine(ValueError):
    """The line is not a valid item. The message is safe to log: it contains nothing of the line."""


class ReplayLine(MatchableLine):
    """The fields of a line that are used. ``gone`` is the id of a deleted item; other fields of that line are ignored.

    An item has an id (``item``, ``name`` or ``id``), a place (``place`` or ``subreddit``), and the same text fields as
    a line for ``overheard query test``. Its time (``created_at`` or ``created_utc``) is in seconds since the epoch, or
    ISO 8601; an item without one appears as soon as it is read. In Reddit's dumps ``id`` lacks the kind, ``link_id`` is
    the thread, ``permalink`` is a path, ``url`` a text post's own page, and ``over_18`` what we call ``nsfw``.
    """

    gone: str | None = None
    id: str | None = None
    permalink: str | None = None
    created_at: float | str | None = None
    created_utc: float | str | None = None
    edited_at: float | None = None
    thread: str | None = None
    link_id: str | None = None

    def to_item(self) -> Item:
        """Return the item, with time 0 if the line has none. Raises InvalidLine."""
        kind, title = self.item_kind, sanitized(self.title or "")
        item_id = _bounded("id", self._id(kind), ID_MAX_CHARS)
        comment = kind == "comment"
        author = sanitized(self.author or "")[:NAME_MAX_CHARS]
        permalink = _link("permalink", self.permalink)
        url = _link("url", self.url)
        texts = {sanitized(name): sanitized(text) for name, text in self.further_texts.items()}
        return Item(
            source=SOURCE,
            id=item_id,
            kind=kind,
            place=_bounded("place", self.place or self.subreddit or "", NAME_MAX_CHARS),
            author=None if author in ("", "[deleted]") else author,
            title="" if comment else title,
            body=sanitized("\n".join(filter(None, (self.selftext, self.body)))),
            url="" if self.is_self or url == permalink else reddit.link_of(url, item_id),
            permalink=permalink,
            thread=self._thread() if comment else item_id,
            thread_title=sanitized(self.thread_title or self.link_title or title) if comment else "",
            texts=reddit.flair_texts(self.link_flair_text) | texts,
            lang=language_tag(self.lang),
            nsfw=bool(self.nsfw or self.over_18),
            created_at=_time(self.created_at if self.created_at is not None else self.created_utc),
            edited_at=None if self.edited_at is None else _time(self.edited_at),
        )

    def _thread(self) -> str | None:
        thread = self.thread or self.link_id
        return _bounded("thread", thread, ID_MAX_CHARS) if thread else None

    def _id(self, kind: ItemKind) -> str:
        if self.item or self.name or not self.id:
            return self.item or self.name or ""
        from_dump = self.kind is None and self.place is None  # dumps have neither field
        return reddit.fullname(kind, self.id) if from_dump else self.id


_decoder = msgspec.json.Decoder(ReplayLine)


def decode(raw: bytes) -> ReplayLine:
    """Decode a line. Raises InvalidLine."""
    try:
        line = _decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidLine("a text is not Unicode" if isinstance(error, UnicodeError) else str(error)) from None
    if line.gone is not None:
        _bounded("gone", line.gone, ID_MAX_CHARS)
    return line


def _bounded(what: str, text: str, max_chars: int) -> str:
    if not 0 < len(text) <= max_chars or sanitized(text) != text:
        raise InvalidLine(f"its {what} is missing, longer than {max_chars} characters, or not Unicode")
    return text


def _link(what: str, text: str | None) -> str:
    if not text:
        return ""
    link = f"{reddit.SITE}{text}" if text.startswith("/") else text
    if len(link) > LINK_MAX_CHARS or not link.startswith(("http://", "https://")):
        raise InvalidLine(f"its {what} is not a link of at most {LINK_MAX_CHARS:,} characters")
    return sanitized(link)


def _time(value: float | str | None) -> float:
    if value is None:
        return 0.0
    try:
        seconds = float(value)
    except ValueError:
        seconds = _iso_seconds(str(value))
    if not is_storable_time(seconds):
        raise InvalidLine("its time is not a time")
    return seconds


def _iso_seconds(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
