"""How ``overheard status`` looks: from 80 columns on, once or again and again in the same place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from overheard.bus.queue_depths import QueueDepth
from overheard.channels.rendering.sanitize import clean
from overheard.cli import output
from overheard.cli.output import Column, flat
from overheard.operations.facts import Facts, StoredFacts
from overheard.operations.outages import REDDIT_AWAY_SECONDS
from overheard.operations.problems import Problem, is_healthy
from overheard.operations.processes import Process
from overheard.operations.wording import ago, ahead, counted, span
from overheard.sources.registry import place_label

FEEDS_SHOWN = 5  # refused ones; --format json has more
NOTHING = Text("–", style="dim")
Styled = tuple[str, str]


class View(msgspec.Struct, frozen=True):
    """What is to be seen. ``last``: what was known before the database went away; ``note`` stands at the end."""

    facts: Facts
    problems: list[Problem]
    last: StoredFacts | None = None
    note: str = ""


def parts(view: View, *, problems_first: bool = False) -> Iterator[RenderableType]:
    """From the top to the bottom. On a screen that may be too short, what is wrong must not be what is cut off."""
    told = list(_problems(view.problems))
    yield _headline(view)
    if problems_first and told:
        yield from ("", *told)
    if (stored := view.facts.stored or view.last) is not None:
        style = "" if view.facts.stored is not None else "dim"
        yield from ("", Padding(output.facts(_lines(stored, view.facts.now)), 0, style=style))
    if (rows := _rows(view.facts)) and (columns := _columns(view.facts)):
        yield from ("", output.table(rows, columns))
    if stored is not None and stored.refused:
        yield from ("", output.table(stored.refused[:FEEDS_SHOWN], _refused_columns(view.facts.now)))
        if (more := stored.feeds["failing"] - FEEDS_SHOWN) > 0:
            yield Text(f"… and {more:,} more; --format json names a hundred", style="dim")
    if not problems_first and told:
        yield from ("", *told)
    if view.note:
        yield from ("", Text(view.note, style="dim"))


def _headline(view: View) -> RenderableType:
    severe = sum(problem.severe for problem in view.problems)
    if not is_healthy(view.problems):
        said = Text(f"✗ {counted(severe, 'trouble')}", style="bold red")
    elif (stored := view.facts.stored) is not None and not stored.in_use:
        said = Text("– Not in use yet.", style="bold yellow")
    elif view.problems:
        said = Text("✓ It works.", style="bold green")
    else:
        said = Text("✓ All is well.", style="bold green")
    if minor := len(view.problems) - severe:
        said.append(f"  ! {counted(minor, 'thing')} to look at", style="not bold yellow")
    when = datetime.fromtimestamp(view.facts.now).astimezone()
    line = Table.grid(padding=(0, 3, 0, 0))
    line.add_row(said, Text(f"{when:%a %d %b %H:%M:%S %Z}", style="dim"))
    return line


def _lines(stored: StoredFacts, now: float) -> Iterator[tuple[str, Text]]:
    yield "Last tick", Text(ago(stored.last_tick_at, now))
    yield "Workspaces", _counts(("active", stored.active, ""), ("paused", stored.paused, ""))
    feeds = stored.feeds
    yield "Feeds", _counts(("ok", feeds["ok"], ""), ("failing", feeds["failing"], "yellow"), ("new", feeds["new"], ""))
    yield "Lag", Text("–" if stored.lag is None else f"{span(stored.lag)} since the feed that waits longest was read")
    if stored.gaps:
        yield "Gaps", Text(f"{stored.gaps:,} open (overheard gap list)")
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
    waiting = stored.deliveries
    yield "Deliveries", _counts(("pending", waiting.pending, ""), ("held for digests", waiting.held, ""))
    if stored.canary is not None:
        yield "Canary", Text(f"came out {ago(stored.canary.delivered_at, now)}, one every {span(stored.canary.every)}")
    yield "Dead letters", Text(f"{stored.dead_letters:,}", style="yellow" if stored.dead_letters else "")


def _counts(*counts: tuple[str, int, str]) -> Text:
    """``3 ok, 1 failing``: a number has its colour where it is not zero."""
    found = [Text(f"{number:,} {name}", style=style if number else "") for name, number, style in counts]
    return Text(", ").join(found)


def _reddit(stored: StoredFacts, now: float) -> Text:
    state, left = stored.reddit, stored.remaining
    away = state.failing_for(now)
    silence = "login refused" if state.revoked else "no answer"
    facts = [
        Text(
            f"{silence} for {span(away)}" if away else "", style="bold red" if away > REDDIT_AWAY_SECONDS else "yellow"
        ),
        Text(f"last read {ago(state.read_at, now)}" if state.read_at else ""),
        Text("requests left: not known" if left is None else f"{left:,.0f} requests left"),
        Text(f"booked for the next {span(stored.booked)}" if stored.booked >= 1 else ""),
    ]
    return Text(", ").join(fact for fact in facts if fact)


def _ages(stored: StoredFacts, now: float) -> Text:
    found = [f"{work} {span(now - since)}" for work, since in stored.oldest.items() if since is not None]
    return Text(", ".join(found) or "nothing waits")


class ProgramRow(msgspec.Struct):
    """A program: its queue on RabbitMQ, and its processes on this machine."""

    name: str
    queue: QueueDepth | None
    processes: list[Process]


def _rows(facts: Facts) -> list[ProgramRow]:
    rows = {
        name: ProgramRow(name, queue, [])
        for queue in facts.queues or ()
        if (name := queue.name.removeprefix("overheard."))
    }
    for process in facts.processes or ():
        rows.setdefault(process.program, ProgramRow(process.program, None, [])).processes.append(process)
    return list(rows.values())


def _columns(facts: Facts) -> list[Column]:
    right = {"justify": "right", "no_wrap": True}
    columns = [Column("Stage" if facts.queues else "Process", lambda row: row.name, {"no_wrap": True})]
    if facts.queues:
        columns += [
            Column("Waiting", lambda row: _number(row.queue and row.queue.waiting), right),
            Column("Delayed", lambda row: _number(row.queue and row.queue.delayed), right),
            Column("Workers", _workers, right),
        ]
    if facts.processes:
        columns += [
            Column("Processes", _processes, right),
            Column("Up", lambda row: _up(row, facts.now), right),
            Column("Memory", _memory, right),
            Column("Done", lambda row: _number(sum(process.done for process in row.processes) or None), right),
        ]
    return columns if len(columns) > 1 else []


def _number(number: int | None) -> Text:
    return NOTHING if number is None else Text(f"{number:,}", style="" if number else "dim")


def _workers(row: ProgramRow) -> Text:
    if row.queue is None:
        return NOTHING
    return Text(f"{row.queue.workers or 0:,}", style="" if row.queue.workers else "bold red")


def _processes(row: ProgramRow) -> Text:
    ill = sum(bool(process.problems) for process in row.processes)
    if not row.processes:
        return NOTHING
    return Text(f"{ill} of {len(row.processes)} ill", style="bold red") if ill else Text(f"{len(row.processes)}")


def _up(row: ProgramRow, now: float) -> Text:
    """Of the youngest: the one that may have been restarted."""
    began = max((process.began for process in row.processes if process.began), default=None)
    return NOTHING if began is None else Text(span(now - began))


def _memory(row: ProgramRow) -> Text:
    most = max((process.memory for process in row.processes if process.memory), default=None)
    return NOTHING if most is None else Text(f"{most / 1e6:,.0f} MB")


def _refused_columns(now: float) -> Iterable[Column]:
    return (
        Column("Refused feed", lambda row: place_label(row.source, row.name)),
        Column("Of", lambda row: row.kind),
        Column("Reason", lambda row: flat(row.reason)),
        Column("Tries", lambda row: f"{row.failures:,}", {"justify": "right"}),
        Column("Next try", lambda row: ahead(row.retry_at, now)),
    )


def _problems(problems: list[Problem]) -> Iterator[RenderableType]:
    for problem in problems:
        sign: Styled = ("✗", "bold red") if problem.severe else ("!", "yellow")
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(Text(*sign), flat(problem.what))
        grid.add_row("", Text(clean(problem.do), style="dim"))
        yield grid
