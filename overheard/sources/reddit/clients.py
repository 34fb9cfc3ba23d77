"""All configured clients of Reddit, used in turn: each has a request budget of its own (I5).

A request is made by the client whose budget has the next free token. A client that Reddit refuses leaves the turn until
its next login is due (``login_backoff``); that login is made by an ordinary request, which goes to another client if it
is refused again. An error is raised only if no client can be used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from overheard.clock import Clock
from overheard.config import RedditSettings
from overheard.errors import LoginRefused
from overheard.observability.metrics import ProcessMetrics
from overheard.sources import ClientOutcome
from overheard.sources.reddit.client import RedditClient
from overheard.sources.reddit.names import client_key, client_name
from overheard.sources.reddit.requestor import RequestPurpose
from overheard.sources.reddit.responses import TokenRefused, TooManyRequests

# What concerns one client alone: its login, its token, its rate limit.
ERRORS_OF_ONE_CLIENT = (LoginRefused, TokenRefused, TooManyRequests)


class RedditClients:
    """Thread-safe. Clients are known by ``names.client_name``, in the order of the configuration."""

    def __init__(self, settings: RedditSettings, metrics: ProcessMetrics, clock: Clock) -> None:
        self.by_name = {
            client_name(app.client_id): RedditClient(settings, app, metrics, clock) for app in settings.clients
        }
        self._keys = {client_name(app.client_id): client_key(app.client_id) for app in settings.clients}
        self._outcomes: dict[str, ClientOutcome] = {}

    def get(self, path: str, params: Mapping[str, str], purpose: RequestPurpose) -> object:
        """Return the decoded JSON at ``path``; one HTTP request, and one more for a login or for each refused client.

        Raises BudgetExhausted, RetryableError, LoginRefused, FeedRefused, PermanentError, and nothing else.
        """
        names = [name for name, client in self.by_name.items() if not client.logins.blocked] or list(self.by_name)
        while True:
            name = purpose.budget.soonest(names)
            client, blocked = self.by_name[name], self.by_name[name].logins.blocked
            try:
                answer = client.get(path, params, msgspec.structs.replace(purpose, budget=purpose.budget.of(name)))
            except ERRORS_OF_ONE_CLIENT as error:
                if isinstance(error, LoginRefused) and not blocked:  # else it was not tried
                    self._record(name, error)
                names.remove(name)
                if not names:
                    raise
                continue
            self._record(name, None)
            return answer

    def outcomes(self) -> Sequence[ClientOutcome]:
        """Return the latest outcome of each client used since the last call; none of an only client."""
        outcomes, self._outcomes = self._outcomes, {}
        return list(outcomes.values())

    def close(self) -> None:
        """Close the connections of all clients. A later request opens new ones."""
        for client in self.by_name.values():
            client.close()

    def _record(self, name: str, refusal: LoginRefused | None) -> None:
        if len(self.by_name) > 1:
            retry_in = self.by_name[name].logins.seconds_left
            self._outcomes[name] = ClientOutcome(self._keys[name], None if refusal is None else str(refusal), retry_in)
