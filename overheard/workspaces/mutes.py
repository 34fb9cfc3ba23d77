"""Mutes as a workspace's owner writes them: their conditions, and until when they hold."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import datetime

from overheard.config import MuteSettings
from overheard.errors import InvalidInput
from overheard.routing import MuteRule
from overheard.schedule import zone
from overheard.workspaces.spec import MuteSpec

CONDITIONS = ("query", "author", "place", "thread")
CONDITION_MAX_CHARS = 500
UNTIL_HINT = "a date or a time, such as 2026-12-31 or 2026-12-31T18:00"
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def until_seconds(text: str, timezone: str) -> float | None:
    """Return the end of a mute in seconds since the epoch; None for one without end. Raises InvalidInput.

    A date is the beginning of that day in the workspace's zone, as is a time without an offset.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone(timezone))).timestamp()
    except (ValueError, OverflowError):
        raise InvalidInput(f"until {text[:40]!r} is not {UNTIL_HINT}") from None


def operator_rule(mute: MuteSettings) -> MuteRule:
    """Return the rule of a ``[[notify.mute]]``, which holds for all workspaces; its times are in UTC."""
    return MuteRule(
        text=f"the operator's, {mute_text(MuteSpec(author=mute.author, place=mute.place, thread=mute.thread))}",
        source=mute.source,
        author=mute.author.lower(),
        place=mute.place.lower(),
        thread=mute.thread,
        until=until_seconds(mute.until, "UTC"),
    )


def mute_text(mute: MuteSpec) -> str:
    """Return the conditions in words: ``author automod, place python``."""
    return ", ".join(f"{name} {getattr(mute, name)}" for name in CONDITIONS if getattr(mute, name))


def mute_problems(mute: MuteSpec, timezone: str, queries: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with a mute of a workspace that has queries of these names."""
    where = f"mute of {mute_text(mute)[:100]}" if mute_text(mute) else "mute"
    if not mute_text(mute):
        yield f"{where}: give at least one of {', '.join(CONDITIONS)}; without one it would mute everything"
    for name in CONDITIONS:
        if len(getattr(mute, name)) > CONDITION_MAX_CHARS:
            yield f"{where}: {name}: {CONDITION_MAX_CHARS} characters are allowed; shorten it"
    if mute.query and mute.query not in queries:
        yield f"{where}: there is no query {mute.query[:100]!r}"
    try:
        until_seconds(mute.until, timezone)
    except InvalidInput as error:
        yield f"{where}: {error}"
