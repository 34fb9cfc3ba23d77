"""Create the broker that a URL names, with its middleware."""

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
    on_thread_end: Callable[[], object] = lambda: None,
    permits: PermitFactory = lambda need, slot: UnlimitedPermit(),
    name: str = "",
    clock: Clock = system_clock,
) -> Broker:
    """Return the broker for ``memory://`` or ``amqp(s)://``, not connected yet. Raises ConfigError.

    ``stages`` override the limits in ``stages.py``. ``on_thread_end`` runs on each worker thread as it ends, and closes
    what belongs to the thread (its database connection). ``clock`` times delayed messages and is shared by all
    processes. ``permits`` makes the permit of each message whose stage needs a budget.
    """
    known = {**STAGES, **{stage.name: stage for stage in stages}}
    # Dramatiq's encoder is a global of the library, set only here. Every encoder of ours handles all stages, so a
    # second broker in the process changes nothing.
    dramatiq.set_encoder(StrictEncoder(known.values()))
    quiet_libraries()
    middleware = stack(tuple(known.values()), metrics, record_dead, on_thread_end, permits)
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
    on_thread_end: Callable[[], object],
    permits: PermitFactory,
) -> list[Middleware]:
    """Return the middleware. ``before_…`` hooks run in this order and ``after_…`` hooks in reverse:

    1. TimeLimit disarms first, so that it cannot strike while a retry is being published;
    2. CurrentMessage clears the thread's current message;
    3. RateLimit republishes a postponed message; SafeRetries republishes or rejects a failed one;
    4. DeadLetters records the reason of a rejection (``after_nack``);
    5. Observation counts and logs the result.
    """
    return [
        Observation(metrics, on_thread_end),
        DeadLetters(record_dead),
        SafeRetries(stages),
        RateLimit(permits),
        CurrentMessage(),  # an actor gets only its arguments: by this it finds its message, which holds the permit
        TimeLimit(),
    ]
