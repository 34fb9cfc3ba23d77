"""What to do when a source's plan exceeds its budget: one sentence, for ``status`` and ``source plan``."""

from __future__ import annotations

from overheard.operations.reading_plan import SourcePlan


def relief_of_overload(made: SourcePlan) -> str:
    """Return what would make an overloaded plan fit: to leave out everything of a source, where that would do."""
    costliest = made.costliest_of_all
    if costliest is None or costliest.requests < made.plan.demanded - made.budget:
        return "Watch fewer subreddits, raise `every`, or add a client."
    return (
        f"{costliest.group.kind.capitalize()} of all of {made.source.capitalize()} need about "
        f"{60 * costliest.requests:,.0f} of {60 * made.budget:,.0f} requests a minute; "
        "leave them out, or add a client."
    )
