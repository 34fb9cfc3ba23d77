"""What is a post's in the comments below it: its title, its address, and words of the title in each comment's own link.

When the post is erased, they go from other people's comments, too. These are found by an index on the post's id,
which stands in their links.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from peewee import SQL, fn

from overheard.db.connect import Db
from overheard.db.models import Item
from overheard.items import PREFIX, TITLE_IN_LINK, untitled
from overheard.items import Item as FoundItem

IDS = 400  # in one statement
# As the index has it, which is what makes the database use it: so these are no parameters.
COMMENTS = SQL("kind = 'comment'")
POST = SQL("split_part(split_part(permalink, '/comments/', 2), '/', 1)")
POST_SQLITE = SQL(
    "substr(permalink, instr(permalink, '/comments/') + 10,"
    " instr(substr(permalink, instr(permalink, '/comments/') + 10), '/') - 1)"
)


def erase_titles(db: Db, names: Collection[str]) -> int:
    """Take what is a post's off the comments below it, for the posts among these names; how many comments had it."""
    prefix = f"{PREFIX['post']}_"
    posts = sorted(name.removeprefix(prefix) for name in names if name.startswith(prefix))
    post: Any = POST_SQLITE if db.sqlite else POST
    count = 0
    for start in range(0, len(posts), IDS):
        its = Item.select(Item.id, Item.permalink).where(COMMENTS, post.in_(posts[start : start + IDS]))
        by_link: dict[str, list[int]] = {}
        for item_id, permalink in its.tuples().execute(db.peewee):
            found = TITLE_IN_LINK.search(permalink)
            by_link.setdefault(found[0] if found else "", []).append(item_id)
        for link, ids in by_link.items():
            count += _untitle(db, link, ids)
    return count


def _untitle(db: Db, link: str, item_ids: list[int]) -> int:
    """``link``: the part of their links that names the post and says its title, or nothing."""
    plain = fn.REPLACE(Item.permalink, link, untitled(f"{link}/").removesuffix("/"))
    count = 0
    for start in range(0, len(item_ids), IDS):
        some = Item.id.in_(item_ids[start : start + IDS])
        count += Item.update(title="", url="", permalink=plain).where(some).execute(db.peewee)
    return count


def without_title(comment: FoundItem) -> FoundItem:
    """The comment without what is its post's."""
    return msgspec.structs.replace(comment, title="", url="", permalink=untitled(comment.permalink))
