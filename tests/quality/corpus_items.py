"""Items of the corpus that OVERHEARD_CORPUS names."""

from __future__ import annotations

import gzip
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from overheard.items import Item

UNKNOWN_PLACE = "unknown"  # of comments: the corpus does not say where they were written
UNKNOWN_TIME = 0.0  # of comments, too; no query asks for a time


class OtherCorpusError(Exception):
    """A corpus without all of the labelled items."""


def labelled_items(corpus: Path, ids: Collection[str]) -> list[Item]:
    """Return the items with these ids. Raise FileNotFoundError, or OtherCorpusError if any of them is missing."""
    items = [item for item in _items(corpus) if item.id in ids]
    if missing := len(ids) - len(items):
        raise OtherCorpusError(f"{missing} of the {len(ids)} labelled items are not in {corpus}")
    return items


def _items(corpus: Path) -> Iterator[Item]:
    for row in _rows(corpus / "posts.jsonl.gz"):
        yield _post(row)
    for row in _rows(corpus / "comments.jsonl.gz"):
        yield _comment(row)


def _post(row: dict[str, Any]) -> Item:
    return Item(
        source="reddit",
        id=row["name"],
        kind="post",
        place=row["subreddit"],
        title=row["title"],
        body=row["selftext"] or "",
        url="" if row["is_self"] else row["url"],
        texts={"flair": row["link_flair_text"]} if row["link_flair_text"] else {},
        nsfw=row["over_18"],
        created_at=row["created_utc"],
    )


def _comment(row: dict[str, Any]) -> Item:
    return Item(
        source="reddit",
        id=row["id"],
        kind="comment",
        place=UNKNOWN_PLACE,
        body=row["body"],
        created_at=UNKNOWN_TIME,
    )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)
