"""``overheard backfill``: find what was published before, for sources that can be searched."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import click
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from actors.match import Matcher
from actors.wiring import permits
from overheard.cli import output
from overheard.cli.context import running_process
from overheard.cli.durations import PastTime, rfc3339
from overheard.cli.output import one_line, print_line
from overheard.cli.root import CliError
from overheard.db.backfills import BackfillSearch
from overheard.db.retention import configured_ages
from overheard.messages import ItemsFetched, ItemsMatched, Message
from overheard.operations import backfill as operation
from overheard.operations.backfill import Backfiller, BackfillPlan, SearchableSource
from overheard.operations.quiet_store import Match
from overheard.operations.wording import counted
from overheard.permits import BudgetNeed
from overheard.process import RunningProcess
from overheard.sources import ItemSearch, Source
from overheard.sources.registry import open_sources, place_label, request_budget
from overheard.sources.source_type import RequestBudget

INTERRUPTED_EXIT_CODE = 1


@click.command
@click.argument("workspace")
@click.option(
    "--since", type=PastTime(), required=True, help="From when on: 7d, 12h, 2026-11-01, 2026-11-01T09:00:00Z."
)
@click.option("--query", metavar="NAME", help="Only what this query matches.  [default: all queries]")
@click.pass_context
def backfill(context: click.Context, workspace: str, since: float, query: str | None) -> None:
    """Find older mentions of WORKSPACE, where its sources can be searched.

    They are stored as backfilled, and not sent. Only requests that nothing else needs are used, so it may run beside
    Overheard. Ctrl-C interrupts it (exit code 1); the same command resumes it.
    """
    with running_process(context) as running:
        running.stop_on_signals()
        sources = open_sources(running.config, running.metrics, running.clock)
        try:
            sys.exit(_backfill(running, sources, workspace, since, query))
        finally:
            for source in sources.values():
                source.close()


def spare(budget: RequestBudget) -> BudgetNeed:
    """Return the need for tokens that would otherwise go unused."""
    return BudgetNeed(budget.key, share=budget.recheck_key)


def searchable(
    running: RunningProcess, sources: Mapping[str, Source], need: Callable[[RequestBudget], BudgetNeed] = spare
) -> dict[str, SearchableSource]:
    """Return the sources that can be searched, with permits for what they need of their budgets."""
    permit_of, result = permits(running), {}
    for name, source in sources.items():
        if isinstance(source, ItemSearch):
            budget = request_budget(name, running.config)
            result[name] = SearchableSource(source, permit_of(None if budget is None else need(budget), None))
    return result


def matching(running: RunningProcess) -> Match:
    """Return the match stage's work as a function, without the bus."""
    sent: list[ItemsMatched] = []

    def send(message: Message, *, delay: float | None = None) -> str:
        assert isinstance(message, ItemsMatched)  # noqa: S101 (the only message that the stage gives)
        sent.append(message)
        return ""

    matcher = Matcher(db=running.db, send=send, metrics=running.metrics)

    def match(message: ItemsFetched) -> list[ItemsMatched]:
        sent.clear()
        matcher.match(message)
        return list(sent)

    return match


def _backfill(
    running: RunningProcess, sources: Mapping[str, Source], slug: str, since: float, query: str | None
) -> int:
    ages, found = configured_ages(running.config.retention), searchable(running, sources)
    plan = operation.plan(running.db, slug, found, since=since, now=running.clock(), query=query, ages=ages)
    for source in plan.unsearchable:
        reason = getattr(sources.get(source), "reason", "it has no search")
        print_line(("! ", "yellow"), f"{source} cannot be backfilled: {reason}", stderr=True)
    if not plan.searches:
        raise CliError(f"nothing can be backfilled: {plan.slug} watches no source that can be searched")
    _print_start(plan, since)
    filler = Backfiller(
        db=running.db, sources=found, match=matching(running), clock=running.clock, ages=ages, stop=running.stop
    )
    with BackfillScreen(plan).shown() as screen:
        done = filler.run(plan, screen.report)
    totals = screen.totals
    print_line(
        ("✓ " if done else "! ", "green" if done else "yellow"),
        (plan.slug, "bold"),
        f": {counted(totals.mentions, 'new mention')} in {counted(totals.items, 'item')}"
        f"{'' if done else '; interrupted: the same command resumes it'}.",
    )
    if done and totals.mentions:
        print_line("  To list them: ", (f"overheard mentions --workspace {plan.slug}", "bold"))
    return 0 if done else INTERRUPTED_EXIT_CODE


def _print_start(plan: BackfillPlan, since: float) -> None:
    begins = min(search.since for search in plan.searches)
    if plan.resumed:
        print_line(f"Resuming the backfill since {rfc3339(begins)}.")
    elif begins > since + 1:
        print_line(("! ", "yellow"), f"[retention] keeps nothing older than {rfc3339(begins)}.", stderr=True)


class BackfillTotals:
    """What all searches have found so far."""

    def __init__(self, plan: BackfillPlan) -> None:
        self._searches = {(search.source, search.place): search for search in plan.searches}

    def update(self, search: BackfillSearch) -> None:
        self._searches[search.source, search.place] = search

    @property
    def items(self) -> int:
        return sum(search.items for search in self._searches.values())

    @property
    def mentions(self) -> int:
        return sum(search.mentions for search in self._searches.values())

    @property
    def fraction(self) -> float:
        return sum(search.fraction for search in self._searches.values()) / len(self._searches)


class BackfillScreen:
    """A progress bar; if stdout is a pipe, a line for each place that is done."""

    def __init__(self, plan: BackfillPlan) -> None:
        self.totals = BackfillTotals(plan)
        self._bar: Progress | None = None
        self._task = TaskID(0)

    @contextmanager
    def shown(self) -> Iterator[BackfillScreen]:
        """Show the bar meanwhile."""
        if not output.console().is_terminal:
            yield self
            return
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
        with Progress(*columns, TimeRemainingColumn(), console=output.console(), transient=True) as self._bar:
            self._task = self._bar.add_task("", total=1.0)
            yield self

    def report(self, search: BackfillSearch, note: str) -> None:
        """Show how far a search has got."""
        self.totals.update(search)
        where = one_line(place_label(search.source, search.place))
        if note:
            self.note(f"{where}: {note}")
        found = f"{counted(search.items, 'item')}, {counted(search.mentions, 'new mention')}"
        if self._bar is not None:
            self._bar.update(self._task, completed=self.totals.fraction, description=f"{where}  {found}")
        elif search.finished_at is not None:
            print_line(f"{where}: {found}")

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        if self._bar is not None:
            self._bar.console.print(f"! {one_line(text)}", style="yellow")
        else:
            print_line(("! ", "yellow"), one_line(text), stderr=True)
