"""The one table of stages: which queue, which message, what limits, who follows whom."""

from __future__ import annotations

import msgspec

from overheard import messages
from overheard.messages import Message


class Stage(msgspec.Struct, frozen=True):
    """One stage of the pipeline.

    ``max_retries`` counts tries after the first; backoffs are milliseconds (max_backoff stays under RabbitMQ's
    consumer timeout: longer waits are due times in the database); ``time_limit`` is milliseconds; ``program`` names the
    stage in whose processes supervisord runs it (``programs.py``); ``port`` is added to ``[metrics] port`` with the
    process number.
    """

    name: str
    message: type[Message]
    sends: tuple[str, ...]
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
        Stage("fetch", messages.FetchWorkspace, sends=("match",), threads=4, program="fetch", port=10),
        Stage("match", messages.ItemsFetched, sends=("store",), threads=1, program="match", port=20),
        Stage("store", messages.ItemsMatched, sends=("notify",), threads=2, program="store", port=30),
        Stage("notify", messages.NotifyChannel, sends=(), threads=8, program="notify", port=40),
        Stage("digest", messages.ComposeDigest, sends=("notify",), threads=1, program="digest", port=50),
        Stage("recheck", messages.RecheckItems, sends=("recheck",), threads=1, program="digest", port=60),
    )
}

STAGE_OF_MESSAGE: dict[type[Message], Stage] = {stage.message: stage for stage in STAGES.values()}
