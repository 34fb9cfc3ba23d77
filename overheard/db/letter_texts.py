"""Erasing items from dead letters: all that is to go in one pass, as they may be large, and many after a bad night."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from overheard.db import letter_bodies
from overheard.db.connect import Db
from overheard.db.models import DeadLetter
from overheard.portions import portions

PAGE = 500  # looked up at once
BYTES = 8 * 1024 * 1024  # of bodies read at once, if they are not larger each

Change = Callable[[str], str | None]


def erase(db: Db, names: Collection[str], authors: Collection[str] = ()) -> int:
    """Take the items of these names out of every dead letter, and these authors' names off the other items in it.

    Returns how many letters held something of it.
    """

    def change(body: str) -> str | None:
        left = letter_bodies.without_items(body, names)
        return letter_bodies.without_authors(left or body, authors, items_too=False) or left

    return rewrite(db, change) if names or authors else 0


def forget_author(db: Db, author: str, *, dry: bool = False) -> int:
    """Take all that is this author's out of every dead letter; how many letters held something."""
    return rewrite(db, lambda body: letter_bodies.without_authors(body, [author], items_too=True), dry=dry)


def forget_workspace(
    db: Db, workspace_id: int, slug: str, channels: Collection[int], *, dry: bool = False
) -> tuple[int, int]:
    """Drop the dead letters that were a workspace's own, take it out of the others: how many of each."""
    dropped = changed = 0
    for letter_id, body in _letters(db):
        left = letter_bodies.without_workspace(body, workspace_id, slug, channels)
        if left is None:
            continue
        if left:
            changed += 1
        else:
            dropped += 1
        if not dry:
            _keep(db, letter_id, left)
    return dropped, changed


def rewrite(db: Db, change: Change, *, dry: bool = False) -> int:
    """Give each letter the body that ``change`` makes of it (None: as it is); how many changed."""
    count = 0
    for letter_id, body in _letters(db):
        left = change(body)
        if left is not None:
            count += 1
            if not dry:
                _keep(db, letter_id, left)
    return count


def strip(db: Db, older_than: float, limit: int) -> int:
    """Erase the items' texts from up to ``limit`` letters recorded before ``older_than``; how many there were."""
    old = (DeadLetter.created_at < older_than) & db.holds(DeadLetter.body, letter_bodies.HOLDS_ITEMS)
    count = 0
    for letter_id, body in _bodies(db, _sizes(db, old, limit)):
        _keep(db, letter_id, letter_bodies.without_texts(body))
        count += 1
    return count


def _letters(db: Db) -> Iterator[tuple[int, str]]:
    """(id, body) of every letter."""
    last = 0
    while page := _sizes(db, DeadLetter.id > last, PAGE):
        yield from _bodies(db, page)
        last = page[-1][0]


def _sizes(db: Db, which: Any, limit: int) -> list[tuple[int, int]]:
    """(id, size of the body) of the first of them."""
    query = DeadLetter.select(DeadLetter.id, db.size(DeadLetter.body)).where(which).order_by(DeadLetter.id)
    return list(query.limit(limit).tuples().execute(db.peewee))


def _bodies(db: Db, sizes: Iterable[tuple[int, int]]) -> Iterator[tuple[int, str]]:
    """(id, body), a few megabytes of them at a time."""
    for some in portions(list(sizes), lambda row: row[1], BYTES):
        these = DeadLetter.id.in_([letter_id for letter_id, _ in some])
        yield from list(DeadLetter.select(DeadLetter.id, DeadLetter.body).where(these).tuples().execute(db.peewee))


def _keep(db: Db, letter_id: int, body: str) -> None:
    """What is left of the letter; nothing is left of an empty one."""
    if not body:
        DeadLetter.delete().where(DeadLetter.id == letter_id).execute(db.peewee)
        return
    reason = DeadLetter.select(DeadLetter.reason).where(DeadLetter.id == letter_id).scalar(db.peewee) or ""
    DeadLetter.update(body=body, reason=unquoted(reason), traceback=None).where(DeadLetter.id == letter_id).execute(
        db.peewee
    )


def unquoted(reason: str) -> str:
    """The reason without what it may quote of an item. (So may tracebacks, of which nothing is left.)"""
    kind = reason.partition(":")[0]
    return f"{kind} (the rest was erased with an item)" if kind != reason else reason
