"""Measured figures beside their budgets, as one table for all benchmarks."""

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One measurement. `budget`: the least allowed where higher is better, else the most; None: none."""

    name: str
    value: float
    unit: str
    budget: float | None = None
    higher_is_better: bool = True

    @property
    def ratio(self) -> float | None:
        """How many times better than the budget; below 1 it is missed. None: no budget, or nothing to divide by."""
        if not self.budget or not (self.value or self.higher_is_better):
            return None
        return self.value / self.budget if self.higher_is_better else self.budget / self.value

    @property
    def kept(self) -> bool:
        if self.budget is None:
            return True
        return self.value >= self.budget if self.higher_is_better else self.value <= self.budget


def print_table(figures: Iterable[Figure], title: str | None = None) -> None:
    """Prints figure, budget and ratio, one line each; a missed budget in red."""
    table = Table("figure", title=title, title_justify="left")
    for column in ("measured", "budget", "ratio"):
        table.add_column(column, justify="right", no_wrap=True)
    for figure in figures:
        bound = "≥" if figure.higher_is_better else "≤"
        budget = "" if figure.budget is None else f"{bound} {_number(figure.budget)} {figure.unit}"
        ratio = "" if figure.budget is None else "kept" if figure.kept else "missed"
        if figure.ratio is not None:
            ratio = f"{figure.ratio:.{1 if figure.ratio >= 10 else 2}f} ×"
        style = None if figure.kept else "bold red"
        table.add_row(figure.name, f"{_number(figure.value)} {figure.unit}", budget, ratio, style=style)
    Console().print(table)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
