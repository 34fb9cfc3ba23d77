"""Build the producers from the configuration, for ``python -m producers`` and ``overheard run``."""

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
from overheard.db.retention import configured_ages
from overheard.operations.operator_alert import alert_channel
from overheard.process import RunningProcess
from overheard.sources.registry import open_stream
from overheard.stages import STAGES
from producers.alerts import OperatorAlerts
from producers.canary import Canary
from producers.demands import Demands
from producers.due_work import DueWork
from producers.gap_filling import GapRequests
from producers.gauges import InspectQueues, SystemGauges
from producers.ingress import Ingress
from producers.place_checks import PlaceChecker
from producers.reading import ReadingPlanner
from producers.rechecks import Rechecks
from producers.reports import WorkspaceReports
from producers.sample import SampleKeeper
from producers.stream import StreamProducer
from producers.sweeps import Sweeps
from producers.tick import Ticker
from producers.tick_steps import TickStep, counted, uncounted
from producers.tidying import Tidying

TICK_DOWN_SECONDS = 5.0  # of failing ticks before /healthz reports it: one may meet a server's restart
# The queues of a demand, and then of the items polled for it.
DEMAND_QUEUES = (INGRESS, *(STAGES[name].queue for name in ("fetch", "match", "store")))


def ingress_of(running: RunningProcess, sender: Sender) -> Ingress:
    """Return the ingress. On the bus in memory it holds nothing back: only the process's own tick publishes events."""
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
    """Return the consumer of public events on RabbitMQ; ``name`` is the process's."""
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
    """Return the ticker, on either bus."""
    url = running.config.bus.address
    has_alerts = bool(running.config.alerts.url.get_secret_value())
    if isinstance(broker, MemoryBroker):
        # A message that fails on the bus in memory is recorded at once: there is no queue to collect from.
        collect_dead_letters: Callable[[], int] = _collect_nothing
        inspect_queues: InspectQueues = broker.inspect
        count_waiting: Callable[[Iterable[str]], int] = broker.unfinished
    else:
        collect_dead_letters = partial(collect, url, STAGES.values(), running.record_collected)
        count_waiting = partial(waiting, url)
        inspect_queues = partial(inspect, url)
    db, clock, config, metrics = running.db, running.clock, running.config, running.metrics
    sender = Sender(broker)
    canary = Canary(db=db, clock=clock, interval=config.canary.interval, metrics=metrics)
    due = DueWork(db=db, events=events, clock=clock, settings=config.tick)
    # All of them: a demand may be waiting in any, and is not lost then.
    in_demand_queues = partial(count_waiting, DEMAND_QUEUES)
    sweeps = Sweeps(db=db, events=events, sender=sender, waiting=in_demand_queues, clock=clock, settings=config.tick)
    reading = ReadingPlanner(db=db, clock=clock, config=config, ask=sender.send, metrics=metrics)
    gaps = GapRequests(db=db, clock=clock, config=config, ask=sender.send, metrics=metrics)
    places = PlaceChecker(db=db, clock=clock, config=config, ask=sender.send)
    rechecks = Rechecks(
        db=db,
        sender=sender,
        waiting=partial(count_waiting, (STAGES["recheck"].queue,)),
        clock=clock,
        settings=config.recheck,
        metrics=metrics,
    )
    sample = SampleKeeper(db=db, clock=clock, settings=config.sample, metrics=metrics)
    reports = WorkspaceReports(db=db, send=sender.send, clock=clock)
    tidying = Tidying(
        db=db,
        clock=clock,
        every=config.tick.sweep_after,
        collect=collect_dead_letters,
        ages=configured_ages(config.retention),
        metrics=metrics,
    )
    steps = (
        TickStep("canary", uncounted(canary.step)),
        TickStep("check_queues", uncounted(sweeps.check_queues)),
        TickStep("due", due.workspaces),
        TickStep("read", counted("readings", reading.step)),
        TickStep("digests", due.digests),
        TickStep("sweep_demands", sweeps.demands),
        TickStep("sweep_digests", counted("swept_digests", sweeps.digests)),
        TickStep("sweep_channels", counted("swept_channels", sweeps.channels)),
        TickStep("fill_gaps", counted("gaps", gaps.step)),
        TickStep("check_places", counted("place_checks", places.step)),
        TickStep("recheck", counted("rechecks", rechecks.send_due)),
        TickStep("sample", uncounted(sample.step)),
        TickStep("report", counted("reports", reports.step)),
        # These come last: they scan whole tables, and no due work should wait for that.
        TickStep("collect_dead_letters", counted("dead_letters", tidying.collect_dead_letters)),
        TickStep("prune", counted("pruned", tidying.prune)),
    )
    return Ticker(
        steps,
        db=db,
        clock=clock,
        settings=config.tick,
        metrics=metrics,
        gauges=SystemGauges(
            db=running.db,
            inspect_queues=inspect_queues,
            config=running.config,
            clock=running.clock,
            metrics=running.metrics,
        ),
        alerts=OperatorAlerts(
            db=running.db,
            clock=running.clock,
            config=running.config,
            # Opened for each alert: an address that cannot be opened is then a failed alert, and stops no tick.
            open_transport=partial(alert_channel, running.config) if has_alerts else None,
            metrics=running.metrics,
        ),
    )


def stream_of(running: RunningProcess, sender: Sender, source: str) -> StreamProducer:
    """Return the producer of a streamed source."""
    return StreamProducer(
        source=open_stream(source, running.config, running.metrics, running.clock),
        db=running.db,
        send=sender.send,
        clock=running.clock,
        lease=running.config.fetch.lease,
        metrics=running.metrics,
    )


def _collect_nothing() -> int:
    return 0


def tick_problems(ticker: Ticker, now: float) -> list[str]:
    """Return the problems for /healthz: a server that stays away, or a late tick (three intervals without success)."""
    if ticker.failing_since is not None and now - ticker.failing_since >= TICK_DOWN_SECONDS:
        return [f"the tick has failed for {now - ticker.failing_since:.0f} s: {ticker.failure}"]
    # At least 30 seconds: a short interval must not report every restart of a server. Chosen, not measured.
    max_age = max(3 * ticker.settings.interval, 30.0)
    # ``began`` may be a time of the machine's clock, read before the first connection: it counts only until a success.
    if now - (ticker.began if ticker.last_success is None else ticker.last_success) <= max_age:
        return []
    if ticker.last_success is None:
        return [f"no tick has succeeded since the start, {now - ticker.began:.0f} s ago"]
    return [f"the last successful tick was {now - ticker.last_success:.0f} s ago"]
