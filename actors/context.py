"""The parts of a process that the composition root passes to a stage."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from overheard.clock import Clock
from overheard.config import Config
from overheard.db.database import Db
from overheard.observability.metrics import ProcessMetrics
from overheard.sending import Send, SendAll
from overheard.sources import Source


@dataclass(frozen=True)
class Context:
    """The parts of one process that a stage may need.

    ``send`` and ``send_all`` send messages to the stages that follow this one in the table. ``sources()`` returns the
    sources by name, opened at the first call of any stage.
    """

    config: Config
    db: Db
    clock: Clock
    metrics: ProcessMetrics
    stop: threading.Event
    send: Send
    send_all: SendAll
    sources: Callable[[], Mapping[str, Source]]
