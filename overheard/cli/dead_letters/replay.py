"""``overheard dead-letters replay`` and ``overheard dead-letters drop``."""

from __future__ import annotations

import sys
from typing import Any

import click

from overheard.cli import output
from overheard.cli.context import running_process
from overheard.cli.dead_letters.filters import filter_of, filters, print_kinds
from overheard.cli.output import print_line
from overheard.cli.root import CliError, WrongUsage
from overheard.db import dead_letters as stored
from overheard.db.dead_letters import DeadLetterFilter
from overheard.operations import dead_letter_replay, dead_letters
from overheard.operations.dead_letter_replay import DeadLetterReplay
from overheard.operations.wording import counted, span
from overheard.process import RunningProcess

PROGRESS_BAR_MIN_COUNT = 200  # fewer dead letters are sent before a progress bar can be read

ids_argument = click.argument("ids", nargs=-1, type=int, metavar="[ID]…")
all_option = click.option("--all", "all_", is_flag=True, help="All dead letters.")
yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation: for scripts.")


@click.command
@ids_argument
@filters
@all_option
@yes_option
@click.pass_context
def drop(context: click.Context, /, ids: tuple[int, ...], all_: bool, yes: bool, **options: Any) -> None:
    """Delete dead letters by ID, by filter or --all."""
    which = filter_of(options, ids, all_)
    with running_process(context) as running:
        drain_bus(running)
        # After the bus was drained: else dead letters still in its queues would be missing from the question.
        which = _confirmed(running, which, yes, "Drop {}?")
        number = stored.drop(running.db, which)
    print_line(("✓ ", "green"), f"{counted(number, 'dead letter')} dropped.")


@click.command
@ids_argument
@filters
@all_option
@yes_option
@click.pass_context
def replay(context: click.Context, /, ids: tuple[int, ...], all_: bool, yes: bool, **options: Any) -> None:
    """Replay dead letters by ID, by filter or --all.

    Messages go to their stages again, rejected events are published again, and each is deleted once RabbitMQ has
    confirmed it. Messages keep their ids, but not their used retries, delays and reserved slots. Dead letters of match
    and store are not replayed, as their items are not kept: the next poll reads those items again.
    """
    which = filter_of(options, ids, all_)
    with running_process(context) as running:
        dead_letter_replay.require_replayable(running)
        drain_bus(running)
        which = _confirmed(running, which, yes, "Send {} again?")
        total = stored.count(running.db, which)
        hide_bar = total < PROGRESS_BAR_MIN_COUNT or not output.console(stderr=True).is_terminal
        with click.progressbar(length=total, label="Sending", file=sys.stderr, hidden=hide_bar) as bar:
            outcome = dead_letter_replay.replay(running, which, lambda: bar.update(1))
    _print_outcome(outcome)


def drain_bus(running: RunningProcess) -> None:
    """Move all dead letters from the bus to the database; warn if some may remain there."""
    if (warning := dead_letters.drain_bus(running)) is not None:
        print_line(("! ", "yellow"), warning, stderr=True)


def _confirmed(running: RunningProcess, which: DeadLetterFilter, yes: bool, question: str) -> DeadLetterFilter:
    """Return a filter of exactly what was shown and confirmed: later arrivals are not in it."""
    which = dead_letters.frozen(running.db, which)
    kinds = dead_letters.count_kinds(running.db, which, "reason")
    number = sum(kind.count for kind in kinds)
    if which.ids is not None or not number or yes:
        return which  # IDs were typed one by one, which is confirmation enough
    if sys.stdin is None or not sys.stdin.isatty():
        raise WrongUsage(
            f"confirmation is needed, but stdin is not a terminal ({counted(number, 'dead letter')})\nadd --yes"
        )
    print_kinds(kinds)
    print_line()
    these = "this dead letter" if number == 1 else f"these {number:,} dead letters"
    # On stderr, as stdout may be a pipe, where the question would not be seen.
    click.confirm(question.format(these), abort=True, err=True)
    return which


def _print_outcome(outcome: DeadLetterReplay) -> None:
    failed = outcome.error is not None or outcome.unsent or outcome.leased
    if outcome.sent or not failed:
        print_line(("✓ ", "green"), f"{counted(outcome.sent, 'dead letter')} sent again.")
    for reason, number in outcome.unsent.most_common():
        print_line(
            ("! ", "yellow"), f"{counted(number, 'dead letter')} not sent: {output.one_line(reason)}", stderr=True
        )
    if outcome.error is not None:
        raise CliError(f"{outcome.error}\nthe others are still dead letters; replay them when it is back")
    problems = []
    if number := outcome.unsent.total():
        problems.append(f"{counted(number, 'dead letter')} not sent")
    if number := outcome.leased:
        are = "is" if number == 1 else "are"
        problems.append(
            f"{counted(number, 'dead letter')} {are} being sent by another process; "
            f"any that remain can be replayed in {span(outcome.lease_seconds)}"
        )
    if problems:
        raise CliError("\n".join(problems))
