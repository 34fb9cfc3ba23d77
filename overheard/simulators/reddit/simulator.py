"""`RedditSimulator`: the simulated Reddit as an object, for tests, `overheard demo` and the command line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from overheard.simulators.http.control import Command, Control
from overheard.simulators.http.counters import Counts
from overheard.simulators.http.exchange import SimulatedRequest, SimulatedResponse
from overheard.simulators.http.simulator import HttpSimulator

from . import render
from .application import Application
from .commands import commands
from .items import Gone, State
from .limits import SimulatedRateLimit
from .routes import Multi, Routes
from .store import NO_HOLES, NumberHoles, Release, SimulatedContent
from .tokens import Tokens

# These values are also in deploy/lib/configuration.sh, and in the configuration of servers that it has installed.
CLIENT_ID = "standin"
CLIENT_SECRET = "standin-secret"  # noqa: S105 - it protects nothing
INSTALLED_ID = "standin-installed"


class RedditSimulator(HttpSimulator):
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
    holes                       which numbers have no item, or have one late
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
        holes: NumberHoles = NO_HOLES,
    ) -> None:
        super().__init__(clock, render.error)
        self.store = SimulatedContent(self.now, seed, keep, release, holes)
        self._limit = SimulatedRateLimit(requests_per_minute, window_seconds)
        known = {CLIENT_ID: CLIENT_SECRET, INSTALLED_ID: ""} if clients is None else clients
        accounts = {"standin": "standin-password"} if users is None else users
        self._tokens = Tokens(self.now, known, accounts, token_seconds)
        self._application = Application(
            self.now,
            self._tokens,
            self._limit,
            Routes(self.store, multi, depth, self.now),
            self.faults,
            Control(self.commands()),
            self.counters,
            retry_after=retry_after,
        )

    def answer(self, request: SimulatedRequest) -> SimulatedResponse:
        """Answer any request. All are counted, except those to the control path."""
        return self._application.answer(request)

    def commands(self) -> dict[str, Command]:
        """Return the commands by their path below `/_simulator/`."""
        return super().commands() | commands(self)

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
        flair: str | None = None,
        captions: Iterable[str] = (),
        options: Iterable[str] = (),
        crosspost: str | None = None,
        hold: bool = False,
    ) -> str:
        """Add a post and return its fullname. A new subreddit is created, public.

        `captions` make it a gallery, with a picture each; `options`, a poll; `crosspost` (a fullname), a crosspost of
        that post. `hold` hides it until it is approved. Listings are sorted by id: `created` (Unix seconds) is only
        displayed.
        """
        return self.store.add_post(
            subreddit,
            title,
            selftext,
            author=author,
            created=created,
            url=url,
            over_18=over_18,
            flair=flair,
            captions=captions,
            options=options,
            crosspost=crosspost,
            held=hold,
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

    def rename_subreddit(self, name: str, new: str) -> None:
        """Give a subreddit another name; its t5 id and its items stay."""
        self.store.rename(name, new)

    def expire_tokens(self) -> None:
        """Invalidate all tokens."""
        self._tokens.expire()

    def revoke(self, client: str) -> None:
        """Refuse a client and its tokens, as Reddit does without notice."""
        self._tokens.revoke(client)

    def restore(self, client: str) -> None:
        """Accept a revoked client again."""
        self._tokens.restore(client)

    def requests_of(self, client: str) -> int:
        """Return how many requests for data the client has made so far, refused ones included."""
        return self._limit.total(client)

    def counts(self) -> Counts:
        """Return the counters of all requests so far."""
        return self.counters.snapshot(self._limit.max_in_window, self._limit.budget)

    def reset_counts(self) -> None:
        """Reset the counters, but not what clients have used of their budget."""
        self.counters.reset()
        self._limit.reset_maximum()
