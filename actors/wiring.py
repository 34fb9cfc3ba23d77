"""Build the stages' work from the table, for ``python -m actors`` and ``overheard run``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from pkgutil import resolve_name
from typing import Any

from actors.context import Context
from overheard.bus.actor import StageHandler, StageWork
from overheard.bus.rate_limit import PermitFactory
from overheard.bus.sender import Sender
from overheard.config import Config
from overheard.db.budgets import DatabaseLimiter
from overheard.db.database import Db
from overheard.db.token_rates import Rate
from overheard.errors import Unavailable
from overheard.observability.log import get_logger
from overheard.operations.request_rates import rate_of
from overheard.outcomes import Outcome
from overheard.permits import AnyPermit, permit_for
from overheard.process import DATABASE_RETRY_SECONDS, RunningProcess
from overheard.sources import Source
from overheard.sources.registry import budgets, open_sources
from overheard.stages import Stage

log = get_logger(__name__)


def limiter(config: Config, db: Db) -> DatabaseLimiter:
    """Return the shared budgets."""
    rates = {"channel": Rate(config.notify.per_minute, config.notify.burst)}
    for each in budgets(config):
        rates[_kind(each.key)] = rate_of(each)
        rates[_kind(each.recheck_key)] = Rate(each.per_minute * config.recheck.share, 1)
    return DatabaseLimiter(db, rates)


def _kind(key: str) -> str:
    return key.partition(":")[0]


def permits(running: RunningProcess) -> PermitFactory:
    """Return the factory of the permits of a process's messages."""
    metrics = running.metrics

    def on_wait(kind: str, seconds: float) -> None:
        metrics.rate_limit_waits.labels(kind).inc()
        metrics.rate_limit_wait.observe(seconds)

    return partial(permit_for, limiter(running.config, running.db), wait=running.stop.wait, on_wait=on_wait)


def threads(config: Config, stages: Iterable[Stage]) -> dict[str, int]:
    """Return the number of threads of each stage: ``[<stage>] threads``, or else the table's."""
    return {stage.name: getattr(getattr(config, stage.name, stage), "threads", stage.threads) for stage in stages}


class Wiring:
    """Builds the work of a process's stages; each message is handled in a database session."""

    def __init__(self, running: RunningProcess, sender: Sender) -> None:
        self.running = running
        self.sender = sender

    def work(self, stage: Stage) -> StageWork:
        """Return a stage's work, prepared for the first message. Raises ConfigError if the stage cannot work."""
        work: StageWork = resolve_name(stage.handler)(self.context(stage))
        if work.prepare is not None:
            self._prepare(work.prepare)
        return work._replace(handle=self._in_session(work.handle))

    def context(self, stage: Stage) -> Context:
        """Return the parts of the process, with the stage's own ``send``."""
        running = self.running
        return Context(
            config=running.config,
            db=running.db,
            clock=running.clock,
            metrics=running.metrics,
            stop=running.stop,
            send=self.sender.for_stage(stage.name),
            send_all=partial(self.sender.send_all, sender=stage.name),
            sources=lambda: self.sources,
        )

    @cached_property
    def sources(self) -> Mapping[str, Source]:
        """Open the sources once for all stages of the process; return them by name."""
        return open_sources(self.running.config, self.running.metrics, self.running.clock)

    def close(self) -> None:
        """Close the sources, if they were opened."""
        for source in self.__dict__.get("sources", {}).values():
            source.close()

    def _in_session(self, handler: StageHandler) -> StageHandler:
        def handle(message: Any, permit: AnyPermit) -> Outcome:
            with self.running.db.session():
                return handler(message, permit)

        return handle

    def _prepare(self, step: Callable[[], object]) -> None:
        """Run a stage's preparation, outside any message's time limit and before /healthz reports ok.

        If the database goes away meanwhile, wait for it, as at the start.
        """
        while not self.running.stop.is_set():
            try:
                with self.running.db.session():
                    step()
                return
            except Unavailable as error:
                log.warning("not ready yet", reason=str(error))
                if self.running.stop.wait(DATABASE_RETRY_SECONDS) or not self.running.await_database():
                    return
