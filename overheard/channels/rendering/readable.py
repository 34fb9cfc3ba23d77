"""A text as people read it: Markdown, HTML and entities resolved, with the highlights where they then are."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from overheard.channels.rendering.excerpt import Span
from overheard.matching.markup import BREAK, flow
from overheard.matching.text.scripts import shown_runs


def readable(text: str, spans: Iterable[Span]) -> tuple[str, list[Span]]:
    """Return the text without markup and what nobody sees, and the spans in its positions.

    ``spans`` are (start, end) in code points of ``text``. One of markup only, such as a link's target, is left out.
    """
    masked = flow(text).masked
    runs = shown_runs(masked)
    starts = [start for start, _ in runs]
    offsets: list[int] = []  # where each run begins in the result
    length = 0
    for start, end in runs:
        offsets.append(length)
        length += end - start

    def moved(position: int) -> int:
        run = bisect_right(starts, position) - 1
        if run < 0:
            return 0
        start, end = runs[run]
        return offsets[run] + min(position, end) - start

    shown = "".join(masked[start:end] for start, end in runs).replace(BREAK, "\n")
    placed = [(moved(start), moved(end)) for start, end in spans if 0 <= start < end <= len(text)]
    return shown, [(start, end) for start, end in placed if start < end]
