"""The rates of the sources' request budgets, and how many requests the planned readings may make soon."""

from __future__ import annotations

import msgspec

from overheard.db import budgets, source_health
from overheard.db.database import Db
from overheard.db.token_rates import Rate, averaged
from overheard.sources.source_type import RequestBudget


def rate_of(budget: RequestBudget) -> Rate:
    """Return the rate of each of a source's budgets."""
    make = averaged if budget.averaged else Rate
    return make(budget.per_minute, budget.burst)


def usable(db: Db, budget: RequestBudget) -> RequestBudget:
    """Return the budget without the keys of clients that the source refuses; unchanged if it refuses all of them."""
    refused = source_health.revoked(db, budget.keys) if budget.others else set()
    if not (keys := [key for key in budget.keys if key not in refused]):
        return budget
    return msgspec.structs.replace(budget, key=keys[0], others=tuple(keys[1:]))


def patient_requests(db: Db, budget: RequestBudget, seconds: float) -> float:
    """Return how many requests of patient messages could begin within ``seconds``, of all of the source's budgets."""
    return budgets.patient_tokens(db, budget.keys, rate_of(budget), seconds)
