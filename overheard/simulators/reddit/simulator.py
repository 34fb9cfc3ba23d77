"""`RedditSimulator`: the simulated Reddit as an object, for tests, for `overheard demo` and for the command line."""

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

CLIENT_ID = "standin"
CLIENT_SECRET = "standin-secret"  # noqa: S105 - it guards nothing
INSTALLED_ID = "standin-installed"


class RedditSimulator:
    """A Reddit of one's own. Thread-safe; also a context manager that starts and stops the server.

    seed                        where ids start; the same seed and calls give the same fullnames
    clock                       seconds since the epoch; `advance()` adds to it
    clients, users              ids to secrets ("" for an installed app), names to passwords
    requests_per_minute, window_seconds, retry_after
                                the rate limit, and whether its 429 says Retry-After
    token_seconds               how long a token holds
    multi                       r/a+b with an unreadable one: "refuse" the URL or "drop" the one
    depth                       how deep a listing can be read
    keep                        items held per kind; None for all
    release                     where a post goes that was held: to the "top", as on Reddit, or to its own "place"
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
        """Listen; port 0 takes a free one. OSError when the port is taken."""
        if self._server is not None:
            raise RuntimeError(f"the simulator is running already, at {self.url}")
        self._server = SimulatorServer(host, port, self._application.answer)
        return self

    def stop(self) -> None:
        """Stop listening, end every connection and release what hangs. Content and counters stay."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def __enter__(self) -> Self:
        return self if self._server is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The base URL, with a slash at its end: both `reddit_url` and `oauth_url`."""
        if self._server is None:
            raise RuntimeError("the simulator is not running: call start(), or use it in a with statement")
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/"

    def now(self) -> float:
        """Return the simulator's time, in seconds since the epoch."""
        return self._clock() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move the simulator's time on: for new items, tokens and the rate limit."""
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
        """Post in a subreddit (made, public, when new) and return the fullname.

        `hold` keeps it for approval. Listings follow the ids: `created` (Unix seconds) changes only what is told.
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
        """Comment on the post `link` (its fullname) and return the fullname."""
        return self.store.add_comment(link, body, author=author, parent=parent, created=created, held=hold)

    def delete(self, fullname: str, by: Gone = "author") -> None:
        """Take an item away: by its "author" (text "[deleted]") or a "moderator" ("[removed]")."""
        if by not in ("author", "moderator"):
            raise ValueError(f"by is {by!r}; an item is deleted by its 'author' or by a 'moderator'")
        self.store.take_away(fullname, by)

    def hold(self, fullname: str) -> None:
        """Hide an item until it is approved, as Reddit's filters do."""
        self.store.take_away(fullname, "filter")

    def approve(self, fullname: str) -> None:
        """Show a held or removed item at its own place, below newer ones; a post that was held at first, at the top."""
        self.store.approve(fullname)

    def edit(self, fullname: str, text: str) -> None:
        """Change an item's text."""
        self.store.edit(fullname, text)

    def delete_account(self, author: str) -> None:
        """Take an author's name off everything that author said; the texts stay."""
        self.store.delete_account(author)

    def vanish(self, fullname: str) -> None:
        """Leave no trace of an item, not even in api/info: as after an order of a court."""
        self.store.vanish(fullname)

    def set_subreddit(self, name: str, state: State = "public") -> None:
        """Make a subreddit, or change its state: public, private, banned, quarantined, missing."""
        self.store.set_state(name, state)

    def expire_tokens(self) -> None:
        """Make all tokens invalid at once."""
        self._tokens.expire()

    def counts(self) -> Counts:
        """Return what was asked so far."""
        return self._counters.snapshot(self._limit.max_in_window, self._limit.budget)

    def recent_requests(self) -> list[str]:
        """Return the latest requests as "METHOD target", oldest first."""
        return self._counters.recent()

    def reset_counts(self) -> None:
        """Count from zero again. What clients used of their budget stays used."""
        self._counters.reset()
        self._limit.reset_marks()

    def wait_for_requests(self, count: int, endpoint: str | None = None, timeout: float = 10) -> bool:
        """Wait until `count` requests were counted, of one endpoint or of all; False when time ran out."""
        return self._counters.wait(count, endpoint, timeout)
