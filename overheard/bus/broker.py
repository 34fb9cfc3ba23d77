"""Opens the bus that a URL names."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import dramatiq
from dramatiq.middleware import CurrentMessage, Middleware, TimeLimit

from overheard.bus import amqp
from overheard.bus.dead_letters import DeadLetters, RecordAll
from overheard.bus.envelope import StrictEncoder
from overheard.bus.memory import MemoryBroker
from overheard.bus.observation import Observation, quiet_libraries
from overheard.bus.rabbit import QuorumBroker
from overheard.bus.rate_limit import PermitFactory, RateLimit
from overheard.bus.retries import SafeRetries
from overheard.clock import Clock, system_clock
from overheard.errors import ConfigError
from overheard.observability.metrics import ProcessMetrics
from overheard.permits import UnlimitedPermit
from overheard.stages import STAGES, Stage

Broker = QuorumBroker | MemoryBroker


def open_broker(
    url: str,
    *,
    stages: Iterable[Stage] = (),
    metrics: ProcessMetrics,
    record_dead: RecordAll,
    give_back: Callable[[], object] = lambda: None,
    permits: PermitFactory = lambda need, slot: UnlimitedPermit(),
    name: str = "",
    clock: Clock = system_clock,
) -> Broker:
    """The broker for ``memory://`` or ``amqp(s)://``; no connection is made yet. Raises ConfigError.

    ``stages`` are the limits to use; stages that are not named have those of ``stages.py``. ``give_back`` runs on
    each worker's thread as it ends: it closes what belongs to the thread (its connection to the database). ``clock`` is
    the one that all processes share, for delayed messages. ``permits`` makes the permits of messages whose stages need
    a budget.
    """
    known = {**STAGES, **{stage.name: stage for stage in stages}}
    # Dramatiq's encoder is a global of the library. It is set here and nowhere else; since every encoder of ours
    # knows every stage, a second broker in the process changes nothing.
    dramatiq.set_encoder(StrictEncoder(known.values()))
    quiet_libraries()
    middleware = stack(tuple(known.values()), metrics, record_dead, give_back, permits)
    scheme = url.partition("://")[0]
    if scheme == "memory":
        return MemoryBroker(stages=known.values(), middleware=middleware, record=record_dead)
    if scheme in amqp.SCHEMES:
        return QuorumBroker(url, middleware=middleware, name=name, clock=clock)
    raise ConfigError([f"[bus] url: no bus for {scheme!r}; use memory:// or amqp://user:password@host:5672/vhost"])


def stack(
    stages: tuple[Stage, ...],
    metrics: ProcessMetrics,
    record_dead: RecordAll,
    give_back: Callable[[], object],
    permits: PermitFactory,
) -> list[Middleware]:
    """The middlewares. ``before_…`` hooks run in this order and ``after_…`` hooks in the reverse:

    1. TimeLimit first disarms, so that it cannot strike while a retry is being published;
    2. RateLimit re-schedules what is to come later; SafeRetries what failed, or lets it be rejected;
    3. DeadLetters writes down why it was rejected (``after_nack``);
    4. Observe counts and logs how it ended.
    """
    return [
        Observation(metrics, give_back),
        DeadLetters(record_dead),
        SafeRetries(stages),
        RateLimit(permits),
        CurrentMessage(),
        TimeLimit(),
    ]
