"""Why an item is a mention, as it is stored with the mention."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from overheard.messages import Why

_encode = msgspec.json.Encoder().encode


def why_column(why: Sequence[Why], query_ids: Collection[int]) -> str:
    """Return as JSON what is told of these queries; others were removed, or are not among the mention's own."""
    return _encode([each for each in why if each[0] in query_ids]).decode()
