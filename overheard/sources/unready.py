"""A source that cannot be asked, because something is missing that only the operator can give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from overheard.errors import TryAgain
from overheard.items import FeedKind
from overheard.sources import Budget

ASK_AGAIN = 300.0  # seconds; only a restart with other settings helps


class UnreadySource:
    """Stands in for the source ``name``, so that the others can be read meanwhile; every reading is put off."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.page_size = self.depth = 1
        self._reason = reason

    def read(self, kind: FeedKind, names: Sequence[str], *, after: str | None, budget: Budget) -> NoReturn:
        """Raises TryAgain with what is missing."""
        raise TryAgain(self._reason, delay=ASK_AGAIN)

    def info(self, names: Sequence[str], budget: Budget) -> NoReturn:
        """Raises TryAgain with what is missing."""
        raise TryAgain(self._reason, delay=ASK_AGAIN)

    def close(self) -> None:
        """There is nothing to close."""
