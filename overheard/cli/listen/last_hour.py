"""The last hour of the sources that can be searched: something to see at once."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from typing import Self

from overheard.cli.backfill import matching, searchable
from overheard.db.retention import configured_ages
from overheard.errors import OverheardError
from overheard.operations import backfill
from overheard.operations.backfill import Backfiller
from overheard.permits import BudgetNeed
from overheard.process import RunningProcess
from overheard.sources import Source

HOUR_SECONDS = 3600.0
# For a token. Live reading takes many at first, and this thread has nothing else to do.
BUDGET_WAIT_SECONDS = 60.0
END_SECONDS = 1.0  # for which the end waits for a search that is under way


class LastHour:
    """Searches the last hour in a thread, with one request for each source. ``items``: how many were found."""

    def __init__(self, running: RunningProcess, sources: Mapping[str, Source], slug: str) -> None:
        self.items = 0
        self._running = running
        self._sources = searchable(
            running, sources, lambda budget: BudgetNeed(budget.key, max_wait=BUDGET_WAIT_SECONDS)
        )
        self._slug = slug
        self._notes: queue.SimpleQueue[str] = queue.SimpleQueue()
        # A daemon: a search that hangs must not keep the terminal.
        self._thread = threading.Thread(target=self._run, name="last hour", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(END_SECONDS)

    def notes(self) -> Iterator[str]:
        """Yield what there is to say since the last call."""
        while not self._notes.empty():
            yield self._notes.get()

    def _run(self) -> None:
        try:
            with self._running.db.session():
                self._search()
        except Exception:
            # At the end, the sources and the database are closed under a search that is still under way.
            if not self._running.stop.is_set():
                raise
        finally:
            self._running.db.release()

    def _search(self) -> None:
        running, ages = self._running, configured_ages(self._running.config.retention)
        now = running.clock()
        plan = backfill.plan(
            running.db, self._slug, self._sources, since=now - HOUR_SECONDS, now=now, query=None, ages=ages
        )
        filler = Backfiller(
            db=running.db,
            sources=self._sources,
            match=matching(running),
            clock=running.clock,
            ages=ages,
            stop=running.stop,
        )
        for search in plan.searches:
            try:
                found, _ = filler.step(plan, search)
            except OverheardError as error:
                self._notes.put(f"The last hour of {search.source} cannot be searched: {error}")
                continue
            self.items += found.items
