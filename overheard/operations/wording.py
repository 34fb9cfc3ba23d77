"""Numbers and durations in the words of the command line."""

from __future__ import annotations

from collections.abc import Sequence

# (at least this many seconds, seconds per unit, name): 1.5 units, so that "2 min" never means 61 s.
UNITS = ((129600, 86400, "days"), (5400, 3600, "h"), (90, 60, "min"), (0, 1, "s"))


def counted(number: int, noun: str) -> str:
    """Return ``1 query``, ``3 queries``."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def span(seconds: float) -> str:
    """Return ``45 s``, ``3 min``, ``5 h``, ``12 days``."""
    # Below zero if the two times come from clocks that disagree.
    seconds = max(seconds, 0.0)
    for least, unit, name in UNITS:
        if seconds >= least:
            return f"{round(seconds / unit):,} {name}"
    raise AssertionError("unreachable")


def ago(moment: float | None, now: float) -> str:
    """Return ``3 min ago``; ``just now`` also for a moment in the future, as two machines' clocks may differ."""
    if not moment:
        return "never"
    return "just now" if now - moment < 1 else f"{span(now - moment)} ago"


def until(moment: float | None, now: float) -> str:
    """Return ``in 3 min``, or ``now`` if it is due."""
    if moment is None:
        return "never"
    return "now" if moment <= now else f"in {span(moment - now)}"


def first_names(names: Sequence[str], most: int) -> str:
    """Return ``a, b and 3 more``."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
