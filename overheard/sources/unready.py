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
        self._reason = reason

    def read(
        self,
        kind: FeedKind,
        names: Sequence[str],
        *,
        cursor: str | None,
        position: str | None,
        since: float,
        budget: Budget,
    ) -> NoReturn:
        """Raises TryAgain with what is missing."""
        raise TryAgain(self._reason, delay=ASK_AGAIN)

    def join(self, older: str | None, newer: Sequence[str | None]) -> str | None:
        """Return no cursor: the feeds keep those that they have."""
        return older

    def probe(self, budget: Budget) -> NoReturn:
        """Raises TryAgain with what is missing."""
        raise TryAgain(self._reason, delay=ASK_AGAIN)

    def info(self, names: Sequence[str], budget: Budget) -> NoReturn:
        """Raises TryAgain with what is missing."""
        raise TryAgain(self._reason, delay=ASK_AGAIN)

    def close(self) -> None:
        """There is nothing to close."""
