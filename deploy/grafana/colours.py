"""Colours by meaning, the same on every board."""

from __future__ import annotations

from collections.abc import Mapping

GOOD, WARN, BAD, NEUTRAL = "green", "orange", "red", "text"

OUTCOMES = {
    "ok": "green",
    "sent": "green",
    "merged": "light-green",
    "retried": "yellow",
    "postponed": "blue",
    "held back": "blue",
    "dropped": "purple",
    "failed": "red",
    "dead": "red",
    "rejected": "dark-red",
    "disabled": "dark-red",
}
STAGES = {
    "fetch": "blue",
    "match": "purple",
    "store": "green",
    "notify": "orange",
    "digest": "yellow",
    "recheck": "light-red",
    "ingress": "light-blue",
    "overheard.ingress": "light-blue",
    "tick": "text",
}
STATES = {
    "ok": "green",
    "new": "blue",
    "failing": "orange",
    "disabled": "dark-red",
}
WORK = {"run": "blue", "poll": "purple", "delivery": "orange", "digest": "yellow"}
STATUS = {"200": "green", "403": "purple", "404": "purple", "429": "orange", "blocked": "dark-red", "error": "red"}
# Colours by the label that names a series, and for series with a name of their own.
BY_LABEL = {
    "{{outcome}}": OUTCOMES,
    "{{stage}}": STAGES,
    "{{queue}}": STAGES,
    "{{state}}": STATES,
    "{{work}}": WORK,
    "{{status}}": STATUS,
}
BY_SERIES_NAME = {"half": "green", "95 %": "yellow", "99 %": "red", "up": "green", "down": "red", "limit": "red"}


def colours(legend: str) -> Mapping[str, str]:
    """Return the colours of the series that a query's legend names."""
    if legend in BY_SERIES_NAME:
        return {legend: BY_SERIES_NAME[legend]}
    return BY_LABEL.get(legend, {})
