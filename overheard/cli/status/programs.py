"""The table of programs in ``overheard status``: their queues on RabbitMQ, and their processes on this machine."""

from __future__ import annotations

import msgspec
from rich.table import Table
from rich.text import Text

from overheard.bus.queue_depths import QueueDepth
from overheard.cli import output
from overheard.cli.output import Column
from overheard.operations.facts import SystemState
from overheard.operations.processes import ProcessReport
from overheard.operations.wording import span

DASH = Text("–", style="dim")


class ProgramRow(msgspec.Struct):
    """A program: its queue on RabbitMQ, and its processes on this machine."""

    name: str
    queue: QueueDepth | None
    processes: list[ProcessReport]


def programs_table(facts: SystemState) -> Table | None:
    """Return the table; None if neither queues nor processes are known."""
    rows, columns = _rows(facts), _columns(facts)
    return output.table(rows, columns) if rows and columns else None


def _rows(facts: SystemState) -> list[ProgramRow]:
    rows = {
        name: ProgramRow(name, queue, [])
        for queue in facts.queues or ()
        if (name := queue.name.removeprefix("overheard."))
    }
    for process in facts.processes or ():
        rows.setdefault(process.program, ProgramRow(process.program, None, [])).processes.append(process)
    return list(rows.values())


def _columns(facts: SystemState) -> list[Column]:
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
    return DASH if number is None else Text(f"{number:,}", style="" if number else "dim")


def _workers(row: ProgramRow) -> Text:
    if row.queue is None:
        return DASH
    return Text(f"{row.queue.workers or 0:,}", style="" if row.queue.workers else "bold red")


def _processes(row: ProgramRow) -> Text:
    unhealthy = sum(bool(process.problems) for process in row.processes)
    if not row.processes:
        return DASH
    if unhealthy:
        return Text(f"{unhealthy} of {len(row.processes)} unhealthy", style="bold red")
    return Text(f"{len(row.processes)}")


def _up(row: ProgramRow, now: float) -> Text:
    # The uptime of the youngest process: the one that may be restarting.
    began = max((process.began for process in row.processes if process.began), default=None)
    return DASH if began is None else Text(span(now - began))


def _memory(row: ProgramRow) -> Text:
    # The largest process: each must fit its own budget.
    largest = max((process.memory for process in row.processes if process.memory), default=None)
    return DASH if largest is None else Text(f"{largest / 1e6:,.0f} MB")
