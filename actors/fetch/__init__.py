"""fetch: refresh a workspace's feeds of one source. One poll of a group serves every workspace that watches its feeds.

``planning`` decides, ``reader`` reads one group, ``fetcher`` claims groups and handles results, ``group_leases`` holds
the leases, ``source_health`` tracks whether each source responds.
"""

from __future__ import annotations

from actors.context import Context
from actors.fetch.fetcher import Fetcher
from overheard.bus.actor import StageWork
from overheard.messages import FetchWorkspace
from overheard.permits import BudgetNeed
from overheard.sources.registry import request_budget


def work(context: Context) -> StageWork:
    """Return the stage's work. Each source has its own request budget, or none."""
    fetcher = Fetcher(
        db=context.db,
        sources=context.sources(),
        send=context.send,
        clock=context.clock,
        rules=context.config.fetch,
        metrics=context.metrics,
    )

    def need(message: FetchWorkspace) -> BudgetNeed | None:
        budget = request_budget(message.source, context.config)
        return None if budget is None else BudgetNeed(budget.key)

    return StageWork(fetcher.fetch, need)
