"""How frequent words are in what is read: learned from the sample, and kept for the index that starts next."""

from __future__ import annotations

from collections.abc import Iterable

from overheard.db.database import Db
from overheard.db.models import WordFrequency

WORDS_PER_STATEMENT = 1000


def load(db: Db) -> dict[str, float] | None:
    """Return the share of items in which each of the frequent words occurs; None if nothing was learned yet."""
    rows = WordFrequency.select(WordFrequency.word, WordFrequency.share).tuples().execute(db.peewee)
    return dict(rows) or None


def replace(db: Db, words: Iterable[tuple[str, int, float]]) -> None:
    """Store (word, number of sampled items, share of all) in place of what was learned before."""
    rows = [{"word": word, "items": items, "share": share} for word, items, share in sorted(words)]
    with db.transaction():
        WordFrequency.delete().execute(db.peewee)
        for start in range(0, len(rows), WORDS_PER_STATEMENT):
            WordFrequency.insert_many(rows[start : start + WORDS_PER_STATEMENT]).execute(db.peewee)
