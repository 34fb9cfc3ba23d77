"""Items as log lines name them: by source and id, so that the way of one can be followed; never by a text or author."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from overheard.items import Item
from overheard.observability.log import Logger
from overheard.sources.registry import source_type

ITEMS_PER_LINE = 20


def logged_ids(keys: Iterable[tuple[str, str]]) -> str:
    """Return the first items (source, id), and how many more there are: ``reddit:t3_1abc hackernews:8863 …``."""
    every = list(keys)
    more = [f"and {len(every) - ITEMS_PER_LINE} more"] if len(every) > ITEMS_PER_LINE else []
    return " ".join([*(logged_id(*key) for key in every[:ITEMS_PER_LINE]), *more])


def logged_id(source: str, ref: str) -> str:
    """Return an item as log lines name it."""
    return f"{source}:{source_type(source).logged_id(ref)}"


def log_read(log: Logger, items: Sequence[Item], *, poll: str) -> None:
    """Log all items that were read, at level DEBUG: most of them match nothing, and are not stored."""
    if not logging.getLogger(__name__).isEnabledFor(logging.DEBUG):
        return
    for start in range(0, len(items), ITEMS_PER_LINE):
        some = items[start : start + ITEMS_PER_LINE]
        log.debug("items read", poll=poll, item_ids=logged_ids(item.key for item in some))
