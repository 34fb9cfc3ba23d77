"""``overheard dead replay`` and ``overheard dead drop``."""

from __future__ import annotations

import sys
from typing import Any

import click

from overheard.cli import output
from overheard.cli.context import open_app
from overheard.cli.dead_letters.filters import chosen, filters, print_kinds
from overheard.cli.group import CliError, WrongUsage
from overheard.cli.output import line
from overheard.db import dead_letters as stored
from overheard.db.dead_letters import DeadLetterFilter
from overheard.operations import dead_letters
from overheard.operations.dead_letters import DeadLetterReplay
from overheard.operations.wording import counted, span
from overheard.process import RunningProcess

BAR_FROM = 200  # dead letters: fewer are sent before it can be read

ids_argument = click.argument("ids", nargs=-1, type=int, metavar="[ID]…")
all_option = click.option("--all", "every", is_flag=True, help="All of them.")
yes_option = click.option("--yes", "-y", is_flag=True, help="Without asking: for scripts.")


@click.command
@ids_argument
@filters
@all_option
@yes_option
@click.pass_context
def drop(context: click.Context, /, ids: tuple[int, ...], every: bool, yes: bool, **given: Any) -> None:
    """Forget those with these IDs, those that the options choose, or --all."""
    which = chosen(given, ids, every)
    with open_app(context) as program:
        gather(program)
        which = _confirmed(program, which, yes, "Drop {}?")
        number = stored.drop(program.db, which)
    line(("✓ ", "green"), f"{counted(number, 'dead letter')} dropped.")


@click.command
@ids_argument
@filters
@all_option
@yes_option
@click.pass_context
def replay(context: click.Context, /, ids: tuple[int, ...], every: bool, yes: bool, **given: Any) -> None:
    """Send those with these IDs, those that the options choose, or --all, to their stages again.

    Refused events are published again. What RabbitMQ has confirmed is not a dead letter any more. Messages keep their
    ids and begin anew: no retries used, no delay, no slot held. Items are not kept in dead letters: those of match and
    store stay where they are, as the next reading brings their items again.
    """
    which = chosen(given, ids, every)
    with open_app(context) as program:
        dead_letters.require_replayable(program)
        gather(program)
        which = _confirmed(program, which, yes, "Send {} again?")
        total = stored.count(program.db, which)
        hidden = total < BAR_FROM or not output.console(stderr=True).is_terminal
        with click.progressbar(length=total, label="Sending", file=sys.stderr, hidden=hidden) as bar:
            outcome = dead_letters.replay(program, which, lambda: bar.update(1))
    _tell(outcome)


def gather(program: RunningProcess) -> None:
    """Have all of them in the table, or say what is not."""
    if (missing := dead_letters.gather(program)) is not None:
        line(("! ", "yellow"), missing, stderr=True)


def _confirmed(program: RunningProcess, which: DeadLetterFilter, yes: bool, question: str) -> DeadLetterFilter:
    """Return exactly what is to be settled. Asks, unless IDs were named."""
    which = dead_letters.as_they_are(program.db, which)
    kinds = dead_letters.kinds(program.db, which, "reason")
    number = sum(kind.count for kind in kinds)
    if which.ids is not None or not number or yes:
        return which
    if sys.stdin is None or not sys.stdin.isatty():
        raise WrongUsage(
            f"this asks before it goes on, and nobody is here to answer ({counted(number, 'dead letter')})\nadd --yes"
        )
    print_kinds(kinds)
    line()
    these = "this dead letter" if number == 1 else f"these {number:,} dead letters"
    click.confirm(question.format(these), abort=True, err=True)
    return which


def _tell(outcome: DeadLetterReplay) -> None:
    failed = outcome.fault is not None or outcome.stay or outcome.held
    if outcome.sent or not failed:
        line(("✓ ", "green"), f"{counted(outcome.sent, 'dead letter')} sent again.")
    for reason, number in outcome.stay.most_common():
        line(("! ", "yellow"), f"{counted(number, 'dead letter')} not sent: {output.flat(reason)}", stderr=True)
    if outcome.fault is not None:
        raise CliError(f"{outcome.fault}\nthe others stay where they are; replay them when it is back")
    problems = []
    if number := outcome.stay.total():
        problems.append(f"{counted(number, 'dead letter')} stay where they are")
    if number := outcome.held:
        are = "is" if number == 1 else "are"
        problems.append(
            f"{counted(number, 'dead letter')} {are} being sent by somebody else just now; "
            f"what is left then can be sent again in {span(outcome.held_for)}"
        )
    if problems:
        raise CliError("\n".join(problems))
