"""PRAW as we use it: one instance a thread, nothing from its own configuration, and nothing of it in an error."""

from __future__ import annotations

import configparser
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib.resources import files

import praw
import requests
from praw.config import Config as PrawConfig

from overheard.clock import Clock
from overheard.config import RedditSettings
from overheard.errors import OverheardError
from overheard.observability.metrics import ProcessMetrics
from overheard.sources.reddit.login_backoff import LoginBackoff
from overheard.sources.reddit.requestor import CURRENT_REQUEST, BudgetedRequestor, RequestPurpose, session
from overheard.sources.reddit.responses import TokenRefused, error_for_library_exception


class RedditClient:
    """Thread-safe: every thread gets a PRAW instance and connections of its own, as PRAW is not.

    Without a secret it is an installed app; with user and password, a script app.

    Every thread logs in for itself, too. A token holds for a day: sharing one would save a handful of requests, and
    cost a lock that is held while a login hangs, and a hand in PRAW's private expiry stamp.
    """

    def __init__(self, settings: RedditSettings, metrics: ProcessMetrics, clock: Clock) -> None:
        self.settings = settings
        self._metrics = metrics
        self._clock = clock
        self._logins = LoginBackoff(clock)
        self._local = threading.local()
        self._sessions: set[requests.Session] = set()

    def get(self, path: str, params: Mapping[str, str], call: RequestPurpose) -> object:
        """The JSON at ``path``. Logs in first, when needed, and once more when the token is not taken any more.

        Raises BudgetExhausted, RetryableError, LoginRefused, FeedRefused, PermanentError, and nothing else.
        """
        with suppress(TokenRefused):
            return self._get(path, params, call)
        return self._get(path, params, call)

    def close(self) -> None:
        """Close every thread's connections. A later request opens new ones."""
        self._local = threading.local()
        while self._sessions:
            self._sessions.pop().close()

    def _get(self, path: str, params: Mapping[str, str], call: RequestPurpose) -> object:
        held = CURRENT_REQUEST.set(call)
        failure: OverheardError
        try:
            return self._reddit().request(method="GET", path=path, params=dict(params))
        except OverheardError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - PRAW lets out KeyError, IndexError, RecursionError …
            failure = error_for_library_exception(error)
        finally:
            CURRENT_REQUEST.reset(held)
        if isinstance(failure, TokenRefused):
            self._forget()
        # PRAW's frames hold the password and the token, and some loggers print the locals of every frame of a
        # traceback and of its causes: the error goes on without its past.
        failure.__cause__ = failure.__context__ = None
        raise failure.with_traceback(None)

    def _reddit(self) -> praw.Reddit:
        if not hasattr(self._local, "reddit"):
            http = session()
            self._local.reddit = self._instance(http)
            self._local.http = http
            self._sessions.add(http)
        found: praw.Reddit = self._local.reddit
        return found

    def _forget(self) -> None:
        """Let go of this thread's instance, and so of its token."""
        http: requests.Session = self._local.http
        del self._local.reddit
        self._sessions.discard(http)
        http.close()

    def _instance(self, http: requests.Session) -> praw.Reddit:
        settings = self.settings
        app = settings.clients[0]
        with PrawConfig.LOCK:
            PrawConfig.CONFIG = _defaults()
        return praw.Reddit(
            # Everything is named, also what is None: PRAW asks the environment (praw_…) for what is not.
            "DEFAULT",
            client_id=app.client_id,
            client_secret=app.client_secret.get_secret_value() or None,
            username=settings.username or None,
            password=settings.password.get_secret_value() or None,
            refresh_token=None,
            redirect_uri=None,
            user_agent=" ".join(settings.user_agent.split()),  # a line's end, from a file, is no header's
            reddit_url=settings.reddit_url,
            oauth_url=settings.oauth_url + "/",  # without it, a path in it would be cut off
            check_for_updates=False,
            check_for_async=False,
            requestor_class=BudgetedRequestor,
            requestor_kwargs={
                "session": http,
                "timeout": settings.timeout,
                "metrics": self._metrics,
                "clock": self._clock,
                "logins": self._logins,
            },
        )


def _defaults() -> configparser.ConfigParser:
    """PRAW's own defaults. Left alone, it reads praw.ini of the working and the home directory as well."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(files("praw").joinpath("praw.ini").read_text())
    return parser
