"""A source that cannot be asked, because something is missing that only the operator can give."""

from __future__ import annotations

from typing import Any, NoReturn

from overheard.errors import RetryableError
from overheard.sources import SingleFeedSource

NOT_CONFIGURED_RETRY_SECONDS = 300.0  # only a restart with other settings helps


class NotConfiguredSource(SingleFeedSource):
    """Stands in for the source ``name``, so that the others can be read meanwhile; every reading is put off."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self._reason = reason

    def read(self, *asked: Any, **also: Any) -> NoReturn:
        """Raise RetryableError with what is missing."""
        raise RetryableError(self._reason, delay=NOT_CONFIGURED_RETRY_SECONDS)

    probe = look_up = read
