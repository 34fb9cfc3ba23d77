"""Shared by the tests of the Stack Exchange source."""

from __future__ import annotations

from typing import Any

from overheard.clock import Clock, system_clock
from overheard.config.sources import StackExchangeSettings
from overheard.observability.metrics import ProcessMetrics
from overheard.sources.stackexchange.source import StackExchangeSource
from tests.unit.sources.reddit_world import new_metrics


def source_at(
    url: str, metrics: ProcessMetrics | None = None, *, clock: Clock = system_clock, **settings: Any
) -> StackExchangeSource:
    given = StackExchangeSettings(**({"url": url, "timeout": 5.0} | settings))
    return StackExchangeSource(given, metrics or new_metrics(), clock=clock)
