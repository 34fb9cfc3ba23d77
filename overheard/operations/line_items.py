"""An item of a line of JSON, as ``overheard query test`` matches it, and the way back from its fields to the line.

A line becomes an item so that every part of the language works as it does live.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from overheard.items import Item
from overheard.matching.item.document import merged
from overheard.matching.item.leaf_finder import Highlight
from overheard.sources.jsonl_files import MatchableLine
from overheard.sources.sanitize import language_tag

PARAGRAPH = "\n\n"  # between selftext and body, of a line that has both
THREAD_KEYS = ("thread_title", "link_title", "title")

# Start and end in a field of the item, and the key of the line, or of its further texts, whose text that is.
Part = tuple[int, int, str]


class LineItem(msgspec.Struct):
    """The item that a line describes, and where each of its fields comes from."""

    item: Item
    parts: dict[str, tuple[Part, ...]]

    def in_the_line(self, highlights: Iterable[Highlight]) -> tuple[Highlight, ...]:
        """Return highlights in the line's keys and positions. One that runs from one text into the next ends there."""
        return merged([each for highlight in highlights for each in self._in_the_line(highlight)])

    def keys(self, *fields: str) -> list[str]:
        """Return the keys of the line that these fields come from."""
        return [key for field in fields for _, _, key in self.parts[field]]

    def _in_the_line(self, highlight: Highlight) -> Iterator[Highlight]:
        field, start, end = highlight
        for first, last, key in self.parts.get(field, ()):
            if first <= start < last:
                yield key, start - first, min(end, last) - first


def item_of(line: MatchableLine) -> LineItem:
    """Return the item that a line describes. A comment's ``title`` is that of its thread."""
    comment = line.item_kind == "comment"
    thread_key = next((key for key in THREAD_KEYS if getattr(line, key)), "title") if comment else "title"
    thread_title: str = getattr(line, thread_key) or ""
    title = "" if comment else thread_title
    body, body_parts = _body(line)
    # Reddit gives a text post its own address, with the words of its title.
    url = "" if line.is_self else line.url or ""
    further = line.further_texts
    flair_key = "link_flair_text" if line.link_flair_text else "flair"
    flair = line.link_flair_text or further.get("flair", "")
    source, place = line.where
    item = Item(
        source=source,
        id="",
        kind=line.item_kind,
        place=place,
        author=line.author,
        title=title,
        body=body,
        url=url,
        thread_title=thread_title if comment else "",
        texts=further | ({"flair": flair} if flair else {}),
        lang=language_tag(line.lang),
        nsfw=bool(line.nsfw or line.over_18),
        created_at=0.0,
    )
    parts = {
        **{name: _whole(text, name) for name, text in further.items()},
        "title": _whole(title, "title"),
        "body": body_parts,
        "url": _whole(url, "url"),
        "thread": _whole(thread_title, thread_key),
        "flair": _whole(flair, flair_key),
    }
    return LineItem(item, parts)


def _body(line: MatchableLine) -> tuple[str, tuple[Part, ...]]:
    body, parts = "", []
    for key in ("selftext", "body"):
        text: str = getattr(line, key) or ""
        if text:
            body += PARAGRAPH if body else ""
            parts.append((len(body), len(body) + len(text), key))
            body += text
    return body, tuple(parts)


def _whole(text: str, key: str) -> tuple[Part, ...]:
    return ((0, len(text), key),) if text else ()
