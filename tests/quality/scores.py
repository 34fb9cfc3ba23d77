"""Which of the labelled items a query finds, and what that says of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from tests.quality.goals import Label

Judged = tuple[str, str]  # a goal, and an item that was labelled for it


@dataclass(frozen=True)
class Score:
    """Counts of labelled items: those that a query finds, and all relevant ones."""

    relevant_hits: int
    noise_hits: int
    relevant: int

    @property
    def hits(self) -> int:
        return self.relevant_hits + self.noise_hits

    @property
    def precision(self) -> float | None:
        """Return the share of relevant items among the hits; None: no hits."""
        return share(self.relevant_hits, self.hits)

    @property
    def recall(self) -> float | None:
        """Return the share of relevant items that are found; None: none is relevant."""
        return share(self.relevant_hits, self.relevant)


@dataclass(frozen=True)
class Change:
    """What another query does with the hits of a first one."""

    noise_removed: int
    noise: int
    relevant_kept: int
    relevant: int


def share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def score(labels: Iterable[Label], hits: Collection[Judged]) -> Score:
    """Score a query's hits on some labels."""
    relevant_hits = noise_hits = relevant = 0
    for label in labels:
        found = (label.goal, label.item) in hits
        relevant += label.relevant
        relevant_hits += found and label.relevant
        noise_hits += found and not label.relevant
    return Score(relevant_hits, noise_hits, relevant)


def change(labels: Iterable[Label], first: Collection[Judged], second: Collection[Judged]) -> Change:
    """Compare the hits of two queries on some labels."""
    noise_removed = noise = relevant_kept = relevant = 0
    for label in labels:
        judged = label.goal, label.item
        if judged not in first:
            continue
        noise += not label.relevant
        relevant += label.relevant
        noise_removed += not label.relevant and judged not in second
        relevant_kept += label.relevant and judged in second
    return Change(noise_removed, noise, relevant_kept, relevant)
