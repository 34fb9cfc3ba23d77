"""A source that cannot be read until the operator configures it."""

from __future__ import annotations

from typing import Any, NoReturn

from overheard.errors import RetryableError
from overheard.sources import SingleFeedSource

NOT_CONFIGURED_RETRY_SECONDS = 300.0  # chosen, not measured: only a restart with other settings helps


class NotConfiguredSource(SingleFeedSource):
    """Takes the place of the source ``name``, so that the others run; every reading of it is postponed."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason

    def read(self, *_: Any, **__: Any) -> NoReturn:
        """Raise RetryableError, naming the missing setting."""
        raise RetryableError(self.reason, delay=NOT_CONFIGURED_RETRY_SECONDS)

    probe = look_up = read
