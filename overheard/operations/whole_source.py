"""Whether a workspace may watch everything of a source: that takes much of the budget that all workspaces share."""

from __future__ import annotations

from collections.abc import Iterator

from overheard.config import Config
from overheard.db import workspaces
from overheard.db.database import Db
from overheard.items import ALL
from overheard.sources.registry import SOURCES
from overheard.workspaces import WorkspaceSpec

INSTEAD_OF_ALL = 'follow only its posts (kinds = ["posts"]: 13 requests a minute), name the subreddits, or add a client'


def excesses(spec: WorkspaceSpec, config: Config, db: Db) -> Iterator[str]:
    """Yield a problem for each source of which the workspace would take more than [limits] budget_percent.

    What it watches already it may keep. While a source is not set up, its budget is unknown, and nothing is refused.
    """
    wanted = [feed for feed in spec.feeds if feed.place == ALL]
    for name in dict.fromkeys(feed.source for feed in wanted):
        source, kinds = SOURCES[name], {feed.kind for feed in wanted if feed.source == name}
        needed = sum(source.all_per_minute.get(kind, 0.0) for kind in kinds)
        budget = source.budget(config)
        if not needed or budget is None or source.missing_setting(config) is not None:
            continue
        has, percent = budget.per_minute * len(budget.keys), config.limits.budget_percent
        if 100 * needed > percent * has and not kinds <= workspaces.kinds_of_all(db, spec.slug, name):
            yield (
                f"{' and '.join(sorted(kinds))} of all of {name.capitalize()} take about {needed:,.0f} requests a "
                f"minute, and the budget of all workspaces is {has:,.0f}: [limits] budget_percent allows one workspace "
                f"{percent} % of it, because the others would wait; {INSTEAD_OF_ALL}, or raise the limit in "
                "pipeline.toml"
            )
