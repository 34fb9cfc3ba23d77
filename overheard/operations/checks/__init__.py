"""Live checks of configuration, servers, machine and workspaces. Each takes seconds at most and changes no data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

from overheard.db.database import Db
from overheard.errors import Unavailable
from overheard.operations.checks import machine, reddit, servers, sources, workspaces
from overheard.operations.checks.outcome import CheckOutcome
from overheard.process import RunningProcess

# Db is None if the database cannot be used. The outcome is None if the check does not apply.
Check = Callable[[RunningProcess, Db | None], CheckOutcome | None]

CHECKS: dict[str, Check] = {
    "coverage": workspaces.coverage,
    "metrics": servers.metrics,
    "alerts": servers.alerts,
    "limits": workspaces.limits,
    "clock": machine.clock,
    "disk": machine.disk,
    "schedules": workspaces.readable_schedules,
    "queries": workspaces.queries,
}


def run(running: RunningProcess, path: Path | None, *, budget: reddit.OpenBudget) -> Iterator[tuple[str, CheckOutcome]]:
    """Run all checks; yield each part's name and outcome. ``path`` is the configuration file given by the user."""
    config = running.config
    yield "configuration", CheckOutcome("ok", _where(path))
    for deprecated in config.deprecated:
        yield "configuration", CheckOutcome("warning", deprecated)
    database = servers.database(running)
    yield "database", database
    yield "bus", servers.bus(config)
    for outcome_of_client in reddit.reddit(running, budget if database.ready else None):
        yield "Reddit", outcome_of_client
    if database.ready:
        yield from sources.watched(running, budget)
    for part, check in CHECKS.items():
        if (outcome := _outcome(check, running, running.db if database.ready else None)) is not None:
            yield part, outcome


def _outcome(check: Check, running: RunningProcess, db: Db | None) -> CheckOutcome | None:
    try:
        with db.session() if db is not None else nullcontext():
            return check(running, db)
    # Only a warning: the server that went away has a check of its own, which fails.
    except Unavailable as error:
        return CheckOutcome("warning", f"not checked: {error}")


def _where(path: Path | None) -> str:
    if path is None and not Path("pipeline.toml").exists():
        return "defaults (no ./pipeline.toml)"
    return str(path or "pipeline.toml")
