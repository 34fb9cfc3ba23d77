"""fetch: read groups of feeds of one source. One poll of a group serves every workspace that watches its feeds.

``fetcher`` takes messages, ``demand_reading`` claims the groups that one needs, ``group_reading`` decides what happens
to each, ``reader`` reads one, ``planning`` divides and joins groups, ``second_look`` reads one again, further back,
``group_leases`` holds the leases, ``gap_filling`` fills gaps, ``source_health`` tracks whether each source responds.
``place_checks`` asks a source which places can be read, and ``place_reviews`` does so daily.

A message asks for a group because the plan of readings has come to it (``producers/reading.py``), or for the stale
feeds of a workspace: those whose ``fresh_at``, the start of the latest stored poll, is before ``fresh_since``.

    12:00:00  The plan asks for the group of python and rust, which it reads every five minutes.
    12:00:01  The group is leased, and read back to its cursor.
    12:00:02  The poll is stored: python and rust have ``fresh_at`` 12:00:01, and new rates.
    12:01:00  Workspace acme, which watches both every five minutes, is due. What is planned is fresh enough for it, so
              nothing is read. A feed that it has watched only since 12:00:30 was never read, and is read now.
    12:01:50  A run of acme is requested by hand: ``fresh_since`` is 12:01:50, so all its feeds are stale, and read.

A source whose requests read a single feed has no plan. There, a feed that was read up to ``[fetch] fresh_for`` seconds
ago is fresh enough for a workspace that is due.
"""

from __future__ import annotations

from actors.context import Context
from actors.fetch.fetcher import Fetcher
from overheard.bus.actor import StageWork
from overheard.messages import ON_SCHEDULE, FetchWorkspace
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
        if budget is None:
            return None
        # What nothing waits for takes only spare tokens; it is never urgent, so nothing is taken from the share itself.
        if message.places or message.back_to or message.fill is not None:
            return BudgetNeed(budget.key, share=budget.recheck_key)
        return BudgetNeed(budget.key, patient=is_patient(message))

    return StageWork(fetcher.fetch, need)


def is_patient(message: FetchWorkspace) -> bool:
    """Return True if runs that are requested by hand come first: a reading that has not begun, planned or due."""
    by_hand = message.workspace_id is not None and message.reason not in ON_SCHEDULE
    return not by_hand and (message.resume is None or message.resume.pages == 0)
