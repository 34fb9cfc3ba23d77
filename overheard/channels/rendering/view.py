"""What a message shows of a mention, before it is written in a medium's own language.

Every text here is a stranger's or may contain one's words: each medium escapes it in its own way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from overheard.channels.rendering.excerpt import Fragment, excerpt
from overheard.channels.rendering.newest import newest_of_each_query
from overheard.channels.rendering.places import shown_place
from overheard.channels.rendering.readable import readable
from overheard.channels.rendering.sanitize import isolated, one_line
from overheard.channels.rendering.web_links import web_link
from overheard.notices import Notice, PublicMention
from overheard.sources.registry import byline

ADDRESS = re.compile(r"[^\s()<>\[\]\"']+")
SCHEME = re.compile(r"https?://(?:www\.)?", re.IGNORECASE)
REDDIT = "https://www.reddit.com"  # whose permalinks are paths
TITLE_MAX_CHARS = 200
EXCERPT_CHARS = 320  # chosen by eye, not measured
ADDRESS_MAX_CHARS = 80  # of an address in which a hit is
NAME_MAX_CHARS = 80  # of a place or an author
QUERIES_MAX_CHARS = 120  # of the names of all queries together


class MentionView(msgspec.Struct, frozen=True):
    """A mention for people. ``link`` is a plain web address that any medium may link to; None if there is none.

    ``title`` is a comment's thread's. ``age``: ``5 min``; ``time``: ``14:05``, with the date if it is another day's, in
    the workspace's zone. ``also``: (place, link) of other items that link to the same address.
    """

    kind: str
    title: list[Fragment]
    excerpt: list[Fragment]
    link: str | None
    place: str
    author: str
    queries: str
    age: str
    time: str
    also: tuple[tuple[str, str | None], ...] = ()

    @property
    def heading(self) -> list[Fragment]:
        """Return the title, which a comment answers to; of an item without one, what it is. Never empty."""
        if not self.title:
            return [Fragment(f"{self.kind.capitalize()} by {self.author}", False)]
        return [Fragment("Re: ", False), *self.title] if self.kind == "comment" else self.title

    @property
    def context(self) -> tuple[str, ...]:
        """Return where, by whom, when, and the queries that found it, for one line."""
        return tuple(filter(None, (self.place, self.author, f"{self.age} ago, {self.time}", self.queries)))


def mention_view(
    mention: PublicMention,
    timezone: str,
    now: float,
    *,
    width: int = EXCERPT_CHARS,
    also: tuple[PublicMention, ...] = (),
) -> MentionView:
    """Return what is shown of a mention. ``width``: the most characters of its excerpt; ``now``: since the epoch."""
    created = datetime.fromisoformat(mention.created_at)
    return MentionView(
        kind=mention.kind,
        title=_title(mention),
        excerpt=_excerpt(mention, width),
        link=link_of(mention),
        place=_place(mention),
        author=isolated(one_line(byline(mention.source, mention.author), NAME_MAX_CHARS)),
        queries=names_text(mention.queries, QUERIES_MAX_CHARS),
        age=age_text(now - created.timestamp()),
        time=local_time(created, timezone, now),
        also=tuple((_place(other), link_of(other)) for other in also),
    )


def views_of(notice: Notice, now: float, *, most: int, width: int = EXCERPT_CHARS) -> list[MentionView]:
    """Return the views of the newest ``most`` mentions of a notice, newest first; of a single mention, one view.

    A summary shows each query's newest before the second newest of another one.
    """
    if notice.type == "mention.created":
        first, *others = notice.mentions
        return [mention_view(first, notice.timezone, now, width=width, also=tuple(others))]
    newest = newest_of_each_query(notice.mentions, most)
    return [mention_view(mention, notice.timezone, now, width=width) for mention in newest]


def link_of(mention: PublicMention) -> str | None:
    """Return the address of an item's discussion, None if it is not a web address."""
    return web_link(REDDIT + mention.permalink if mention.permalink.startswith("/") else mention.permalink)


def names_text(names: Sequence[str], limit: int) -> str:
    """Return the names with commas between them; of more than ``limit`` characters, the first, and how many more."""
    shown = [one_line(name, NAME_MAX_CHARS) for name in names]
    count = len(shown)
    while count > 1 and len(", ".join(shown[:count])) > limit:
        count -= 1
    more = f" and {len(names) - count} more" if count < len(names) else ""
    return ", ".join(shown[:count]) + more


def age_text(seconds: float) -> str:
    """Return an age in one unit: ``4 s``, ``12 min``, ``3 h``, ``2 d``. Less than a second is one, as is the future."""
    for unit, least, size in (("d", 172_800, 86_400), ("h", 7200, 3600), ("min", 60, 60)):
        if seconds >= least:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(int(seconds), 1)} s"


def local_time(moment: datetime, timezone: str, now: float) -> str:
    """Return ``14:05``, or ``26 Nov 14:05`` if that was another day, in the zone."""
    zone = ZoneInfo(timezone)
    local, today = moment.astimezone(zone), datetime.fromtimestamp(now, UTC).astimezone(zone).date()
    clock = f"{local:%H:%M}"
    return clock if local.date() == today else f"{local.day} {local:%b} {clock}"


def _spans(mention: PublicMention, field: str) -> list[tuple[int, int]]:
    return [(start, end) for name, start, end in mention.shown_highlights if name == field]


def _place(mention: PublicMention) -> str:
    return isolated(one_line(shown_place(mention.source, mention.place), NAME_MAX_CHARS))


def _title(mention: PublicMention) -> list[Fragment]:
    return excerpt(*readable(mention.title, _spans(mention, "title")), TITLE_MAX_CHARS)


def _excerpt(mention: PublicMention, width: int) -> list[Fragment]:
    """Return the text around the hit; of the address, if nothing else says why it matched."""
    field = mention.excerpt_field
    text, spans = mention.text_of(field), _spans(mention, field)
    return _address(text, spans, width) if field == "url" else readable_excerpt(text, spans, width)


def readable_excerpt(text: str, spans: list[tuple[int, int]], width: int) -> list[Fragment]:
    """Return about ``width`` characters around the first hit, without markup."""
    shown, placed = readable(text, spans)
    if spans and not placed:
        return _excerpt_at_link(text, spans, width)
    return excerpt(shown, placed, width)


def _excerpt_at_link(text: str, spans: list[tuple[int, int]], width: int) -> list[Fragment]:
    """Return the text around a link's words, and the link's target, for a hit that is only in the target.

    A target that is not a link's of Markdown is shown as it is written there.
    """
    start, end = spans[0]
    target = next((each for each in ADDRESS.finditer(text) if each.start() <= start and end <= each.end()), None)
    words_end = target.start() - len("](") if target is not None else -1
    words = text.rfind("[", 0, max(words_end, 0)) + 1
    if target is None or not words or text[words_end : target.start()] != "](":
        return excerpt(text, spans, width)
    shown, placed = readable(text, [(words, words_end)])
    if not placed:
        return excerpt(text, spans, width)
    inside = [(left - target.start(), right - target.start()) for left, right in spans if left >= target.start()]
    address = _address(target.group(), inside, width // 2)
    around = excerpt(shown, placed, width - sum(len(fragment.text) for fragment in address))
    return [*around, Fragment(" (", False), *address, Fragment(")", False)]


def _address(text: str, spans: list[tuple[int, int]], width: int) -> list[Fragment]:
    """Return an address around the hit, without the scheme, which says nothing."""
    scheme = SCHEME.match(text)
    at = scheme.end() if scheme is not None and all(start >= scheme.end() for start, _ in spans) else 0
    return excerpt(text[at:], [(start - at, end - at) for start, end in spans], min(width, ADDRESS_MAX_CHARS))
