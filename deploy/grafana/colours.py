"""One meaning, one colour, on every board."""

from __future__ import annotations

GOOD, WARN, BAD, CALM, QUIET = "green", "orange", "red", "blue", "text"

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
QUANTILES = {"half": "green", "95 %": "yellow", "99 %": "red"}
STATUS = {"200": "green", "403": "purple", "404": "purple", "429": "orange", "blocked": "dark-red", "error": "red"}
