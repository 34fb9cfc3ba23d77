"""Live checks of everything that has to be there. Each takes seconds at most, and changes nothing in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

from overheard.db.database import Db
from overheard.errors import Unavailable
from overheard.operations.checks import machine, servers, workspaces
from overheard.operations.checks.outcome import CheckOutcome
from overheard.process import RunningProcess

Check = Callable[[RunningProcess, Db | None], CheckOutcome | None]  # without a database where it cannot be used

PARTS: dict[str, Check] = {
    "clients": servers.clients,
    "coverage": workspaces.coverage,
    "metrics": servers.metrics,
    "alerts": servers.alerts,
    "limits": workspaces.limits,
    "clock": machine.clock,
    "disk": machine.disk,
    "schedules": workspaces.schedules,
    "queries": workspaces.queries,
}


def run(
    program: RunningProcess, path: Path | None, *, budget: servers.OpenBudget
) -> Iterator[tuple[str, CheckOutcome]]:
    """Check all parts, each by its name. ``path``: the configuration file that was named."""
    config = program.config
    yield "configuration", CheckOutcome("ok", _where(path))
    for deprecated in config.deprecated:
        yield "configuration", CheckOutcome("warning", deprecated)
    stored = servers.database(program)
    yield "database", stored
    yield "bus", servers.bus(config)
    yield "Reddit", servers.reddit(program, budget if stored.ready else None)
    for part, check in PARTS.items():
        if (outcome := _outcome(check, program, program.db if stored.ready else None)) is not None:
            yield part, outcome


def _outcome(check: Check, program: RunningProcess, db: Db | None) -> CheckOutcome | None:
    try:
        with db.session() if db is not None else nullcontext():
            return check(program, db)
    except Unavailable as error:
        return CheckOutcome("warning", f"not looked at: {error}")


def _where(path: Path | None) -> str:
    if path is None and not Path("pipeline.toml").exists():
        return "the defaults, as there is no ./pipeline.toml"
    return str(path or "pipeline.toml")
