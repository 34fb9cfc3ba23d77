"""Builds the stages' handlers from the configuration: used by ``python -m actors`` and by ``overheard run``."""

from __future__ import annotations

import gc
import math
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from actors.digest import compose
from actors.fetch import Fetcher
from actors.match import Matcher
from actors.notify import Notifier
from actors.recheck import Rechecker
from actors.store import store
from overheard import __version__
from overheard.bus.actor import Handler, Slot
from overheard.channels import Channel, ChannelOptions
from overheard.channels.registry import open_channel
from overheard.config import Config
from overheard.db.budgets import DatabaseLimiter, Rate, reddit_key
from overheard.db.channels import ChannelRow
from overheard.db.connect import Db
from overheard.db.storing import NEWS
from overheard.errors import ConfigError, Unavailable
from overheard.limits import SpareTurn, Turn
from overheard.log import get_logger
from overheard.messages import FetchWorkspace, NotifyChannel, RecheckItems
from overheard.metrics import Metrics
from overheard.program import LOOK_AGAIN, Program
from overheard.sending import Send
from overheard.sources import LooksUp, Source
from overheard.sources.canary import CanarySource
from overheard.sources.reddit import RedditSettings, RedditSource
from overheard.sources.unready import UnreadySource

log = get_logger(__name__)

# Seconds. Channels have budgets of their own, and as many may be used up as there are channels: if each held a thread
# for a second, those that have turns left would wait for the threads.
A_MOMENT = 0.1

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


def recheck_share(config: Config) -> str:
    """The key of the part of that budget for which urgent rechecks may stand in line."""
    return reddit_budget(config).replace("reddit:", "recheck:")


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


def threads(config: Config) -> dict[str, int]:
    """How many threads each stage has."""
    return {
        "fetch": config.fetch.threads,
        "match": config.match.threads,
        "store": config.store.threads,
        "notify": config.notify.threads,
        "digest": config.digest.threads,
        "recheck": config.recheck.threads,
    }


class Wiring:
    """The handlers of a process, each in a session of the database, each message with its own turn at its budget."""

    def __init__(self, program: Program, send: Send) -> None:
        self.program = program
        self.send = send
        self.limiter = limiter(program.config, program.db)
        self._reddit: RedditSource | UnreadySource | None = None

    def handlers(self, stages: Iterable[str]) -> dict[str, Handler]:
        """A handler for each of the named stages. Raises ConfigError when one cannot work."""
        makers: dict[str, Callable[[], Handler]] = {
            "fetch": self._fetch,
            "match": self._match,
            "store": self._store,
            "notify": self._notify,
            "digest": self._digest,
            "recheck": self._recheck,
        }
        return {stage: self._in_session(makers[stage]()) for stage in stages}

    def close(self) -> None:
        """Close what the handlers hold."""
        if self._reddit is not None:
            self._reddit.close()

    @property
    def reddit(self) -> RedditSource | UnreadySource:
        """Reddit, the same for all stages of the process. Raises ConfigError when there are no credentials."""
        if self._reddit is None:
            self._reddit = reddit_or_unready(self.program.config, self.program.metrics)
        return self._reddit

    def turn(self, key: str, slot: Slot | None, patience: float | None = None) -> Turn:
        """A message's turn at budget ``key``, with the slot that the message already holds there."""
        kind = key.partition(":")[0]
        metrics, stop = self.program.metrics, self.program.stop

        def on_wait(seconds: float) -> None:
            metrics.rate_limit_waits.labels(kind).inc()
            metrics.rate_limit_wait.observe(seconds)

        held = slot[1] if slot is not None and slot[0] == key else None
        return Turn(self.limiter, key, slot=held, patience=patience, wait=_interruptible(stop), on_wait=on_wait)

    def _in_session(self, handler: Handler) -> Handler:
        def handle(message: Any, slot: Slot | None) -> object:
            with self.program.db.session():
                return handler(message, slot)

        return handle

    def _fetch(self) -> Handler:
        return fetch_handler(self, {CanarySource.name: CanarySource(), RedditSource.name: self.reddit})

    def _match(self) -> Handler:
        matcher = Matcher(db=self.program.db, send=self.send, metrics=self.program.metrics)
        self._load(matcher.refresh)
        return lambda message, slot: matcher.match(message)

    def _load(self, step: Callable[[], None]) -> None:
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

    def _store(self) -> Handler:
        program = self.program
        # What retention forgets must not come back, and not as news.
        ages = program.config.retention
        kept_for = min((days * 86400.0 for days in (ages.mentions_days, ages.items_days) if days), default=math.inf)
        news_for = min(NEWS, kept_for)

        def handle(message: Any, slot: Slot | None) -> None:
            store(
                message,
                db=program.db,
                send=self.send,
                clock=program.clock,
                metrics=program.metrics,
                news_for=news_for,
                kept_for=kept_for,
            )

        return handle

    def _notify(self) -> Handler:
        program = self.program
        rules = program.config.notify
        options = ChannelOptions(
            allow_private=rules.allow_private, timeout=rules.timeout, user_agent=f"Overheard/{__version__}"
        )

        def ready(row: ChannelRow) -> Channel:
            return open_channel(row.url, row.secret, options=options)

        notifier = Notifier(
            db=program.db,
            send=self.send,
            open_channel=ready,
            clock=program.clock,
            rules=rules,
            metrics=program.metrics,
        )

        def handle(message: NotifyChannel, slot: Slot | None) -> None:
            notifier.notify(message, self.turn(f"channel:{message.channel_id}", slot, A_MOMENT))

        return handle

    def _digest(self) -> Handler:
        program = self.program
        return lambda message, slot: compose(message, db=program.db, send=self.send, clock=program.clock)

    def _recheck(self) -> Handler:
        return recheck_handler(self, self.reddit)


def fetch_handler(wiring: Wiring, sources: Mapping[str, Source]) -> Handler:
    """The fetch stage's handler on given sources."""
    program = wiring.program
    fetcher = Fetcher(
        db=program.db,
        sources=sources,
        send=wiring.send,
        clock=program.clock,
        rules=program.config.fetch,
        metrics=program.metrics,
    )
    key = reddit_budget(program.config)

    def handle(message: FetchWorkspace, slot: Slot | None) -> None:
        fetcher.fetch(message, wiring.turn(key, slot))

    return handle


def recheck_handler(wiring: Wiring, source: LooksUp) -> Handler:
    """The recheck stage's handler on a given source."""
    program = wiring.program
    rechecker = Rechecker(
        db=program.db,
        source=source,
        send=wiring.send,
        clock=program.clock,
        rules=program.config.recheck,
        metrics=program.metrics,
    )
    key, share = reddit_budget(program.config), recheck_share(program.config)

    def handle(message: RecheckItems, slot: Slot | None) -> None:
        def turn(urgent: bool) -> SpareTurn:
            wait = _interruptible(program.stop)
            return SpareTurn(wiring.limiter, wiring.turn(key, slot), share, urgent=urgent, wait=wait)

        rechecker.recheck(message, turn)

    return handle


def _interruptible(stop: threading.Event) -> Callable[[float], object]:
    """Waiting that ends early when the process is to end: the turn is spent then, which errs on the safe side."""
    return stop.wait
