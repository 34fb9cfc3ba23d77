"""Builds the stages' work from the table: used by ``python -m actors`` and by everything in one process."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from importlib import import_module
from typing import Any

from actors.context import Context
from overheard.bus.actor import Handler, Work
from overheard.bus.sender import Sender
from overheard.config import Config
from overheard.db.budgets import DatabaseLimiter, Rate, reddit_key
from overheard.db.connect import Db
from overheard.errors import ConfigError, Unavailable
from overheard.limits import Permission, Permits
from overheard.log import get_logger
from overheard.metrics import Metrics
from overheard.outcomes import Outcome
from overheard.program import LOOK_AGAIN, Program
from overheard.sources import Source
from overheard.sources.canary import CanarySource
from overheard.sources.reddit import RedditSettings, RedditSource
from overheard.sources.unready import UnreadySource
from overheard.stages import Stage

log = get_logger(__name__)

NO_CREDENTIALS = """[sources.reddit] client_id and user_agent are not set: there is nothing to ask Reddit with.
  1. Take an app of the type "script" from https://www.reddit.com/prefs/apps (Reddit hardly approves new ones any more)
  2. Put its id and secret into pipeline.toml, [sources.reddit] client_id and client_secret, or into the environment:
       export OVERHEARD_REDDIT__CLIENT_ID=…  OVERHEARD_REDDIT__CLIENT_SECRET_FILE=/path/to/a/file
  3. Set [sources.reddit] user_agent = "linux:your-app-id:0.1 (by /u/your-name)"
  Without credentials, `overheard demo` shows everything on a Reddit of its own."""


def reddit_source(config: Config, metrics: Metrics) -> RedditSource:
    """The source of items. Raises ConfigError, with what to do, when there are no credentials."""
    reddit = config.sources.reddit
    if not reddit.clients or not reddit.user_agent:
        raise ConfigError(NO_CREDENTIALS.splitlines())
    settings = RedditSettings(
        client_id=reddit.clients[0].client_id,
        client_secret=reddit.clients[0].client_secret.get_secret_value() or None,
        username=reddit.username or None,
        password=reddit.password.get_secret_value() or None,
        user_agent=reddit.user_agent,
        reddit_url=reddit.reddit_url,
        oauth_url=reddit.oauth_url,
        timeout=reddit.timeout,
    )
    return RedditSource(settings, metrics)


def reddit_or_unready(config: Config, metrics: Metrics) -> RedditSource | UnreadySource:
    """Reddit, or what stands in for it. Raises ConfigError.

    Without credentials nothing of Reddit can be read, and a process that cannot do its work had better not start. But
    who waits for Reddit's approval and has the canary on sees that all else works: then Reddit's feeds are put off.
    """
    try:
        return reddit_source(config, metrics)
    except ConfigError as error:
        if not config.canary.interval:
            raise
        log.error("only the canary is read", exc_info=error)
        return UnreadySource(RedditSource.name, error.problems[0])


def reddit_budget(config: Config) -> str:
    """The key of the API budget: one for each set of credentials, without showing them."""
    return reddit_key(config.sources.reddit.client_in_use)


def limiter(config: Config, db: Db) -> DatabaseLimiter:
    """The shared budgets."""
    return DatabaseLimiter(
        db,
        {
            "recheck": Rate(config.sources.reddit.requests_per_minute * config.recheck.share, 1),
            "reddit": Rate(config.sources.reddit.requests_per_minute, config.sources.reddit.burst),
            "channel": Rate(config.notify.per_minute, config.notify.burst),
        },
    )


def permits(program: Program) -> Permits:
    """What makes the permits of a process's messages."""
    metrics = program.metrics

    def on_wait(kind: str, seconds: float) -> None:
        metrics.rate_limit_waits.labels(kind).inc()
        metrics.rate_limit_wait.observe(seconds)

    return Permits(limiter(program.config, program.db), wait=program.stop.wait, on_wait=on_wait)


def threads(config: Config, stages: Iterable[Stage]) -> dict[str, int]:
    """How many threads each stage has: ``[<stage>] threads``, or what the table says."""
    return {stage.name: getattr(getattr(config, stage.name, stage), "threads", stage.threads) for stage in stages}


class Wiring:
    """The work of a process's stages: each message in a session of the database."""

    def __init__(self, program: Program, sender: Sender) -> None:
        self.program = program
        self.sender = sender

    def work(self, stage: Stage) -> Work:
        """What a stage does with its messages, ready for the first one. Raises ConfigError when it cannot work."""
        made: Work = _resolved(stage.handler)(self.context(stage))
        if made.prepare is not None:
            self._prepare(made.prepare)
        return made._replace(handle=self._in_session(made.handle))

    def context(self, stage: Stage) -> Context:
        """The parts of the process, with what the stage sends with."""
        program = self.program
        return Context(
            config=program.config,
            db=program.db,
            clock=program.clock,
            metrics=program.metrics,
            stop=program.stop,
            send=self.sender.of_stage(stage.name),
            sources=lambda: self.sources,
        )

    @cached_property
    def sources(self) -> Mapping[str, Source]:
        """The sources by name, the same for all stages of the process. Raises ConfigError without credentials."""
        reddit = reddit_or_unready(self.program.config, self.program.metrics)
        return {CanarySource.name: CanarySource(clock=self.program.clock), RedditSource.name: reddit}

    def close(self) -> None:
        """Close what the stages hold."""
        for source in self.__dict__.get("sources", {}).values():
            source.close()

    def _in_session(self, handler: Handler) -> Handler:
        def handle(message: Any, permit: Permission) -> Outcome:
            with self.program.db.session():
                return handler(message, permit)

        return handle

    def _prepare(self, step: Callable[[], object]) -> None:
        """Do what a stage needs before it works: outside any message's time, and before the process says it is well.

        A database that goes away meanwhile is waited for, as at the start.
        """
        while not self.program.stop.is_set():
            try:
                with self.program.db.session():
                    step()
                # It stays: the garbage collector, which would walk over all of it again and again, leaves it alone.
                return gc.freeze()
            except Unavailable as error:
                log.warning("not ready yet", reason=str(error))
                if self.program.stop.wait(LOOK_AGAIN) or not self.program.await_database():
                    return


def _resolved(path: str) -> Callable[[Context], Work]:
    """What a dotted path of the table names: ``package.module:name``."""
    module, _, name = path.partition(":")
    made: Callable[[Context], Work] = getattr(import_module(module), name)
    return made
