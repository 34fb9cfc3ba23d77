"""Builds the stages' handlers from the configuration: used by ``python -m actors`` and by ``overheard run``."""

from __future__ import annotations

import gc
import math
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
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
from overheard.db.budgets import DatabaseLimiter, Rate
from overheard.db.channels import ChannelRow
from overheard.db.connect import Db
from overheard.db.storing import NEWS
from overheard.errors import Permanent, Unavailable
from overheard.limits import SpareTurn, Turn
from overheard.log import get_logger
from overheard.messages import FetchWorkspace, NotifyChannel, RecheckItems
from overheard.program import LOOK_AGAIN, Program
from overheard.sending import Send
from overheard.sources import ItemLookup, Source
from overheard.sources.registry import budget_of, budgets, open_sources

log = get_logger(__name__)

# Seconds. Channels have budgets of their own, and as many may be used up as there are channels: if each held a thread
# for a second, those that have turns left would wait for the threads.
A_MOMENT = 0.1


def limiter(config: Config, db: Db) -> DatabaseLimiter:
    """The shared budgets."""
    rates = {"channel": Rate(config.notify.per_minute, config.notify.burst)}
    for each in budgets(config):
        rates[_kind(each.key)] = Rate(each.per_minute, each.burst)
        rates[_kind(each.recheck_key)] = Rate(each.per_minute * config.recheck.share, 1)
    return DatabaseLimiter(db, rates)


def _kind(key: str) -> str:
    return key.partition(":")[0]


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

    def handlers(self, stages: Iterable[str]) -> dict[str, Handler]:
        """A handler for each of the named stages."""
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
        for source in self.__dict__.get("sources", {}).values():
            source.close()

    @cached_property
    def sources(self) -> Mapping[str, Source]:
        """The sources by name, the same for all stages of the process."""
        return open_sources(self.program.config, self.program.metrics, self.program.clock)

    def turn(self, key: str, slot: Slot | None, patience: float | None = None) -> Turn:
        """A message's turn at budget ``key``, with the slot that the message already holds there."""
        kind = _kind(key)
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
        return fetch_handler(self, self.sources)

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
        return recheck_handler(
            self, {name: each for name, each in self.sources.items() if isinstance(each, ItemLookup)}
        )


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

    def handle(message: FetchWorkspace, slot: Slot | None) -> None:
        budget = budget_of(message.source, program.config)
        # A source without a budget never asks for a token of it.
        fetcher.fetch(message, wiring.turn(budget.key if budget else message.source, slot))

    return handle


def recheck_handler(wiring: Wiring, sources: Mapping[str, ItemLookup]) -> Handler:
    """The recheck stage's handler on given sources."""
    program = wiring.program
    rechecker = Rechecker(
        db=program.db,
        sources=sources,
        send=wiring.send,
        clock=program.clock,
        rules=program.config.recheck,
        metrics=program.metrics,
    )

    def handle(message: RecheckItems, slot: Slot | None) -> None:
        budget = budget_of(message.source, program.config)
        if budget is None:
            raise Permanent(f"{message.source} has no budget for looking items up")

        def turn(urgent: bool) -> SpareTurn:
            wait = _interruptible(program.stop)
            permitted = wiring.turn(budget.key, slot)
            return SpareTurn(wiring.limiter, permitted, budget.recheck_key, urgent=urgent, wait=wait)

        rechecker.recheck(message, turn)

    return handle


def _interruptible(stop: threading.Event) -> Callable[[float], object]:
    """Waiting that ends early when the process is to end: the turn is spent then, which errs on the safe side."""
    return stop.wait
