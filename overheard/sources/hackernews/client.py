"""Requests to Hacker News and to Algolia: one at a time, without tokens; ``concurrent_requests`` makes several."""

from __future__ import annotations

from collections.abc import Mapping

from overheard.clock import Clock
from overheard.config.sources import HackerNewsSettings
from overheard.errors import RetryableError
from overheard.sources.hackernews.items import Answer, parse_item, parse_max_item, parse_updates
from overheard.sources.http import OperatorHttp
from overheard.sources.response_errors import transient_error

MAX_CONCURRENT_REQUESTS = 8


class HackerNewsClient:
    """Thread-safe; connections are kept. Every method raises RetryableError, and nothing else."""

    def __init__(self, settings: HackerNewsSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._http = OperatorHttp(timeout=settings.timeout, connections=MAX_CONCURRENT_REQUESTS + 2)

    def max_item(self) -> int:
        """Return the highest number that an item has."""
        return parse_max_item(self._get("/v0/maxitem.json"))

    def item(self, number: int) -> Answer:
        """Return the item of a number."""
        return parse_item(self._get(f"/v0/item/{number}.json"), number)

    def updates(self) -> list[int]:
        """Return the numbers of items that were changed lately."""
        return parse_updates(self._get("/v0/updates.json"))

    def search(self, params: Mapping[str, str]) -> bytes:
        """Return the answer of Algolia's search, newest items first."""
        return self._body(f"{self._settings.search_url}/api/v1/search_by_date", params)

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        self._http.close()

    def _get(self, path: str) -> bytes:
        return self._body(f"{self._settings.url}{path}")

    def _body(self, url: str, params: Mapping[str, str] | None = None) -> bytes:
        response = self._http.get(url, params)
        if (error := transient_error(response, self._clock)) is not None:
            raise error
        if response.status != 200:
            # Whatever a server that is configured says, it may say something else tomorrow: no dead letter.
            raise RetryableError(f"it answers with HTTP {response.status}")
        return response.body
