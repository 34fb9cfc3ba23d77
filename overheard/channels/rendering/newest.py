"""Choose the mentions that a summary shows: the newest, but of each query at least one, as far as there is room."""

from __future__ import annotations

from collections.abc import Sequence

from overheard.fair_order import fair_order, group_query
from overheard.notices import PublicMention


def newest_of_each_query(mentions: Sequence[PublicMention], most: int) -> list[PublicMention]:
    """Return at most ``most`` mentions, newest first; ``mentions`` are oldest first."""
    newest_first = mentions[::-1]
    order = fair_order(range(len(newest_first)), lambda position: group_query(newest_first[position].queries, {}))
    return [newest_first[position] for position in sorted(order[:most])]
