"""The one table of stages, in the order of the data's way: what each takes and gives, what does its work, its limits.

A message goes to the next stage below its sender that takes it; where none does, to the first of all that does. So a
stage that takes and gives the same message is inserted by its line between two others. Messages from elsewhere
(producers, the command line) go to the first stage that takes them.
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

    ``handler`` is the dotted path of what makes its ``bus.actor.Work`` of an ``actors.context.Context``;
    ``threads`` is where the configuration has no ``[<name>] threads``; ``program`` names the stage in whose processes
    supervisord runs it (``programs.py``); ``port`` is added to ``[metrics] port`` with the process number.
    ``max_retries`` counts tries after the first; backoffs are milliseconds (max_backoff stays
    under RabbitMQ's consumer timeout: longer waits are due times in the database); ``time_limit`` is milliseconds.
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
        """A stage's queue bears its name."""
        return self.name


STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage("fetch", FetchWorkspace, (ItemsFetched, FetchWorkspace), "actors.fetch:work", 4, "fetch", 10),
        Stage("match", ItemsFetched, (ItemsMatched,), "actors.match:work", 1, "match", 20),
        Stage("store", ItemsMatched, (NotifyChannel,), "actors.store:work", 2, "store", 30),
        Stage("notify", NotifyChannel, (NotifyChannel,), "actors.notify:work", 8, "notify", 40),
        Stage("digest", ComposeDigest, (NotifyChannel,), "actors.digest:work", 1, "digest", 50),
        Stage("recheck", RecheckItems, (RecheckItems,), "actors.recheck:work", 1, "digest", 60),
    )
}


def recipient(message: Message, table: Iterable[Stage], sender: str | None = None) -> Stage:
    """The stage that a message goes to, from the stage ``sender`` or from elsewhere.

    Raises InvalidInput when no stage takes it, or when the sender's line does not say that it gives it.
    """
    stages, kind = tuple(table), type(message)
    given_by = next((stage for stage in stages if stage.name == sender), None)
    if given_by is not None and kind not in given_by.gives:
        raise InvalidInput(f"{sender} does not give {kind.__name__}: see stages.py")
    found = _taker(kind, stages, given_by)
    if found is None:
        raise InvalidInput(f"no stage takes {kind.__name__}")
    return found


def followers(stage: Stage, table: Iterable[Stage] = STAGES.values()) -> list[Stage]:
    """The stages that what a stage gives goes to."""
    stages = tuple(table)
    return [found for kind in stage.gives if (found := _taker(kind, stages, stage)) is not None]


def _taker(kind: type[Message], stages: tuple[Stage, ...], given_by: Stage | None) -> Stage | None:
    start = 0 if given_by is None else [stage.name for stage in stages].index(given_by.name) + 1
    return next((stage for stage in (*stages[start:], *stages[:start]) if stage.takes is kind), None)
