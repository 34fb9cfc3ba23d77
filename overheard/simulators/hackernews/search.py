"""Algolia's `/api/v1/search_by_date`: the items that match a query, the newest first, at most 1,000 in all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from operator import ge, gt, le, lt
from typing import Any

from .content import SimulatedItem, as_html, encoded

MAX_HITS = 1000
_FILTER = re.compile(r"(created_at_i|points|num_comments)(>=|<=|>|<|=)(\d+)")
_COMPARE: Mapping[str, Callable[[int, int], bool]] = {">=": ge, "<=": le, ">": gt, "<": lt, "=": int.__eq__}
_KNOWN = {"query", "tags", "numericFilters", "page", "hitsPerPage"}
_TAG = re.compile(r"story|comment|poll|pollopt|job|show_hn|ask_hn|front_page|author_[\w-]+|story_\d+")


class InvalidSearch(ValueError):
    """A parameter that Algolia refuses."""


def search(
    items: Iterable[SimulatedItem], story_of: Callable[[SimulatedItem], SimulatedItem | None], query: Mapping[str, str]
) -> dict[str, Any]:
    """Return the answer to a query. Raises InvalidSearch."""
    if unknown := query.keys() - _KNOWN:
        raise InvalidSearch(f"Unknown parameter: {', '.join(sorted(unknown))}")
    size = _number(query, "hitsPerPage", 20)
    page = _number(query, "page", 0)
    tags = [_alternatives(part) for part in _tags(query.get("tags", ""))]
    filters = [_filter(part) for part in query.get("numericFilters", "").split(",") if part]
    words = query.get("query", "").lower().split()
    found = [
        (item, story)
        for item in items
        if not item.deleted
        and not item.dead
        and all(compare(item.time, bound) for compare, bound in filters)
        and all(alternatives & _tags_of(item, story_of(item)) for alternatives in tags)
        and _has(item, words)
        for story in [story_of(item)]
    ]
    found.sort(key=lambda pair: (-pair[0].time, -pair[0].number))
    size = min(size, MAX_HITS)
    shown = found[:MAX_HITS][page * size : (page + 1) * size]
    return {
        "hits": [_hit(item, story) for item, story in shown],
        "nbHits": len(found),
        "page": page,
        "nbPages": -(-min(len(found), MAX_HITS) // size) if size else 0,
        "hitsPerPage": size,
        "exhaustiveNbHits": True,
        "query": query.get("query", ""),
    }


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    value = query.get(name, str(default))
    if not value.isdigit():
        raise InvalidSearch(f"Invalid value for {name}")
    return int(value)


def _tags(text: str) -> list[str]:
    return re.findall(r"\([^)]*\)|[^,()]+", text)


def _alternatives(part: str) -> set[str]:
    tags = set(part.strip("()").split(","))
    if bad := [tag for tag in tags if not _TAG.fullmatch(tag)]:
        raise InvalidSearch(f"Invalid tag: {bad[0]}")
    return tags


def _filter(part: str) -> tuple[Callable[[int, int], bool], int]:
    matched = _FILTER.fullmatch(part.strip())
    if matched is None:
        raise InvalidSearch(f"Invalid numericFilters: {part}")
    return _COMPARE[matched[2]], int(matched[3])


def _tags_of(item: SimulatedItem, story: SimulatedItem | None) -> set[str]:
    tags = {item.type, f"author_{item.by}"} | ({f"story_{story.number}"} if story is not None else set())
    return tags | ({"ask_hn"} if item.title.startswith("Ask HN") else set())


def _has(item: SimulatedItem, words: list[str]) -> bool:
    # Algolia matches the beginnings of words.
    have = re.findall(r"\w+", f"{item.title} {item.text} {item.url} {item.by}".lower())
    return all(any(word.startswith(wanted) for word in have) for wanted in words)


def _hit(item: SimulatedItem, story: SimulatedItem | None) -> dict[str, Any]:
    comment = item.type == "comment"
    hit: dict[str, Any] = {
        "objectID": str(item.number),
        "created_at": datetime.fromtimestamp(item.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "created_at_i": item.time,
        "author": item.by,
        "_tags": sorted(_tags_of(item, story)),
        "story_id": story.number if story is not None else None,
    }
    if comment:
        title = encoded(story.title) if story is not None else None
        return hit | {"comment_text": as_html(item.text), "parent_id": item.parent, "story_title": title}
    hit |= {"title": encoded(item.title), "points": 1, "num_comments": len(item.kids)}
    hit |= {"url": item.url} if item.url else {}
    return hit | ({"story_text": as_html(item.text)} if item.text else {})
