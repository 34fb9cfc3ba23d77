"""The part of the tick's reading step that asks for second looks, with what all other readings leave of the budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from overheard.config import Config
from overheard.db import second_looks
from overheard.db.database import Db
from overheard.db.second_looks import LookState
from overheard.messages import FetchWorkspace
from overheard.observability.metrics import ProcessMetrics
from overheard.reading.paging import look_back_seconds, pages
from producers.current_plan import CurrentPlan

LOOK_LOST_SECONDS = 900.0  # a look that is not stored by then was lost, or given up: it is asked for again
SECOND_LOOK = "second look"  # the reason in the messages


class SecondLooks:
    """Asks for the second looks of one source, one after the other. ``ask`` sends a message to fetch.

    What they cost is paid from what the plan leaves them: the next one is asked for when the last one is paid. A
    listing that does not hold twice ``[fetch] look_back`` is looked at more often.
    """

    def __init__(
        self, source: str, *, db: Db, config: Config, ask: Callable[[FetchWorkspace], object], metrics: ProcessMetrics
    ) -> None:
        self.source = source
        self.db = db
        self.look_back = config.fetch.look_back_seconds
        self.ask = ask
        self.metrics = metrics
        self._owed = 0.0  # requests
        self._paid_at = 0.0
        self._missed: dict[int, int] = {}  # by group: how often its second look was skipped in a row

    def step(self, plan: CurrentPlan, affordable: float, now: float) -> int:
        """Ask for those that are due, the longest ago first, as far as ``affordable`` requests go; return how many."""
        if not self.look_back:
            return 0
        self._owed = max(self._owed - plan.second_looks * max(now - self._paid_at, 0.0), 0.0)
        self._paid_at = now
        free = second_looks.free(self.db, self.source, asked_before=now - LOOK_LOST_SECONDS, now=now)
        rates = {look.id: plan.paces[look.id].rate for look in free if look.id in plan.paces}
        spans = {group: look_back_seconds(rate, self.look_back) for group, rate in rates.items()}
        waiting = [look for look in free if look.id in spans and look.looked_at <= now - spans[look.id]]
        asked = 0
        while waiting and self._owed <= 0.0 and affordable > 0.0:
            look = waiting.pop(0)
            back_to = _back_to(look, spans[look.id], now)
            needed = pages(rates[look.id] * (now - back_to))
            self._owed += needed
            affordable -= needed
            if second_looks.ask(self.db, look, now):
                message = FetchWorkspace(source=self.source, group_id=look.id, reason=SECOND_LOOK, back_to=back_to)
                self.ask(message)
                asked += 1
        self._count_skipped(waiting, spans, now)
        return asked

    def _count_skipped(self, waiting: list[LookState], spans: Mapping[int, float], now: float) -> None:
        """Count a skipped look for each time between two looks that a group waits beyond the first."""
        missed = {look.id: int((now - look.looked_at) / spans[look.id]) - 1 for look in waiting}
        more = sum(max(count - self._missed.get(group, count), 0) for group, count in missed.items())
        self.metrics.second_looks.labels(self.source, "skipped").inc(more)
        self._missed = missed


def _back_to(look: LookState, span: float, now: float) -> float:
    """Return how far to read back: what was dated since was not looked at, or not for long enough.

    What is listed late by less than ``span`` is then found by one of two looks, whenever they are made.
    """
    return (look.looked_at or now - span) - span  # 0: before there were second looks
