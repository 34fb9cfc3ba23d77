"""Numbers and spans of time as people read them."""

from __future__ import annotations

from collections.abc import Sequence

STEPS = ((129600, 86400, "days"), (5400, 3600, "h"), (90, 60, "min"), (0, 1, "s"))


def counted(number: int, noun: str) -> str:
    """``1 query``, ``3 queries``."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def span(seconds: float) -> str:
    """``45 s``, ``3 min``, ``5 h``, ``12 days``."""
    seconds = max(seconds, 0.0)
    for least, unit, name in STEPS:
        if seconds >= least:
            return f"{round(seconds / unit):,} {name}"
    raise AssertionError("unreachable")


def ago(moment: float | None, now: float) -> str:
    """Return how long ago it was; a clock that runs a little ahead makes no future of it."""
    if not moment:
        return "never"
    return "just now" if now - moment < 1 else f"{span(now - moment)} ago"


def ahead(moment: float | None, now: float) -> str:
    """Return how soon it will be."""
    if moment is None:
        return "never"
    return "now" if moment <= now else f"in {span(moment - now)}"


def first(names: Sequence[str], most: int) -> str:
    """``a, b and 3 more``."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
