"""Erasing items: with all that mentions them, from wherever they stand, and so that they do not come back.

Copies of an item are under way: in messages on the bus, in the next reading of a quiet subreddit. So what is erased
leaves a key behind, which store looks for: the name of an item for some days (after that nothing holds a copy), and a
hash of the name of an author who asked to be forgotten for good.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence

import msgspec
from peewee import fn

from overheard.db import threads
from overheard.db.connect import Db
from overheard.db.deliveries import BUNDLED, PENDING
from overheard.db.models import Delivery, Erased, Item, Mention
from overheard.items import Item as FoundItem
from overheard.items import post_of

REMEMBERED = 7 * 86400.0  # seconds for which an erased item's name is kept
KEYS = 400  # in one statement
AUTHOR = "u/"


class Tally(msgspec.Struct):
    """How much was erased. ``digests``: unsent ones left empty."""

    items: int = 0
    mentions: int = 0
    deliveries: int = 0
    digests: int = 0

    def add(self, other: Tally) -> None:
        """Count the other's too."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def erase(db: Db, item_ids: Collection[int], now: float, *, nameless: Collection[str] = ()) -> Tally:
    """Erase items that are gone from Reddit, up to a few hundred at once.

    ``nameless`` are authors who have no account any more: their names are taken off all that is stored.

    1. the items' names are remembered: a comment that is stored from here on loses its post's title;
    2. posts' titles go from the comments below them: should we die in between, the items are still there to be found
       again;
    3. then, in one transaction, the items go, with their mentions and deliveries.
    """
    names = _names(db, item_ids)
    if not names and not nameless:
        return Tally()
    with db.transaction():
        remember(db, names, now)
    threads.erase_titles(db, names)
    tally = erase_rows(db, item_ids, now)
    for author in sorted(nameless):
        Item.update(author=None).where(written_by(author)).execute(db.peewee)
    return tally


def _names(db: Db, item_ids: Collection[int]) -> list[str]:
    return [name for (name,) in Item.select(Item.name).where(Item.id.in_(list(item_ids))).tuples().execute(db.peewee)]


def erase_rows(db: Db, item_ids: Collection[int], now: float) -> Tally:
    """Step 3 of ``erase``. Store, which may be storing one of them again, has done so before, or finds its key."""
    with db.transaction():
        rows = Item.select(Item.id, Item.name).where(Item.id.in_(list(item_ids))).order_by(Item.name)
        found = dict((rows if db.sqlite else rows.for_update()).tuples().execute(db.peewee))
        if not found:
            return Tally()
        remember(db, found.values(), now)
        its = Mention.select(Mention.id).where(Mention.item.in_(list(found)))
        bundles = [
            bundle
            for (bundle,) in Delivery.select(Delivery.bundle)
            .where(Delivery.mention.in_(its), Delivery.state == BUNDLED)
            .distinct()
            .tuples()
            .execute(db.peewee)
        ]
        tally = Tally(
            deliveries=Delivery.delete().where(Delivery.mention.in_(its)).execute(db.peewee),
            mentions=Mention.delete().where(Mention.item.in_(list(found))).execute(db.peewee),
            items=Item.delete().where(Item.id.in_(list(found))).execute(db.peewee),
        )
        tally.digests = _emptied(db, bundles)
    return tally


def _emptied(db: Db, digests: Sequence[str]) -> int:
    """Drop those of the unsent digests that have nothing left to say, and what failed tries of the others said."""
    if not digests:
        return 0
    left = Delivery.alias()
    says = fn.EXISTS(left.select(left.id).where(left.bundle == Delivery.id))
    Delivery.update(error=None).where(Delivery.id.in_(digests)).execute(db.peewee)
    empty = Delivery.delete().where(Delivery.id.in_(digests), Delivery.state == PENDING, ~says)
    return int(empty.execute(db.peewee))


def written_by(author: str) -> object:
    """The condition of being an author's item. Reddit's names are the same in any case."""
    return fn.LOWER(Item.author) == author.lower()


def remember(db: Db, keys: Iterable[str], now: float) -> None:
    """Let nothing with these keys be stored again. Runs inside a transaction."""
    rows = [{"key": key, "at": now} for key in sorted(keys)]
    for start in range(0, len(rows), KEYS):
        Erased.insert_many(rows[start : start + KEYS]).on_conflict(
            conflict_target=[Erased.key], update={Erased.at: now}
        ).execute(db.peewee)


def author_key(author: str) -> str:
    """What is remembered of an author who is forgotten: a hash."""
    return AUTHOR + hashlib.sha256(f"overheard:{author.lower()}".encode("utf-8", "surrogatepass")).hexdigest()


def refused(db: Db, items: Iterable[FoundItem]) -> set[str]:
    """The names of those items that must not be stored again."""
    by_key: dict[str, set[str]] = {}
    for item in items:
        by_key.setdefault(item.name, set()).add(item.name)
        if item.author is not None:
            by_key.setdefault(author_key(item.author), set()).add(item.name)
    return {name for key in _remembered(db, by_key) for name in by_key[key]}


def posts_refused(db: Db, comments: Iterable[FoundItem]) -> set[str]:
    """The names of those comments whose posts must not be stored again."""
    posts = {comment.name: post for comment in comments if (post := post_of(comment)) is not None}
    gone = _remembered(db, set(posts.values()))
    return {name for name, post in posts.items() if post in gone}


def _remembered(db: Db, keys: Collection[str]) -> set[str]:
    """Those of the keys that were remembered."""
    found: set[str] = set()
    ordered = list(keys)
    for start in range(0, len(ordered), KEYS):
        rows = Erased.select(Erased.key).where(Erased.key.in_(ordered[start : start + KEYS]))
        found.update(key for (key,) in rows.tuples().execute(db.peewee))
    return found
