"""Checks of what workspaces watch, have and say, as the database keeps it."""

from __future__ import annotations

from collections.abc import Sequence

from overheard.db import queries as stored_queries
from overheard.db import schedules as stored_schedules
from overheard.db import source_health, workspaces
from overheard.db.database import Db
from overheard.matching.language import problem_with
from overheard.operations.checks.outcome import CheckOutcome
from overheard.operations.wording import counted, first
from overheard.operations.workspaces import ALL_IS_PARTIAL, INSTEAD_OF_ALL
from overheard.process import RunningProcess
from overheard.sources.reddit.names import SOURCE

NAMED = 5  # workspaces or queries; the others are counted
NOT_LOOKED_AT = CheckOutcome("ok", "not looked at: there is no database to read them from")
UNREADABLE_REMEDY = (
    "until then they are looked at hourly, and digests are sent at 9:00 UTC; "
    "overheard export SLUG, correct it, overheard import"
)


def coverage(program: RunningProcess, db: Db | None) -> CheckOutcome | None:
    """Warn of workspaces that watch all of Reddit, of which most is missed; None where there are none."""
    slugs = source_health.workspaces_watching_all(db, SOURCE, NAMED + 1) if db is not None else []
    if not slugs:
        return None
    named = ", ".join(slugs[:NAMED]) + (" …" if len(slugs) > NAMED else "")
    return CheckOutcome("warning", f"{ALL_IS_PARTIAL} ({named})", INSTEAD_OF_ALL)


def limits(program: RunningProcess, db: Db | None) -> CheckOutcome:
    """Tell what one workspace may have, and which have more of it already."""
    rules = program.config.limits
    allowed = {part: int(getattr(rules, part)) for part in workspaces.LIMITED_PARTS}
    parts = ", ".join(f"{number:,} {part}" for part, number in allowed.items())
    what = f"for each workspace: {parts}, {rules.triggers_per_hour:,} triggers an hour"
    beyond = workspaces.over_limits(db, allowed) if db is not None else []
    if not beyond:
        return CheckOutcome("ok", what)
    named = first([f"{slug} has {number:,} {part}" for slug, part, number in beyond], NAMED)
    return CheckOutcome("warning", f"{what}; {named}", "all of it is kept; raise [limits], or make several of them")


def schedules(program: RunningProcess, db: Db | None) -> CheckOutcome:
    """Check that the schedules and time zones of all workspaces can be read."""
    if db is None:
        return NOT_LOOKED_AT
    if not (found := stored_schedules.unreadable_schedules(db)):
        return CheckOutcome("ok", "all can be read")
    return CheckOutcome("warning", unreadable_schedules(found), UNREADABLE_REMEDY)


def unreadable_schedules(found: Sequence[stored_schedules.UnreadableSchedule]) -> str:
    """Return a sentence with the first few: the workspace, the key and why it cannot be read."""
    named = "; ".join(f"{each.workspace}: {each.key}: {each.reason}" for each in found[:NAMED])
    more = f"; and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
    return f"{counted(len(found), 'schedule')} cannot be read: {named}{more}"


def queries(program: RunningProcess, db: Db | None) -> CheckOutcome:
    """Check all queries of all workspaces, each read by the rules of today."""
    if db is None:
        return NOT_LOOKED_AT
    count, found = 0, []
    for slug, name, text in stored_queries.all_texts(db):
        count += 1
        if (one := problem_with(text)) is not None:
            found.append(f"{slug}/{name}{'' if one.matched else ' (not matched)'}")
    if not found:
        return CheckOutcome("ok", f"{counted(count, 'query')}, all right")
    return CheckOutcome(
        "warning",
        f"{len(found):,} of {counted(count, 'query')} would be refused today: {first(found, NAMED)}",
        "all are kept, and matched as before if they can be read; overheard workspace show SLUG says what to write"
        " instead",
    )
