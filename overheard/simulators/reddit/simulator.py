"""`RedditSimulator`: the simulated Reddit as an object, for tests, `overheard demo` and the command line."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Self

from .application import Application
from .commands import commands
from .control import Control
from .counters import Counters, Counts
from .injected_failures import InjectedFailures
from .items import Gone, State
from .limits import SimulatedRateLimit
from .routes import Multi, Routes
from .server import SimulatorServer
from .store import Release, SimulatedContent
from .tokens import Tokens

# These values are also in deploy/lib/configuration.sh, and in the configuration of servers that it has installed.
CLIENT_ID = "standin"
CLIENT_SECRET = "standin-secret"  # noqa: S105 - it protects nothing
INSTALLED_ID = "standin-installed"


class RedditSimulator:
    """A simulated Reddit. Thread-safe; also a context manager that starts and stops the server.

    seed                        determines the first ids; the same seed and calls give the same fullnames
    clock                       seconds since the epoch; `advance()` adds to it
    clients, users              ids to secrets ("" for an installed app), names to passwords
    requests_per_minute, window_seconds, retry_after
                                the rate limit, and whether its 429 has a Retry-After header
    token_seconds               how long a token is valid
    multi                       r/a+b with an unreadable subreddit: "refuse" the URL or "drop" the subreddit
    depth                       the maximum depth of a listing
    keep                        items to keep per kind; None for all
    release                     where a held post enters on approval: at the "top", as on Reddit, or at its "place"
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        clock: Callable[[], float] = time.time,
        clients: Mapping[str, str] | None = None,
        users: Mapping[str, str] | None = None,
        requests_per_minute: float = 100,
        window_seconds: float = 600,
        retry_after: bool = False,
        token_seconds: float = 86_400,
        multi: Multi = "refuse",
        depth: int = 1000,
        keep: int | None = None,
        release: Release = "top",
    ) -> None:
        self._clock = clock
        self._ahead = 0.0
        self._lock = Lock()
        self._server: SimulatorServer | None = None
        self.store = SimulatedContent(self.now, seed, keep, release)
        self.faults = InjectedFailures()
        self._limit = SimulatedRateLimit(requests_per_minute, window_seconds)
        self._counters = Counters()
        known = {CLIENT_ID: CLIENT_SECRET, INSTALLED_ID: ""} if clients is None else clients
        accounts = {"standin": "standin-password"} if users is None else users
        self._tokens = Tokens(self.now, known, accounts, token_seconds)
        self._application = Application(
            self.now,
            self._tokens,
            self._limit,
            Routes(self.store, multi, depth),
            self.faults,
            Control(commands(self)),
            self._counters,
            retry_after=retry_after,
        )

    def start(self, port: int = 0, host: str = "127.0.0.1") -> Self:
        """Start to listen; port 0 chooses a free one. Raises OSError if the port is taken."""
        if self._server is not None:
            raise RuntimeError(f"the simulator is already running, at {self.url}")
        self._server = SimulatorServer(host, port, self._application.answer)
        return self

    def stop(self) -> None:
        """Stop listening, close all connections and release hanging requests. Content and counters stay."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def __enter__(self) -> Self:
        return self if self._server is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The base URL with a trailing slash, for both `reddit_url` and `oauth_url`."""
        if self._server is None:
            raise RuntimeError("the simulator is not running: call start(), or use it in a with statement")
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/"

    def now(self) -> float:
        """Return the simulator's time, in seconds since the epoch."""
        return self._clock() + self._ahead

    def advance(self, seconds: float) -> None:
        """Advance the simulator's time, for new items, tokens and the rate limit."""
        if seconds < 0:
            raise ValueError("time goes forward: seconds must not be below 0")
        with self._lock:
            self._ahead += seconds

    def add_post(
        self,
        subreddit: str,
        title: str,
        selftext: str = "",
        author: str = "someone",
        created: float | None = None,
        *,
        url: str | None = None,
        over_18: bool = False,
        hold: bool = False,
    ) -> str:
        """Add a post and return its fullname. A new subreddit is created, public.

        `hold` hides it until it is approved. Listings are sorted by id: `created` (Unix seconds) is only displayed.
        """
        return self.store.add_post(
            subreddit, title, selftext, author=author, created=created, url=url, over_18=over_18, held=hold
        )

    def add_comment(
        self,
        link: str,
        body: str,
        author: str = "someone",
        created: float | None = None,
        *,
        parent: str | None = None,
        hold: bool = False,
    ) -> str:
        """Add a comment to the post `link` (a fullname) and return its fullname."""
        return self.store.add_comment(link, body, author=author, parent=parent, created=created, held=hold)

    def delete(self, fullname: str, by: Gone = "author") -> None:
        """Delete an item, by its "author" (the text becomes "[deleted]") or a "moderator" ("[removed]")."""
        if by not in ("author", "moderator"):
            raise ValueError(f"by is {by!r}; an item is deleted by its 'author' or by a 'moderator'")
        self.store.take_away(fullname, by)

    def hold(self, fullname: str) -> None:
        """Hide an item until it is approved, as Reddit's filters do."""
        self.store.take_away(fullname, "filter")

    def approve(self, fullname: str) -> None:
        """Show a held or removed item at its own place, below newer ones; a post held at first goes to the top."""
        self.store.approve(fullname)

    def edit(self, fullname: str, text: str) -> None:
        """Change an item's text."""
        self.store.edit(fullname, text)

    def delete_account(self, author: str) -> None:
        """Remove an author's name from all items; the texts stay."""
        self.store.delete_account(author)

    def vanish(self, fullname: str) -> None:
        """Erase an item without a trace, even from api/info, as after a court order."""
        self.store.vanish(fullname)

    def set_subreddit(self, name: str, state: State = "public") -> None:
        """Create a subreddit or change its state: public, private, banned, quarantined, missing."""
        self.store.set_state(name, state)

    def expire_tokens(self) -> None:
        """Invalidate all tokens."""
        self._tokens.expire()

    def counts(self) -> Counts:
        """Return the counters of all requests so far."""
        return self._counters.snapshot(self._limit.max_in_window, self._limit.budget)

    def recent_requests(self) -> list[str]:
        """Return the latest requests as "METHOD target", oldest first."""
        return self._counters.recent()

    def reset_counts(self) -> None:
        """Reset the counters, but not what clients have used of their budget."""
        self._counters.reset()
        self._limit.reset_maximum()

    def wait_for_requests(self, count: int, endpoint: str | None = None, timeout: float = 10) -> bool:
        """Wait until `count` requests to an endpoint (None: to all) were counted. Return False on timeout (seconds)."""
        return self._counters.wait(count, endpoint, timeout)
