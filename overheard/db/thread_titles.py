"""What comments contain of their post: its title, and words of the title in each comment's own link.

When the post is erased, this goes from other authors' comments, too.
"""

from __future__ import annotations

from typing import Any

import msgspec

from overheard.db.database import Db
from overheard.db.models import StoredItem
from overheard.items import Item
from overheard.sources.registry import bare_permalink


def erase_titles(db: Db, below: Any) -> None:
    """Remove their post's title from comments; ``below`` is the condition that selects them."""
    comments = StoredItem.select(StoredItem.id, StoredItem.source, StoredItem.permalink).where(
        below, StoredItem.kind == "comment"
    )
    for item_id, source, permalink in list(comments.tuples().execute(db.peewee)):
        bare = {"thread_title": "", "permalink": bare_permalink(source, permalink)}
        StoredItem.update(**bare).where(StoredItem.id == item_id).execute(db.peewee)


def without_title(comment: Item) -> Item:
    """Return the comment without its post's title."""
    permalink = bare_permalink(comment.source, comment.permalink)
    return msgspec.structs.replace(comment, thread_title="", permalink=permalink)
