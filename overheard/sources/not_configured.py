"""A source that cannot be asked, because something is missing that only the operator can give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from overheard.errors import TryAgain
from overheard.sources import Budget, ReadRequest, SingleFeeds

NOT_CONFIGURED_RETRY_SECONDS = 300.0  # only a restart with other settings helps


class NotConfiguredSource(SingleFeeds):
    """Stands in for the source ``name``, so that the others can be read meanwhile; every reading is put off."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self._reason = reason

    def read(self, request: ReadRequest, budget: Budget) -> NoReturn:
        """Raises TryAgain with what is missing."""
        raise self._missing()

    def probe(self, budget: Budget) -> NoReturn:
        """Raises TryAgain with what is missing."""
        raise self._missing()

    def look_up(self, ids: Sequence[str], budget: Budget) -> NoReturn:
        """Raises TryAgain with what is missing."""
        raise self._missing()

    def _missing(self) -> TryAgain:
        return TryAgain(self._reason, delay=NOT_CONFIGURED_RETRY_SECONDS)
