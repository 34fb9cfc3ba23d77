"""The screen of ``overheard status``, for terminals of 80 columns or more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from overheard.channels.rendering.sanitize import clean
from overheard.cli import output
from overheard.cli.output import Column, one_line
from overheard.cli.source_table import source_columns
from overheard.cli.status.programs import programs_table
from overheard.operations import reddit_clients
from overheard.operations.database_state import DatabaseState
from overheard.operations.facts import SystemState
from overheard.operations.outages import AWAY_SECONDS
from overheard.operations.problems import Problem, is_healthy
from overheard.operations.wording import ago, counted, span, until
from overheard.sources.registry import place_label

REFUSED_FEEDS_MAX_ROWS = 5  # --format json has more


class View(msgspec.Struct, frozen=True):
    """What to show. ``last_known`` is the state before the database went away; ``footer`` is the last line."""

    facts: SystemState
    problems: list[Problem]
    last_known: DatabaseState | None = None
    footer: str = ""


def render(view: View, *, problems_first: bool = False) -> Iterator[RenderableType]:
    """Yield the parts from top to bottom. ``problems_first``: a screen may cut off its end, but never the problems."""
    problems = list(_problems(view.problems))
    yield _headline(view)
    if problems_first and problems:
        yield from ("", *problems)
    if (stored := view.facts.stored or view.last_known) is not None:
        style = "" if view.facts.stored is not None else "dim"
        yield from ("", Padding(output.facts_table(_lines(stored, view.facts.now)), 0, style=style))
        if watched := [report for report in stored.source_reports if report.is_watched]:
            yield from ("", output.table(watched, source_columns(view.facts.now)))
    if (programs := programs_table(view.facts)) is not None:
        yield from ("", programs)
    if stored is not None and stored.refused:
        yield from ("", output.table(stored.refused[:REFUSED_FEEDS_MAX_ROWS], _refused_columns(view.facts.now)))
        if (more := stored.feeds["failing"] - REFUSED_FEEDS_MAX_ROWS) > 0:
            yield Text(f"… and {more:,} more; use --format json to list up to 100", style="dim")
    if not problems_first and problems:
        yield from ("", *problems)
    if view.footer:
        yield from ("", Text(view.footer, style="dim"))


def _headline(view: View) -> RenderableType:
    severe = sum(problem.severe for problem in view.problems)
    if not is_healthy(view.problems):
        verdict = Text(f"✗ {counted(severe, 'problem')}", style="bold red")
    elif (stored := view.facts.stored) is not None and not stored.in_use:
        verdict = Text("– Not in use yet", style="bold yellow")
    else:
        verdict = Text("✓ OK", style="bold green")
    if minor := len(view.problems) - severe:
        verdict.append(f"  ! {counted(minor, 'warning')}", style="not bold yellow")
    when = datetime.fromtimestamp(view.facts.now).astimezone()
    line = Table.grid(padding=(0, 3, 0, 0))
    line.add_row(verdict, Text(f"{when:%a %d %b %H:%M:%S %Z}", style="dim"))
    return line


def _lines(stored: DatabaseState, now: float) -> Iterator[tuple[str, Text]]:
    yield "Last tick", Text(ago(stored.last_tick_at, now))
    yield "Workspaces", _counts(("active", stored.active, ""), ("paused", stored.paused, ""))
    feeds = stored.feeds
    yield "Feeds", _counts(("ok", feeds["ok"], ""), ("failing", feeds["failing"], "yellow"), ("new", feeds["new"], ""))
    yield "Lag", Text("–" if stored.lag is None else f"{span(stored.lag)} since the longest-waiting feed was read")
    if stored.gaps or stored.gaps_lost:
        yield "Gaps", _gaps(stored)
    yield "Reddit", _reddit(stored, now)
    yield "Oldest work", _ages(stored, now)
    states = stored.channels
    yield (
        "Channels",
        _counts(
            ("ok", states["ok"], ""),
            ("failing", states["failing"], "yellow"),
            ("disabled", states["disabled"], "bold red"),
        ),
    )
    deliveries = stored.deliveries
    yield "Deliveries", _counts(("pending", deliveries.pending, ""), ("held", deliveries.held, ""))
    if stored.canary is not None:
        canary = stored.canary
        yield "Canary", Text(f"delivered {ago(canary.delivered_at, now)}, one every {span(canary.every)}")
    yield "Dead letters", Text(f"{stored.dead_letters:,}", style="yellow" if stored.dead_letters else "")


def _gaps(stored: DatabaseState) -> Text:
    left = f", {counted(stored.gap_requests, 'request')} to fill them" if stored.gap_requests else ""
    lost = Text(f"{stored.gaps_lost:,} lost", style="yellow" if stored.gaps_lost else "")
    return Text(", ").join([Text(f"{stored.gaps:,} open{left}"), lost]).append(" (overheard gap list)")


def _counts(*counts: tuple[str, int, str]) -> Text:
    """Return ``3 ok, 1 failing``; the style applies to counts above zero."""
    parts = [Text(f"{number:,} {name}", style=style if number else "") for name, number, style in counts]
    return Text(", ").join(parts)


def _reddit(stored: DatabaseState, now: float) -> Text:
    state, remaining = stored.reddit, stored.remaining
    failing_seconds = state.failing_for(now)
    refused = len(reddit_clients.refused(stored.clients))
    failure = "login refused" if state.revoked else "no answer"
    parts = [
        Text(
            f"{failure} for {span(failing_seconds)}" if failing_seconds else "",
            style="bold red" if failing_seconds > AWAY_SECONDS else "yellow",
        ),
        Text(f"last read {ago(state.read_at, now)}" if state.read_at else ""),
        Text("requests left: unknown" if remaining is None else f"{remaining:,.0f} requests left"),
        Text(f"{refused} of {len(stored.clients)} clients refused" if refused else "", style="yellow"),
        Text(f"fully booked for {span(stored.booked)}" if stored.booked >= 1 else ""),
    ]
    return Text(", ").join(part for part in parts if part)


def _ages(stored: DatabaseState, now: float) -> Text:
    ages = [f"{work} {span(now - since)}" for work, since in stored.oldest.items() if since is not None]
    return Text(", ".join(ages) or "none")


def _refused_columns(now: float) -> Iterable[Column]:
    return (
        Column("Refused feed", lambda row: place_label(row.source, row.name)),
        Column("Kind", lambda row: row.kind),
        Column("Reason", lambda row: one_line(row.reason)),
        Column("Tries", lambda row: f"{row.failures:,}", {"justify": "right"}),
        Column("Next try", lambda row: until(row.retry_at, now)),
    )


def _problems(problems: list[Problem]) -> Iterator[RenderableType]:
    for problem in problems:
        mark = Text("✗", "bold red") if problem.severe else Text("!", "yellow")
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(mark, one_line(problem.message))
        grid.add_row("", Text(clean(problem.remedy), style="dim"))
        yield grid
