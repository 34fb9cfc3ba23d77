"""Shared by the tests of the Mastodon source."""

from __future__ import annotations

from typing import Any

from overheard.clock import Clock, system_clock
from overheard.config.sources import MastodonSettings
from overheard.observability.metrics import ProcessMetrics
from overheard.sources.mastodon.source import MastodonSource
from tests.unit.sources.reddit_world import new_metrics


def source_of(metrics: ProcessMetrics | None = None, *, clock: Clock = system_clock, **settings: Any) -> MastodonSource:
    given = MastodonSettings(**({"allow_private": True, "timeout": 5.0} | settings))
    return MastodonSource(given, metrics or new_metrics(), clock=clock)
