"""The one table of stages, in the order of the data flow: messages taken and given, handler, limits, port.

A message goes to the next stage below its sender that takes it, or else to the first stage that does. So a stage that
takes and gives the same message is inserted by adding its line between two others. Messages from elsewhere (producers,
the command line) go to the first stage that takes them.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from overheard.errors import InvalidInput
from overheard.messages import (
    ComposeDigest,
    FetchWorkspace,
    ItemsFetched,
    ItemsMatched,
    Message,
    NotifyChannel,
    RecheckItems,
)


class Stage(msgspec.Struct, frozen=True):
    """One stage of the pipeline.

    ``handler`` is the dotted path of a function from ``actors.context.Context`` to ``bus.actor.StageWork``; ``threads``
    applies unless the configuration has ``[<name>] threads``; ``program`` names the stage in whose processes
    supervisord runs it (``programs.py``); ``port`` plus the process number is added to ``[metrics] port``.
    ``max_retries`` counts tries after the first. Backoffs and ``time_limit`` are milliseconds; max_backoff stays below
    RabbitMQ's consumer timeout: a longer wait is a due time in the database.
    """

    name: str
    takes: type[Message]
    gives: tuple[type[Message], ...]
    handler: str
    threads: int
    program: str
    port: int
    max_retries: int = 8
    min_backoff: int = 1_000
    max_backoff: int = 300_000
    time_limit: int = 300_000

    @property
    def queue(self) -> str:
        """Return the queue's name: the stage's."""
        return self.name


STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage("fetch", FetchWorkspace, (ItemsFetched, FetchWorkspace), "actors.fetch:work", 4, "fetch", 10),
        Stage("match", ItemsFetched, (ItemsMatched,), "actors.match:work", 1, "match", 20),
        Stage("store", ItemsMatched, (NotifyChannel,), "actors.store:work", 2, "store", 30),
        Stage("notify", NotifyChannel, (NotifyChannel,), "actors.notify:work", 8, "notify", 40),
        Stage("digest", ComposeDigest, (NotifyChannel,), "actors.digest:work", 1, "digest", 50),
        Stage("recheck", RecheckItems, (RecheckItems, ItemsFetched), "actors.recheck:work", 1, "digest", 60),
    )
}


def recipient(message: Message, table: Iterable[Stage], sender: str | None = None) -> Stage:
    """Return the stage to which a message goes, from the stage ``sender`` or from elsewhere.

    Raises InvalidInput if no stage takes it, or if the table does not list it among those that the sender gives.
    """
    stages, kind = tuple(table), type(message)
    sending = next((stage for stage in stages if stage.name == sender), None)
    if sending is not None and kind not in sending.gives:
        raise InvalidInput(f"{sender} does not give {kind.__name__}: see stages.py")
    taker = _taker(kind, stages, sending)
    if taker is None:
        raise InvalidInput(f"no stage takes {kind.__name__}")
    return taker


def followers(stage: Stage, table: Iterable[Stage] = STAGES.values()) -> list[Stage]:
    """Return the stages to which a stage sends."""
    stages = tuple(table)
    return [taker for kind in stage.gives if (taker := _taker(kind, stages, stage)) is not None]


def _taker(kind: type[Message], stages: tuple[Stage, ...], sending: Stage | None) -> Stage | None:
    start = 0 if sending is None else [stage.name for stage in stages].index(sending.name) + 1
    return next((stage for stage in (*stages[start:], *stages[:start]) if stage.takes is kind), None)
