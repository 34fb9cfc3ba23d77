"""How often suggested queries would match, estimated from the sample of recent items."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from overheard.db import workspaces
from overheard.matching.language import parse
from overheard.operations.query_estimates import estimates_of
from overheard.operations.query_suggestions import SuggestedQuery
from overheard.process import RunningProcess


def with_estimates(running: RunningProcess, slug: str, suggested: Sequence[SuggestedQuery]) -> list[SuggestedQuery]:
    """Return the queries with their hits per day in the places that a workspace watches, where these are known.

    Raises NotFound.
    """
    owner = workspaces.by_name(running.db, slug).id
    trees = [(number, owner, parse(query.text)) for number, query in enumerate(suggested)]
    found = estimates_of(running.db, trees, now=running.clock(), seconds=running.config.sample.seconds)
    return [
        msgspec.structs.replace(query, hits_per_day=round(found[at].per_day, 1) if at in found else None)
        for at, query in enumerate(suggested)
    ]
