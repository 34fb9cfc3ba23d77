"""fetch: refresh a workspace's feeds of one source. One poll of a group serves every workspace that watches its feeds.

``planning`` decides, ``reader`` reads one group, ``fetcher`` claims groups and handles results, ``group_leases`` holds
the leases, ``source_health`` tracks whether each source responds.

An example of the times, with ``[fetch] fresh_for`` = 60 seconds. A feed's ``fresh_at`` is when its latest stored poll
began.

    12:01:00  Workspace acme is due. The message has ``fresh_since`` 12:00:00: a poll up to ``fresh_for`` old serves it.
    12:01:02  fetch handles it. acme watches python (``fresh_at`` 12:00:20) and rust (11:58:00). ``feeds.stale_of``
              returns rust only, so a poll of rust's group begins.
              ``planning.unread_since`` is 12:01:00, the time of the demand: a feed read since then may not join.
              go (12:00:30) may. Its workspace bolt is due at 12:01:40, within READ_AHEAD_FRACTION of ``fresh_for``,
              and go would be 70 seconds old by then.
    12:01:03  The poll is stored: rust and go have ``fresh_at`` 12:01:02.
    12:01:40  bolt is due, with ``fresh_since`` 12:00:40. go is fresh, so nothing is requested.
    12:01:50  A run of acme is requested by hand: ``fresh_since`` and ``unread_since`` are both 12:01:50, so python and
              rust are stale. Both are read.
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
        recheck_within=context.config.recheck.within_hours * 3600.0,
        metrics=context.metrics,
    )

    def need(message: FetchWorkspace) -> BudgetNeed | None:
        budget = request_budget(message.source, context.config)
        return None if budget is None else BudgetNeed(budget.key)

    return StageWork(fetcher.fetch, need)
