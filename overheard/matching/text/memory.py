"""Remember what was worked out for short texts of strangers."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

T = TypeVar("T")

# Longer than words and signs that come again. Without this bound, a thousand entries could hold a thousand whole texts:
# in the memory, where erasing does not reach.
REMEMBERED_CHARS = 40


def remembered(entries: int) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """Return a decorator that caches a pure function's results for so many short texts."""

    def decorate(function: Callable[[str], T]) -> Callable[[str], T]:
        cached = lru_cache(maxsize=entries)(function)

        @wraps(function)
        def recall(text: str) -> T:
            return cached(text) if len(text) <= REMEMBERED_CHARS else function(text)

        return recall

    return decorate
