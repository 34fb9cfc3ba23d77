"""Splitting what is too much for one message of the bus (at most 4 MiB)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from overheard.items import Item
from overheard.messages import MatchedItem, WorkspaceMatch

T = TypeVar("T")

# By our estimate, which counts two bytes a character. The worst text (control characters, six bytes each) makes
# three times that of it.
CHUNK_MAX_BYTES = 1_000_000
MATCHES_MAX = 2_000  # of one item in one message


def chunks(entries: Sequence[T], size: Callable[[T], int], most: int = CHUNK_MAX_BYTES) -> list[tuple[T, ...]]:
    """``entries`` in their order, in portions of at most ``most`` bytes each; nothing at all is one empty portion."""
    result: list[list[T]] = [[]]
    filled = 0
    for entry in entries:
        length = size(entry)
        if result[-1] and filled + length > most:
            result.append([])
            filled = 0
        result[-1].append(entry)
        filled += length
    return [tuple(portion) for portion in result]


def item_size(item: Item) -> int:
    """About how many bytes an item takes in a message."""
    return 2 * (len(item.title) + len(item.body) + len(item.thread_title) + sum(map(len, item.texts.values()))) + 600


def matched_size(entry: MatchedItem) -> int:
    """About how many bytes an item takes with everybody who wants it."""
    return item_size(entry.item) + sum(map(_match_size, entry.matches))


def _match_size(match: WorkspaceMatch) -> int:
    return 60 + 12 * len(match.query_ids) + 24 * len(match.highlights)


def split_matches(entry: MatchedItem) -> list[MatchedItem]:
    """An item that very many want, or for very much, as several with some of them each."""
    matches = entry.matches
    few = [matches[start : start + MATCHES_MAX] for start in range(0, len(matches), MATCHES_MAX)]
    return [MatchedItem(entry.item, some) for each in few for some in chunks(each, _match_size)]
