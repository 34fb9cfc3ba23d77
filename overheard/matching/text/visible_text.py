"""A text without markup and invisible characters, and where each of its characters stands in the original."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from overheard.matching.text.scripts import visible, visible_runs


class VisibleText(NamedTuple):
    """What is visible of a masked text. ``starts``, ``origins``: where each run begins in it, and in that."""

    text: str
    starts: list[int]
    origins: list[int]

    def origin(self, at: int) -> int:
        """Return where a character stands in the masked text."""
        run = bisect_right(self.starts, at) - 1
        return self.origins[run] + at - self.starts[run]

    def first_from(self, origin: int) -> int:
        """Return where, in the visible text, the first character at or after a masked position is."""
        run = bisect_right(self.origins, origin) - 1
        if run < 0:
            return 0
        end = self.starts[run + 1] if run + 1 < len(self.starts) else len(self.text)
        return min(self.starts[run] + origin - self.origins[run], end)


def visible_text(masked: str) -> VisibleText:
    """Return what is visible of a masked text."""
    text = visible(masked)
    if len(text) == len(masked):
        return VisibleText(text, [0], [0])
    starts: list[int] = []
    origins: list[int] = []
    length = 0
    for start, end in visible_runs(masked):
        starts.append(length)
        origins.append(start)
        length += end - start
    return VisibleText(text, starts, origins)
