"""English stems: monitor, monitors, monitoring and monitored have one (Snowball's algorithm, Porter 2)."""

from __future__ import annotations

import Stemmer

from overheard.matching.text.memory import remembered


@remembered(8_192)  # 15 in 100 words of real text are not among them; with twice as many, 11
def stem(word: str) -> str:
    """Return the English stem of a folded word."""
    # A stemmer has state, so threads cannot share one; making one costs no more than looking one up.
    stemmed: str = Stemmer.Stemmer("english", 0).stemWord(word)
    return stemmed


def stems(words: list[str]) -> list[str]:
    """Return the English stems of folded words. Nothing is remembered of them."""
    stemmed: list[str] = Stemmer.Stemmer("english", 0).stemWords(words)
    return stemmed
