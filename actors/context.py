"""What the composition root gives to the maker of a stage's work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from overheard.clock import Clock
from overheard.config import Config
from overheard.db.database import Db
from overheard.observability.metrics import ProcessMetrics
from overheard.sending import Send
from overheard.sources import Source


@dataclass(frozen=True)
class Context:
    """The parts of one process that a stage may need.

    ``send`` addresses messages as the table says for this stage. ``sources()`` opens the sources, by name, at the first
    call of any stage.
    """

    config: Config
    db: Db
    clock: Clock
    metrics: ProcessMetrics
    stop: threading.Event
    send: Send
    sources: Callable[[], Mapping[str, Source]]
