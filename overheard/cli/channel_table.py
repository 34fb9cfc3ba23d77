"""The table of ``overheard channel list``: two lines for each channel on a terminal, one in a pipe."""

from __future__ import annotations

from rich.text import Text

from overheard.cli import output
from overheard.cli.output import Column, one_line
from overheard.clock import system_clock
from overheard.operations.channels import ChannelState
from overheard.operations.wording import ago, span, until


def columns() -> tuple[Column, ...]:
    """Return the columns for the current stdout."""
    return TERMINAL_COLUMNS if output.console().is_terminal else PIPED_COLUMNS


def _state(row: ChannelState) -> Text:
    if row.since_at is None:
        return Text(row.state, style="green")
    age = span(system_clock() - row.since_at)
    return Text(f"{row.state} for {age}", style="bold red" if row.state == "disabled" else "yellow")


def _waiting(row: ChannelState) -> str:
    counts = ((row.backlog, "waiting"), (row.held, "held"), (row.muted, "muted"))
    return ", ".join(f"{count:,} {name}" for count, name in counts if count)


def _next_try(row: ChannelState) -> str:
    return "" if row.next_try_at is None else until(row.next_try_at, system_clock())


def _last_sent(row: ChannelState) -> str:
    return ago(row.last_success_at, system_clock())


def _trouble(row: ChannelState) -> str:
    """Return why it fails or is disabled; of a healthy one, the last error and when that was."""
    if row.reason or row.last_error is None:
        return one_line(row.reason)
    return f"{ago(row.last_error_at, system_clock())}: {one_line(row.last_error)}"


def _below(first: str | Text, second: str) -> Text:
    return Text.assemble(first, "\n", (second, "dim")) if second else Text.assemble(first)


def _next_try_in_words(row: ChannelState) -> str:
    return f"next try {_next_try(row)}" if row.next_try_at is not None else ""


TERMINAL_COLUMNS = (
    Column(
        "Channel",
        lambda row: _below(Text(one_line(row.name), "bold"), f"{row.workspace} · {row.mode}"),
        {"overflow": "fold", "min_width": 12},
    ),
    Column("State", lambda row: _below(_state(row), f"last sent {_last_sent(row)}")),
    Column("Deliveries", lambda row: _below(_waiting(row) or "nothing waits", _next_try_in_words(row))),
    Column(
        "URL, last error",
        lambda row: Text("\n").join(line for line in (Text(row.url, "dim"), Text(_trouble(row))) if line.plain),
        {"overflow": "fold", "ratio": 1},
    ),
)
PIPED_COLUMNS = (
    Column("Workspace", lambda row: row.workspace),
    Column("Channel", lambda row: one_line(row.name)),
    Column("URL", lambda row: row.url),
    Column("Mode", lambda row: row.mode),
    Column("State", _state),
    Column("Deliveries", _waiting),
    Column("Last sent", _last_sent),
    Column("Next try", _next_try),
    Column("Last error", _trouble),
)
