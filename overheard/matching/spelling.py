"""From a word of a query, as written, to the spellings that it finds in texts."""

from __future__ import annotations

from collections.abc import Collection

from overheard.matching.tree import Variation, Word


def spell(chunk: str, exact: Collection[Variation] = ()) -> Word:
    """Return the word for a chunk of a query: text without white space. Raise ValueError if it has no word at all.

    ``exact``: the variations that are switched off.
    """
    raise NotImplementedError


def spell_exactly(text: str) -> Word:
    """Return the word for ``=text`` or ``="text"``: found only as it is written. Raise ValueError as ``spell``."""
    raise NotImplementedError
