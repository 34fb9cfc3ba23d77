"""fetch: makes a workspace's feeds of one source fresh. One poll of a group serves all workspaces that watch its feeds.

``planning`` decides, ``reading`` reads one group, ``fetcher`` claims and settles; ``health`` knows how sources do.
"""

from __future__ import annotations

from actors.context import Context
from actors.fetch.fetcher import Fetcher
from overheard.bus.actor import StageWork
from overheard.messages import FetchWorkspace
from overheard.permits import BudgetNeed
from overheard.sources.registry import request_budget


def work(context: Context) -> StageWork:
    """The stage's work. Each source has a budget of its own, or none."""
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
