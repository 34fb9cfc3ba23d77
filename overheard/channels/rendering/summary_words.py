"""Say what a summary of many mentions contains, in words: ``57 more mentions``, ``r/python 40, Hacker News 17``."""

from __future__ import annotations

from collections.abc import Sequence

from overheard.channels.rendering.places import shown_place
from overheard.channels.rendering.sanitize import isolated, one_line
from overheard.notices import Notice

COUNTS_MAX_NAMES = 6  # of places and of queries, the largest first
SUMMARY_MAX_MENTIONS = 5
COUNTED_NAME_MAX_CHARS = 60


def total_of(notice: Notice) -> int:
    """Return how many mentions a summary or digest has, whether they are shown or not."""
    return notice.totals.total if notice.totals is not None else len(notice.mentions) + notice.omitted


def summary_heading(notice: Notice) -> str:
    """Return the heading of a summary."""
    total = total_of(notice)
    return f"{total:,} more {_plural('mention', total)}"


def counts_texts(notice: Notice) -> list[str]:
    """Return how many mentions each place, and each query, has; nothing if all of them are shown, with both."""
    if total_of(notice) <= min(len(notice.mentions), SUMMARY_MAX_MENTIONS):
        return []
    return list(filter(None, (places_text(notice), queries_text(notice))))


def places_text(notice: Notice) -> str:
    """Return how many mentions each place has; empty if that is not known."""
    places = notice.totals.by_place if notice.totals is not None else ()
    return counts_text([(shown_place(each.source, each.place), each.count) for each in places], "place")


def queries_text(notice: Notice) -> str:
    """Return how many mentions each query has; empty for a single query, which every mention names."""
    queries = notice.totals.by_query if notice.totals is not None else {}
    return counts_text(list(queries.items()), "query") if len(queries) > 1 else ""


def counts_text(counts: Sequence[tuple[str, int]], noun: str) -> str:
    """Return names with their counts, the first ones, and how many more there are of what ``noun`` calls them."""
    shown = [f"{_short(name)} {count:,}" for name, count in counts[:COUNTS_MAX_NAMES]]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more {_plural(noun, more)}" if more else "")


def more_text(count: int) -> str:
    """Return ``and 52 more``."""
    return f"and {count:,} more"


def unshown_text(count: int) -> str:
    """Return how many mentions of a digest no row shows, of all its queries."""
    return f"{count:,} {_plural('mention', count)} in all {'is' if count == 1 else 'are'} counted above and not shown"


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def _short(name: str) -> str:
    return isolated(one_line(name, COUNTED_NAME_MAX_CHARS))
