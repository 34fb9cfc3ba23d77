"""What is a post's in the comments below it: its title, and words of the title in each comment's own link.

When the post is erased, they go from other people's comments, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

import msgspec

from overheard.db.connect import Db
from overheard.db.models import Item
from overheard.items import Item as FoundItem
from overheard.messages import Key
from overheard.sources.registry import bare_permalink

KEYS = 400  # in one statement


def erase_titles(db: Db, keys: Iterable[Key]) -> int:
    """Take what is a post's off the comments below it, for the posts among these items; how many comments had it."""
    by_source: dict[str, list[str]] = defaultdict(list)
    for source, ref in keys:
        by_source[source].append(ref)
    return sum(
        _erase(db, source, refs[start : start + KEYS])
        for source, refs in by_source.items()
        for start in range(0, len(refs), KEYS)
    )


def _erase(db: Db, source: str, refs: Collection[str]) -> int:
    below = Item.select(Item.id, Item.permalink).where(
        Item.source == source, Item.thread.in_(list(refs)), Item.kind == "comment"
    )
    rows = list(below.tuples().execute(db.peewee))
    for item_id, permalink in rows:
        Item.update(thread_title="", permalink=bare_permalink(source, permalink)).where(Item.id == item_id).execute(
            db.peewee
        )
    return len(rows)


def without_title(comment: FoundItem) -> FoundItem:
    """Return the comment without what is its post's."""
    permalink = bare_permalink(comment.source, comment.permalink)
    return msgspec.structs.replace(comment, thread_title="", permalink=permalink)
