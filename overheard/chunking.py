"""Split data that is too large for one message of the bus (at most 4 MiB)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from overheard.items import Item
from overheard.messages import ItemsFetched, MatchedItem, PollPart, PollTarget, WorkspaceMatch
from overheard.sources import Page

T = TypeVar("T")

# Estimated at two bytes a character. The worst text (control characters, six bytes each in JSON) takes three times
# that, which is still below the bus's limit.
CHUNK_MAX_BYTES = 1_000_000
MATCHES_MAX = 2_000  # of one item in one message: bounds a transaction of store


def chunks(entries: Sequence[T], size: Callable[[T], int], max_bytes: int = CHUNK_MAX_BYTES) -> list[tuple[T, ...]]:
    """Split ``entries``, in order, into chunks of at most ``max_bytes`` each; no entries are one empty chunk."""
    result: list[list[T]] = [[]]
    filled = 0
    for entry in entries:
        length = size(entry)
        if result[-1] and filled + length > max_bytes:
            result.append([])
            filled = 0
        result[-1].append(entry)
        filled += length
    return [tuple(chunk) for chunk in result]


def item_size(item: Item) -> int:
    """Estimate the bytes of an item in a message."""
    return 2 * (len(item.title) + len(item.body) + len(item.thread_title) + sum(map(len, item.texts.values()))) + 600


def parts_of_page(
    page: Page, source: str, *, poll: str, first: int = 0, target: PollTarget | None = None
) -> list[ItemsFetched]:
    """Return a page of a poll as messages, the parts from number ``first`` on; a ``target`` ends the poll."""
    slices = chunks(page.items, item_size)
    parts = [PollPart(poll=poll, part=number) for number in range(first, first + len(slices))]
    if target is not None:
        parts[-1] = msgspec.structs.replace(parts[-1], parts=first + len(parts), targets=(target,))
    messages = [ItemsFetched(part=part, items=items) for part, items in zip(parts, slices, strict=True)]
    # With the first part: store erases what is gone before it stores the part's items.
    messages[0] = msgspec.structs.replace(
        messages[0],
        gone=tuple((source, item_id) for item_id in page.gone),
        gone_authors=tuple((source, author, until) for author, until in page.gone_authors),
    )
    return messages


def matched_size(entry: MatchedItem) -> int:
    """Estimate the bytes of an item with its matches."""
    return item_size(entry.item) + sum(map(_match_size, entry.matches))


def _match_size(match: WorkspaceMatch) -> int:
    terms = sum(2 * len(term) + 50 for _, term, *_ in match.why)
    return 70 + 12 * len(match.query_ids) + 24 * len(match.highlights) + terms


def split_matches(entry: MatchedItem) -> list[MatchedItem]:
    """Split an item with very many or very large matches into several entries of the same item."""
    matches = entry.matches
    if not matches:
        return [entry]
    slices = [matches[start : start + MATCHES_MAX] for start in range(0, len(matches), MATCHES_MAX)]
    return [msgspec.structs.replace(entry, matches=chunk) for part in slices for chunk in chunks(part, _match_size)]
