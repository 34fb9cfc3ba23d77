"""English stems: monitor, monitors, monitoring and monitored have one (Snowball's algorithm, Porter 2)."""

from __future__ import annotations

from functools import lru_cache

import Stemmer


@lru_cache(maxsize=16_384)  # bounded, because the words come from texts of strangers; chosen, not measured
def stem(word: str) -> str:
    """Return the English stem of a folded word."""
    # A stemmer has a state, so threads cannot share one; to make one costs no more than to look it up.
    stemmed: str = Stemmer.Stemmer("english", 0).stemWord(word)
    return stemmed
