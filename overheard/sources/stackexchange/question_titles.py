"""The titles of questions whose answers are read next: in memory only, since a cursor outlives what it was made of."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from overheard.sources.stackexchange.items import ActiveQuestion

MAX_TITLES = 5_000
TITLE_MAX_CHARS = 200


class QuestionTitles:
    """Titles by site and number, the latest ones. Thread-safe.

    Another process, or a restart between two pages, knows none: the answers are then read without their thread's title.
    """

    def __init__(self) -> None:
        self._titles: dict[tuple[str, int], str] = {}
        self._lock = threading.Lock()

    def add(self, site: str, questions: Iterable[ActiveQuestion]) -> None:
        """Remember the titles of these questions."""
        with self._lock:
            for each in questions:
                self._titles.pop((site, each.question_id), None)
                self._titles[site, each.question_id] = each.title[:TITLE_MAX_CHARS]
            while len(self._titles) > MAX_TITLES:
                del self._titles[next(iter(self._titles))]

    def of(self, site: str, numbers: Iterable[int]) -> dict[int, str]:
        """Return the titles that are known, by number."""
        with self._lock:
            return {number: title for number in numbers if (title := self._titles.get((site, number)))}
