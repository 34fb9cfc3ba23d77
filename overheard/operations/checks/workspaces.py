"""Checks of stored workspaces: coverage, limits, schedules and queries."""

from __future__ import annotations

from collections.abc import Sequence

from overheard.db import queries as stored_queries
from overheard.db import schedules, source_health, workspaces
from overheard.db.database import Db
from overheard.matching.language import problem_with
from overheard.operations.checks.outcome import CheckOutcome
from overheard.operations.whole_source import INSTEAD_OF_ALL
from overheard.operations.wording import counted, first_names
from overheard.operations.workspaces import ALL_IS_COSTLY
from overheard.process import RunningProcess
from overheard.sources.reddit.names import SOURCE
from overheard.sources.registry import SOURCES

MAX_NAMED = 5  # workspaces or queries named in one line; the others are only counted
NO_DATABASE = CheckOutcome("ok", "not checked: there is no database to read them from")
UNREADABLE_REMEDY = (
    "until it is fixed, runs are hourly and digests are sent at 9:00 UTC; "
    "overheard export SLUG, correct the file, overheard import"
)


def coverage(running: RunningProcess, db: Db | None) -> CheckOutcome | None:
    """Warn of workspaces that watch all comments of Reddit with a single client; None if there are none."""
    budget = SOURCES[SOURCE].budget(running.config)
    if db is None or budget is None or len(budget.keys) > 1:
        return None
    # One more than are named shows that there are others, without counting them.
    slugs = source_health.workspaces_watching_all(db, SOURCE, "comments", MAX_NAMED + 1)
    if not slugs:
        return None
    named = ", ".join(slugs[:MAX_NAMED]) + (" …" if len(slugs) > MAX_NAMED else "")
    return CheckOutcome("warning", f"{ALL_IS_COSTLY} ({named})", INSTEAD_OF_ALL)


def limits(running: RunningProcess, db: Db | None) -> CheckOutcome:
    """Show the limits of a workspace; warn of workspaces that exceed them already."""
    rules = running.config.limits
    allowed = {part: int(getattr(rules, part)) for part in workspaces.LIMITED_PARTS}
    parts = ", ".join(f"{number:,} {part}" for part, number in allowed.items())
    message = (
        f"per workspace: {parts}, {rules.triggers_per_hour:,} triggers per hour, "
        f"{rules.budget_percent} % of a source's requests"
    )
    beyond = workspaces.over_limits(db, allowed) if db is not None else []
    if not beyond:
        return CheckOutcome("ok", message)
    named = first_names([f"{slug} has {number:,} {part}" for slug, part, number in beyond], MAX_NAMED)
    return CheckOutcome("warning", f"{message}; {named}", "nothing is removed; raise [limits], or split the workspace")


def readable_schedules(running: RunningProcess, db: Db | None) -> CheckOutcome:
    """Check that the schedules and time zones of all workspaces are valid."""
    if db is None:
        return NO_DATABASE
    if not (found := schedules.unreadable_schedules(db)):
        return CheckOutcome("ok", "all valid")
    return CheckOutcome("warning", unreadable_schedules(found), UNREADABLE_REMEDY)


def unreadable_schedules(found: Sequence[schedules.UnreadableSchedule]) -> str:
    """Return a sentence that names the first few: workspace, key and reason."""
    named = "; ".join(f"{each.workspace}: {each.key}: {each.reason}" for each in found[:MAX_NAMED])
    more = f"; and {len(found) - MAX_NAMED:,} more" if len(found) > MAX_NAMED else ""
    return f"{counted(len(found), 'schedule')} cannot be parsed: {named}{more}"


def queries(running: RunningProcess, db: Db | None) -> CheckOutcome:
    """Parse all stored queries by today's rules; older ones may break a rule that was added later."""
    if db is None:
        return NO_DATABASE
    count, found = 0, []
    for slug, name, text, scope in stored_queries.all_texts(db):
        count += 1
        if (problem := problem_with(text, scope=scope.node)) is not None:
            found.append(f"{slug}/{name}{'' if problem.matched else ' (not matched)'}")
    if not found:
        return CheckOutcome("ok", f"{counted(count, 'query')}, all valid")
    return CheckOutcome(
        "warning",
        f"{len(found):,} of {counted(count, 'query')} would be refused today: {first_names(found, MAX_NAMED)}",
        "they are kept, and matched as long as they can be parsed; overheard workspace show SLUG explains what to write"
        " instead",
    )
