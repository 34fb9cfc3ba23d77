"""PRAW as used here: an instance per thread and client, without configuration files of its own and traces in errors."""

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
from overheard.config.sources import RedditCredentials
from overheard.errors import OverheardError
from overheard.observability.metrics import ProcessMetrics
from overheard.sources.reddit.login_backoff import LoginBackoff
from overheard.sources.reddit.requestor import CURRENT_REQUEST, BudgetedRequestor, RequestPurpose, session
from overheard.sources.reddit.responses import TokenRefused, error_for_library_exception


class RedditClient:
    """One client (``app``). Thread-safe, although PRAW is not: every thread has a PRAW instance and connections.

    Without a secret it logs in as an installed app; with a username and password, as a script app.

    Every thread also logs in separately. A token is valid for a day: sharing one would save a handful of requests, at
    the cost of a lock that is held while a login hangs, and of writing to PRAW's private expiry time.
    """

    def __init__(self, settings: RedditSettings, app: RedditCredentials, metrics: ProcessMetrics, clock: Clock) -> None:
        self.settings = settings
        self.logins = LoginBackoff(clock)
        self._app = app
        self._metrics = metrics
        self._clock = clock
        self._local = threading.local()
        self._sessions: set[requests.Session] = set()

    def get(self, path: str, params: Mapping[str, str], purpose: RequestPurpose) -> object:
        """Return the decoded JSON at ``path``. Log in first if needed, and once more if the token has expired.

        Raises BudgetExhausted, RetryableError, LoginRefused, FeedRefused, PermanentError, and nothing else.
        """
        with suppress(TokenRefused):  # a second one is raised: logging in again would not help
            return self._get(path, params, purpose)
        refused: TokenRefused
        try:
            return self._get(path, params, purpose)
        except TokenRefused as error:
            refused = error
        self.logins.record_token(accepted=False)
        raise refused

    def close(self) -> None:
        """Close the connections of all threads. A later request opens new ones."""
        self._local = threading.local()
        while self._sessions:
            self._sessions.pop().close()

    def _get(self, path: str, params: Mapping[str, str], purpose: RequestPurpose) -> object:
        previous = CURRENT_REQUEST.set(purpose)
        failure: OverheardError
        try:
            answer: object = self._reddit().request(method="GET", path=path, params=dict(params))
            self.logins.record_token(accepted=True)
            return answer
        except OverheardError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - PRAW also raises KeyError, IndexError, RecursionError …
            failure = error_for_library_exception(error)
        finally:
            CURRENT_REQUEST.reset(previous)
        if isinstance(failure, TokenRefused):
            self._discard_instance()
        # PRAW's frames hold the password and the token, and some loggers print the locals of every frame of a
        # traceback and of its causes: the error is raised without either.
        failure.__cause__ = failure.__context__ = None
        raise failure.with_traceback(None)

    def _reddit(self) -> praw.Reddit:
        if not hasattr(self._local, "reddit"):
            http = session()
            self._local.reddit = self._instance(http)
            self._local.http = http
            self._sessions.add(http)
        instance: praw.Reddit = self._local.reddit
        return instance

    def _discard_instance(self) -> None:
        """Discard this thread's PRAW instance and with it its token, so that the next request logs in again."""
        http: requests.Session = self._local.http
        del self._local.reddit
        self._sessions.discard(http)
        http.close()

    def _instance(self, http: requests.Session) -> praw.Reddit:
        settings, app = self.settings, self._app
        with PrawConfig.LOCK:
            # PRAW loads configuration files only while this class attribute is None.
            PrawConfig.CONFIG = _defaults()
        return praw.Reddit(
            # Every setting is passed, even None: PRAW takes those that are missing from the environment (praw_…).
            "DEFAULT",
            client_id=app.client_id,
            client_secret=app.client_secret.get_secret_value() or None,
            username=settings.username or None,
            password=settings.password.get_secret_value() or None,
            refresh_token=None,
            redirect_uri=None,
            user_agent=" ".join(settings.user_agent.split()),  # a line break, from a file, is invalid in a header
            reddit_url=settings.reddit_url,
            oauth_url=settings.oauth_url + "/",  # without the slash, urljoin would cut off the last part of its path
            check_for_updates=False,
            check_for_async=False,
            requestor_class=BudgetedRequestor,
            requestor_kwargs={
                "session": http,
                "timeout": settings.timeout,
                "metrics": self._metrics,
                "clock": self._clock,
                "logins": self.logins,
            },
        )


def _defaults() -> configparser.ConfigParser:
    """Return PRAW's defaults alone: by itself it would also read praw.ini in the working and home directories."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(files("praw").joinpath("praw.ini").read_text())
    return parser
