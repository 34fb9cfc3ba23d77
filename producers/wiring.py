"""Builds the producers from the configuration: used by ``python -m producers`` and by ``overheard run``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from overheard.bus.broker import Broker
from overheard.bus.dead_letter_collector import collect
from overheard.bus.event_consumer import IngressConsumer
from overheard.bus.memory import MemoryBroker
from overheard.bus.public_exchange import INGRESS, EventPublisher
from overheard.bus.queue_depths import inspect, waiting
from overheard.bus.sender import Sender
from overheard.db.retention import RetentionAges
from overheard.operations.operator_alert import alert_channel
from overheard.process import RunningProcess
from overheard.sources.reddit.names import budget_key
from overheard.stages import STAGES
from producers.alerts import OperatorAlerts
from producers.canary import Canary
from producers.demands import Demands
from producers.gauges import Look, SystemGauges
from producers.ingress import Ingress
from producers.rechecks import Rechecks
from producers.tick import Ticker

TICK_DOWN_SECONDS = 5.0  # after which a tick's server counts as down
# Where a demand, and then what was read for it, waits.
DEMANDS = (INGRESS, *(STAGES[name].queue for name in ("fetch", "match", "store")))


def ingress_of(running: RunningProcess, sender: Sender) -> Ingress:
    """The ingress of a program. Where the bus is its own, nobody but the tick asks for runs, and none has to wait."""
    config = running.config
    return Ingress(
        db=running.db,
        sender=sender,
        clock=running.clock,
        fresh_for=config.fetch.fresh_for,
        demands=None if config.bus.embedded else Demands(),
        triggers_per_hour=config.limits.triggers_per_hour,
    )


def consumer_of(running: RunningProcess, ingress: Ingress, name: str) -> IngressConsumer:
    """What consumes the public events on RabbitMQ; ``name`` is the process's."""
    return IngressConsumer(
        running.config.bus.address,
        ingress.handle,
        running.record_dead,
        metrics=running.metrics,
        name=name,
        release=ingress.release,
        unavailable_reason=running.unavailable_reason,
    )


def ticker_of(running: RunningProcess, events: EventPublisher, broker: Broker) -> Ticker:
    """The ticker of a program, on any bus."""
    url = running.config.bus.address
    kept = running.config.retention
    if isinstance(broker, MemoryBroker):
        drained: Callable[[], int] = _nothing
        seen: Look = broker.inspect
        waits: Callable[[Iterable[str]], int] = broker.unfinished
    else:
        drained = partial(collect, url, STAGES.values(), running.record_collected)
        waits = partial(waiting, url)
        seen = partial(inspect, url)
    rechecks = Rechecks(
        db=running.db,
        sender=Sender(broker),
        waiting=partial(waits, (STAGES["recheck"].queue,)),
        clock=running.clock,
        rules=running.config.recheck,
        metrics=running.metrics,
    )
    return Ticker(
        db=running.db,
        events=events,
        sender=Sender(broker),
        drain=drained,
        waiting=partial(waits, DEMANDS),
        clock=running.clock,
        rules=running.config.tick,
        ages=RetentionAges(kept.mentions_days, kept.deliveries_days, kept.dead_letters_days, kept.items_days),
        metrics=running.metrics,
        gauges=SystemGauges(
            db=running.db,
            look=seen,
            budget=budget_key(running.config.sources.reddit.client_in_use),
            clock=running.clock,
            metrics=running.metrics,
        ),
        recheck=rechecks.ask,
        canary=Canary(
            db=running.db,
            clock=running.clock,
            interval=running.config.canary.interval,
            metrics=running.metrics,
        ),
        alerts=OperatorAlerts(
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


def tick_problems(ticker: Ticker, now: float) -> list[str]:
    """For /healthz: a server is away for long, or the tick is late: three in a row did not succeed."""
    if ticker.failing_since is not None and now - ticker.failing_since >= TICK_DOWN_SECONDS:
        return [f"the tick has failed for {now - ticker.failing_since:.0f} s: {ticker.failure}"]
    longest = max(3 * ticker.rules.interval, 30.0)
    # Before the first connection, ``began`` is by the machine's clock: it does not outlast the first success.
    if now - (ticker.began if ticker.last_success is None else ticker.last_success) <= longest:
        return []
    if ticker.last_success is None:
        return [f"no tick has succeeded since the start, {now - ticker.began:.0f} s ago"]
    return [f"the last successful tick was {now - ticker.last_success:.0f} s ago"]
