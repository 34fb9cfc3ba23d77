"""The tables of ``make quality``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table

from tests.quality.goals import Goal, Label
from tests.quality.hits import QueryHits
from tests.quality.scores import Judged, change, score, share

NOISE_REMOVED_GOAL = 0.5
RELEVANT_KEPT_GOAL = 0.95


def goals_table(half: str, goals: Iterable[Goal], labels: Sequence[Label], hits: QueryHits) -> Table:
    """Make the table of one half, a line for each goal and one for all of them."""
    table = Table(title=f"Half {half}: naive and tuned query", title_justify="left")
    table.add_column("goal", no_wrap=True)
    for column in ("hits", "precision", "recall", "hits", "precision", "recall", "noise removed", "relevant kept"):
        table.add_column(column, justify="right")
    of_half = [label for label in labels if label.half == half]
    for goal in goals:
        table.add_row(goal.id, *_figures([label for label in of_half if label.goal == goal.id], hits))
    table.add_section()
    table.add_row("all", *_figures(of_half, hits), style="bold")
    return table


def summary_table(half: str, labels: Sequence[Label], hits: QueryHits) -> Table:
    """Make the table that compares the naive queries as they were matched at first, as they are now, and the tuned."""
    of_half = [label for label in labels if label.half == half]
    at_first = {(label.goal, label.item) for label in of_half if label.naive}
    table = Table(title=f"Half {half}: {len(of_half)} labels", title_justify="left")
    table.add_column("queries", no_wrap=True)
    for column in ("hits", "relevant", "noise", "precision", "recall", "noise removed", "relevant kept"):
        table.add_column(column, justify="right")
    runs = {"naive, by title and body": at_first, "naive": hits.naive, "tuned": hits.tuned}
    for name, found in runs.items():
        scored = score(of_half, found)
        counts = str(scored.hits), str(scored.relevant_hits), str(scored.noise_hits)
        table.add_row(
            name, *counts, _percent(scored.precision), _percent(scored.recall), *_change(of_half, at_first, found)
        )
    return table


def verdict(half: str, labels: Iterable[Label], hits: QueryHits) -> str:
    """Say whether the goal is reached: half of the naive queries' noise gone, 95 % of their relevant hits kept."""
    of_half = [label for label in labels if label.half == half]
    changed = change(of_half, hits.naive, hits.tuned)
    removed = share(changed.noise_removed, changed.noise) or 0.0
    kept = share(changed.relevant_kept, changed.relevant) or 0.0
    reached = removed >= NOISE_REMOVED_GOAL and kept >= RELEVANT_KEPT_GOAL
    return (
        f"Half {half}: {_percent(removed)} of the noise removed (goal: {_percent(NOISE_REMOVED_GOAL)}), "
        f"{_percent(kept)} of the relevant hits kept (goal: {_percent(RELEVANT_KEPT_GOAL)}): "
        f"{'reached' if reached else 'missed'}"
    )


def _figures(labels: Sequence[Label], hits: QueryHits) -> list[str]:
    cells: list[str] = []
    for found in (hits.naive, hits.tuned):
        scored = score(labels, found)
        cells += [str(scored.hits), _percent(scored.precision), _percent(scored.recall)]
    return cells + _change(labels, hits.naive, hits.tuned)


def _change(labels: Sequence[Label], first: set[Judged], second: set[Judged]) -> list[str]:
    changed = change(labels, first, second)
    return [f"{changed.noise_removed} of {changed.noise}", f"{changed.relevant_kept} of {changed.relevant}"]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}".replace("%", " %").replace(".0 ", " ")
