"""``overheard dead replay`` and ``overheard dead drop``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import click
import msgspec

from overheard.bus.connect import open_broker
from overheard.bus.door import Events
from overheard.bus.drain import drain
from overheard.bus.sender import Sender
from overheard.cli import output
from overheard.cli.group import Fault, Misuse
from overheard.cli.opening import opened
from overheard.cli.output import line
from overheard.cli.which import alike, chosen, filters, grouped, print_kinds
from overheard.db import dead_letters
from overheard.db.connect import Db
from overheard.db.dead_letters import DeadLetterRow, Which
from overheard.errors import InvalidInput, NotFound, Unavailable
from overheard.operations.wording import counted, span
from overheard.program import Program
from overheard.stages import STAGES

BATCH = 20  # letters claimed at once: an event may be 4 MiB
DRAIN = 30.0  # seconds
MEMORY = (
    "nothing can be replayed on memory://, the bus inside `overheard run`\n"
    "its ticks ask anew for what was left undone: mend the cause, then `overheard dead drop` them"
)

Send = Callable[[DeadLetterRow], object]

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
    which = _which(ids, every, given)
    with opened(context) as program:
        gather(program)
        which = _settled_on(program.db, which, "Drop", yes)
        number = dead_letters.drop(program.db, which)
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
    which = _which(ids, every, given)
    with opened(context) as program:
        if program.config.bus.embedded:
            raise Fault(MEMORY)
        gather(program)
        which = _settled_on(program.db, which, "Send", yes, "again")
        with _sending(program) as send:
            outcome = _replay(program.db, which, send)
    _tell(outcome)


class Outcome(msgspec.Struct):
    """What became of a replay. ``held``: how many somebody else is sending, for ``held_for`` seconds at most.
    ``fault``: why it ended before its time.
    """

    sent: int = 0
    stay: Counter[str] = msgspec.field(default_factory=Counter)
    held: int = 0
    held_for: float = 0.0
    fault: str | None = None


def _which(ids: tuple[int, ...], every: bool, given: dict[str, Any]) -> Which:
    which = chosen(given)
    if sum((bool(ids), every, which != Which())) != 1:
        raise click.UsageError("name IDs (see `overheard dead list`), or say which by --reason, --stage …, or --all")
    return msgspec.structs.replace(which, ids=tuple(dict.fromkeys(ids))) if ids else which


def gather(program: Program) -> None:
    """Have all of it in the table: a copy that the bus still holds would come back as a dead letter of its own."""
    if program.config.bus.embedded:
        return
    try:
        drain(program.config.bus.address, STAGES.values(), program.record_found, seconds=DRAIN)
    except Unavailable as error:
        line(("! ", "yellow"), f"{error}: what its dead-letter queues still hold is listed later", stderr=True)


def _settled_on(db: Db, which: Which, verb: str, yes: bool, again: str = "") -> Which:
    """Exactly what will be settled: what dies from now on is not in it. Asks, unless IDs were named."""
    if which.ids is not None:
        there = {row.id for row in dead_letters.listing(db, which)}
        if missing := [number for number in which.ids if number not in there]:
            raise NotFound(f"no dead letter {missing[0]}; `overheard dead list` lists them")
        return which
    which = msgspec.structs.replace(which, last_id=dead_letters.last_id(db))
    reasons = dead_letters.reasons(db, which)
    number = sum(reason.count for reason in reasons)
    if not number or yes:
        return which
    if sys.stdin is None or not sys.stdin.isatty():
        raise Misuse(
            f"this asks before it goes on, and nobody is here to answer ({counted(number, 'dead letter')})\nadd --yes"
        )
    print_kinds(grouped(reasons, "reason"))
    line()
    question = f"{verb} {'this dead letter' if number == 1 else f'these {number:,} dead letters'} {again}".strip()
    click.confirm(f"{question}?", abort=True, err=True)
    return which


@contextmanager
def _sending(program: Program) -> Iterator[Send]:
    url = program.config.bus.address
    broker = open_broker(
        url, stages=STAGES.values(), metrics=program.metrics, record_dead=program.record_dead, name="dead replay"
    )
    sender, events = Sender(broker), Events(url, name="dead replay")

    def send(letter: DeadLetterRow) -> None:
        body = letter.body.encode()
        if letter.origin != "rejected":
            sender.replay(body)
        elif letter.routing_key is None:
            raise InvalidInput("it is an event whose type was not kept; publish it anew, then drop this")
        else:
            events.replay(letter.routing_key, body, letter.message_id)

    try:
        yield send
    finally:
        events.close()
        broker.close()


def _replay(db: Db, which: Which, send: Send) -> Outcome:
    """Claim some, send each, forget it once RabbitMQ has it. A crash in between sends a letter twice, with its id."""
    outcome, after_id, total = Outcome(), 0, dead_letters.count(db, which)
    with _progress(total) as advance:
        while claims := dead_letters.claim(db, which, after_id=after_id, limit=BATCH):
            after_id = claims[-1].letter.id
            left = list(claims)
            try:
                for claimed in claims:
                    if _send_one(claimed.letter, send, outcome):
                        dead_letters.settled(db, claimed)
                        left.remove(claimed)
                    advance()
            except Unavailable as error:
                outcome.fault = str(error)
                return outcome
            finally:
                dead_letters.release(db, left)
    outcome.held, outcome.held_for = dead_letters.held(db, which)
    return outcome


def _send_one(letter: DeadLetterRow, send: Send, outcome: Outcome) -> bool:
    try:
        send(letter)
    except InvalidInput as error:
        again = "it would be refused again: " if letter.origin == "rejected" else ""
        outcome.stay[alike(f"{again}{error}")] += 1
        return False
    outcome.sent += 1
    return True


def _progress(total: int) -> Any:
    """A bar on stderr for people who wait: a call for each letter that is done with."""
    console = output.console(stderr=True)
    if total < 10 * BATCH or not console.is_terminal:
        return nullcontext(lambda: None)
    return _bar(console, total)


@contextmanager
def _bar(console: Any, total: int) -> Iterator[Callable[[], None]]:
    from rich.progress import Progress

    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("Sending", total=total)
        yield lambda: bar.advance(task)


def _tell(outcome: Outcome) -> None:
    failed = outcome.fault is not None or outcome.stay or outcome.held
    if outcome.sent or not failed:
        line(("✓ ", "green"), f"{counted(outcome.sent, 'dead letter')} sent again.")
    for reason, number in outcome.stay.most_common():
        line(("! ", "yellow"), f"{counted(number, 'dead letter')} not sent: {output.flat(reason)}", stderr=True)
    if outcome.fault is not None:
        raise Fault(f"{outcome.fault}\nthe others stay where they are; replay them when it is back")
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
        raise Fault("\n".join(problems))
