"""Warnings of queries that will flood their channels, from the sample of recent items, when they are saved."""

from __future__ import annotations

import msgspec

from overheard.db import queries, query_rows
from overheard.operations.query_estimates import Estimate, estimates
from overheard.operations.query_health import FLOOD_PER_DAY
from overheard.process import RunningProcess

MIN_HITS = 3  # in the sample: of fewer, a busy source's say nothing


class Flood(msgspec.Struct, frozen=True):
    """A query that was saved, and how much it is going to find."""

    workspace: str
    query: str
    text: str
    estimate: Estimate


class SavedQueries:
    """The queries that are saved after this was made. ``floods`` returns those of them that will flood."""

    def __init__(self, running: RunningProcess) -> None:
        self._running = running
        self._revision = queries.revision(running.db)

    def floods(self) -> list[Flood]:
        """Return the queries that the sample has more than FLOOD_PER_DAY a day for, in the order of their names."""
        running = self._running
        saved = list(query_rows.stored_queries(running.db, after_revision=self._revision))
        seconds = running.config.sample.seconds
        expected = estimates(running.db, saved, now=running.clock(), seconds=seconds) if saved else {}
        return [
            Flood(query.workspace, query.name, query.text, estimate)
            for query in saved
            if (estimate := expected.get(query.id)) and _is_flood(estimate)
        ]


def _is_flood(estimate: Estimate) -> bool:
    return estimate.per_day > FLOOD_PER_DAY and estimate.hits >= MIN_HITS
