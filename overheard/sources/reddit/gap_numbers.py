"""Which numbers the items of a gap may have. Pure.

Later items have higher numbers, but they do not enter listings exactly in that order: neighbours change places, and a
post that a filter has held enters at the top when it is approved, with its old number. So a gap has margins. A comment
that is approved late enters at its own old place, gap or not: that is for second looks.
"""

from __future__ import annotations

from overheard.reading.numbers import HOLE, JUMP, NumberRange
from overheard.sources.reddit.names import kind_of, number_of

# Chosen, not measured: half a minute of Reddit's posts, four seconds of its comments.
NEIGHBOURS_NUMBERS = 500
# What was approved while nothing was read has an older number than all that was published then. The longer a gap, the
# more of that; at most about eleven minutes of Reddit's posts, which cost 120 requests.
APPROVED_LATE_MAX_NUMBERS = 12_000


def gap_numbers(reason: str, since: str, until: str) -> NumberRange | None:
    """Return the numbers to look up for a gap between two items; None if these have no numbers."""
    one, other = number_of(since), number_of(until)
    if one is None or other is None:
        return None
    first, last = min(one, other), max(one, other)
    if reason in (HOLE, JUMP):
        return first, last
    approved_late = min(last - first, APPROVED_LATE_MAX_NUMBERS) if kind_of(since) == "post" else 0
    return max(first - max(approved_late, NEIGHBOURS_NUMBERS), 0), last + NEIGHBOURS_NUMBERS
