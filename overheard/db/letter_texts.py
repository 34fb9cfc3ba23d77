"""Erasing items from dead letters, one letter at a time: they may be large, and there are few."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from overheard.db import letter_bodies
from overheard.db.connect import Db
from overheard.db.models import DeadLetter

IDS = 100  # looked up at once

Change = Callable[[str], str | None]


def erase_items(db: Db, names: Collection[str]) -> int:
    """Take the items of these names out of every dead letter; how many letters held some."""
    return rewrite(db, lambda body: letter_bodies.without_items(body, names))


def erase_author(db: Db, author: str) -> int:
    """Take the author's name off every item in a dead letter; how many letters bore it."""
    return rewrite(db, lambda body: letter_bodies.without_author(body, author, items_too=False))


def forget_author(db: Db, author: str, *, dry: bool = False) -> int:
    """Take all that is this author's out of every dead letter; how many letters held something."""
    return rewrite(db, lambda body: letter_bodies.without_author(body, author, items_too=True), dry=dry)


def forget_workspace(
    db: Db, workspace_id: int, slug: str, channels: Collection[int], *, dry: bool = False
) -> tuple[int, int]:
    """Drop the dead letters that were a workspace's own, take it out of the others: how many of each."""
    dropped = changed = 0
    for letter_id, body in _letters(db, holding=None):
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
    """Give each letter that holds items the body that ``change`` makes of it (None: as it is); how many changed."""
    count = 0
    for letter_id, body in _letters(db, holding=letter_bodies.HOLDS_ITEMS):
        left = change(body)
        if left is not None:
            count += 1
            if not dry:
                _keep(db, letter_id, left)
    return count


def strip(db: Db, older_than: float, limit: int) -> int:
    """Erase the items' texts from up to ``limit`` letters recorded before ``older_than``; how many there were."""
    old = DeadLetter.select(DeadLetter.id, DeadLetter.body).where(
        DeadLetter.created_at < older_than, db.holds(DeadLetter.body, letter_bodies.HOLDS_ITEMS)
    )
    count = 0
    for letter_id, body in list(old.limit(limit).tuples().execute(db.peewee)):
        _keep(db, letter_id, letter_bodies.without_texts(body))
        count += 1
    return count


def _letters(db: Db, *, holding: str | None) -> Iterator[tuple[int, str]]:
    """(id, body) of the letters whose body contains a text."""
    last = 0
    while True:
        ids: Any = DeadLetter.select(DeadLetter.id).where(DeadLetter.id > last).order_by(DeadLetter.id).limit(IDS)
        if holding is not None:
            ids = ids.where(db.holds(DeadLetter.body, holding))
        found = [letter_id for (letter_id,) in ids.tuples().execute(db.peewee)]
        for letter_id in found:
            body = DeadLetter.select(DeadLetter.body).where(DeadLetter.id == letter_id).scalar(db.peewee)
            if body is not None:
                yield letter_id, body
        if len(found) < IDS:
            return
        last = found[-1]


def _keep(db: Db, letter_id: int, body: str) -> None:
    """What is left of the letter; nothing is left of an empty one. Reasons and tracebacks may quote what was erased."""
    if not body:
        DeadLetter.delete().where(DeadLetter.id == letter_id).execute(db.peewee)
        return
    reason = DeadLetter.select(DeadLetter.reason).where(DeadLetter.id == letter_id).scalar(db.peewee) or ""
    kind = reason.partition(":")[0]
    reason = f"{kind} (the rest was erased with an item)" if kind != reason else reason
    DeadLetter.update(body=body, reason=reason, traceback=None).where(DeadLetter.id == letter_id).execute(db.peewee)
