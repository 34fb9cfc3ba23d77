"""The rates of the sources' request budgets, and how many requests the planned readings may make soon."""

from __future__ import annotations

from overheard.db import budgets
from overheard.db.database import Db
from overheard.db.token_rates import Rate, averaged
from overheard.sources.source_type import RequestBudget


def rate_of(budget: RequestBudget) -> Rate:
    """Return the rate of each of a source's budgets."""
    make = averaged if budget.averaged else Rate
    return make(budget.per_minute, budget.burst)


def patient_requests(db: Db, budget: RequestBudget, seconds: float) -> float:
    """Return how many requests of patient messages could begin within ``seconds``, of all of the source's budgets."""
    return budgets.patient_tokens(db, budget.keys, rate_of(budget), seconds)
