"""Builds the producers from the configuration: used by ``python -m producers`` and by ``overheard run``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from overheard.bus.connect import Broker
from overheard.bus.dead import drain
from overheard.bus.door import INGRESS, Publishes
from overheard.bus.memory import MemoryBroker
from overheard.bus.queues import waiting
from overheard.bus.sender import Sender
from overheard.db.retention import Ages
from overheard.program import Program
from overheard.stages import STAGES
from producers.alerts import Alerts, alert_channel
from producers.canary import Canary
from producers.tick import Ticker

# Where a demand, and then what was read for it, waits.
DEMANDS = (INGRESS, *(STAGES[name].queue for name in ("fetch", "match", "store")))


def ticker_of(running: Program, events: Publishes, broker: Broker) -> Ticker:
    """The ticker of a program, on any bus."""
    url = running.config.bus.address
    kept = running.config.retention
    if isinstance(broker, MemoryBroker):
        drained: Callable[[], int] = _nothing
        waits: Callable[[], int] = partial(broker.unfinished, DEMANDS)
    else:
        drained = partial(drain, url, STAGES.values(), running.record_dead)
        waits = partial(waiting, url, DEMANDS)
    return Ticker(
        db=running.db,
        events=events,
        sender=Sender(broker),
        drain=drained,
        waiting=waits,
        clock=running.clock,
        rules=running.config.tick,
        ages=Ages(kept.mentions_days, kept.deliveries_days, kept.dead_letters_days),
        metrics=running.metrics,
        canary=Canary(
            db=running.db,
            clock=running.clock,
            interval=running.config.canary.interval,
            metrics=running.metrics,
        ),
        alerts=Alerts(
            db=running.db,
            clock=running.clock,
            every=running.config.alerts.every,
            open=partial(alert_channel, running.config) if running.config.alerts.url.get_secret_value() else None,
            metrics=running.metrics,
        ),
    )


def _nothing() -> int:
    """What dies in memory is recorded as it dies: there is no other place to look for it."""
    return 0


def late(ticker: Ticker, now: float) -> list[str]:
    """For /healthz: the tick is late when three in a row did not succeed."""
    longest = max(3 * ticker.rules.interval, 30.0)
    if ticker.last_success is not None and now - ticker.last_success > longest:
        return [f"the last successful tick was {now - ticker.last_success:.0f} s ago"]
    return []
