"""A text of its own within a field of an item: the flow, or an address that was taken out of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from overheard.matching.tree import FieldName

GAP = ""  # a position where a paragraph ends; no word is empty


class Section(NamedTuple):
    """A text whose words stand side by side.

    ``first``: the position of its first word; ``offset``: where its text begins in the field; ``links``: the spans of
    its addresses in the field; ``gaps``: the positions in it where a paragraph ends.
    """

    first: int
    field: FieldName
    masked: str
    offset: int
    links: Collection[tuple[int, int]]
    gaps: Sequence[int]
