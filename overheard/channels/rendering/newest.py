"""Choose the mentions that a summary shows: the newest, but of each query at least one, as far as there is room."""

from __future__ import annotations

from collections.abc import Sequence

from overheard.notices import PublicMention

SUMMARY_MENTIONS = 5


def newest_of_each_query(mentions: Sequence[PublicMention], most: int = SUMMARY_MENTIONS) -> list[PublicMention]:
    """Return at most ``most`` mentions, newest first; ``mentions`` are oldest first.

    The newest of each query come first, then the second newest of each, and so on: one that floods does not hide the
    others.
    """
    newest_first = mentions[::-1]
    of_query: dict[tuple[str, ...], int] = {}
    ranked: list[tuple[int, int]] = []  # (rank within its query, position)
    for position, mention in enumerate(newest_first):
        rank = of_query[mention.queries] = of_query.get(mention.queries, -1) + 1
        ranked.append((rank, position))
    return [newest_first[position] for position in sorted(position for _, position in sorted(ranked)[:most])]
