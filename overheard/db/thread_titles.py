"""What comments contain of their post: its title, and words of the title in each comment's own link.

When the post is erased, this goes from other authors' comments, too.
"""

from __future__ import annotations

from typing import Any

import msgspec

from overheard.db.database import Db
from overheard.db.models import Mention, StoredItem
from overheard.items import Item
from overheard.messages import MatchedItem
from overheard.sources.registry import bare_permalink

THREAD = "thread"  # the field of a thread's title
_decode = msgspec.json.Decoder(list[tuple[Any, ...]]).decode


def erase_titles(db: Db, below: Any) -> None:
    """Remove their post's title from comments; ``below`` is the condition that selects them."""
    comments = StoredItem.select(StoredItem.id, StoredItem.source, StoredItem.permalink).where(
        below, StoredItem.kind == "comment"
    )
    for item_id, source, permalink in list(comments.tuples().execute(db.peewee)):
        bare = {"thread_title": "", "permalink": bare_permalink(source, permalink)}
        StoredItem.update(**bare).where(StoredItem.id == item_id).execute(db.peewee)
        _forget_positions(db, item_id)


def _forget_positions(db: Db, item_id: int) -> None:
    """Remove what the mentions of a comment tell of words in its thread's title."""
    mentions = Mention.select(Mention.id, Mention.highlights, Mention.why).where(Mention.item == item_id)
    for mention_id, highlights, why in list(mentions.tuples().execute(db.peewee)):
        kept = (
            [each for each in _decode(highlights) if each[0] != THREAD],
            [each for each in _decode(why) if each[2] != THREAD],
        )
        columns = [msgspec.json.encode(each).decode() for each in kept]
        if columns != [highlights, why]:
            Mention.update(highlights=columns[0], why=columns[1]).where(Mention.id == mention_id).execute(db.peewee)


def untitled(entry: MatchedItem) -> MatchedItem:
    """Return a matched comment without its post's title, and without what was found in it."""
    matches = tuple(
        msgspec.structs.replace(
            match,
            highlights=tuple(each for each in match.highlights if each[0] != THREAD),
            why=tuple(each for each in match.why if each[2] != THREAD),
        )
        for match in entry.matches
    )
    return msgspec.structs.replace(entry, item=without_title(entry.item), matches=matches)


def without_title(comment: Item) -> Item:
    """Return the comment without its post's title."""
    permalink = bare_permalink(comment.source, comment.permalink)
    return msgspec.structs.replace(comment, thread_title="", permalink=permalink)
