"""Which error each refusal of Reddit maps to."""

from __future__ import annotations

import json
from io import BytesIO

import prawcore
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from overheard.errors import FeedRefused, LoginRefused, OverheardError, PermanentError, RetryableError
from overheard.sources.reddit.responses import (
    TokenRefused,
    error_for,
    error_for_library_exception,
    error_in_grant,
)

NOW = 1_700_000_000.0
HTML = b"<!doctype html><html>canary</html>"


def answer(status: int, body: object = None, **headers: str) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    content = {"message": "canary", "error": status} if body is None else body
    made.raw = BytesIO(content if isinstance(content, bytes) else json.dumps(content).encode())
    made.headers = CaseInsensitiveDict({name.replace("_", "-"): value for name, value in headers.items()})
    return made


def error_of(made: requests.Response, endpoint: str = "new", names: tuple[str, ...] = ("a", "b")) -> OverheardError:
    error = error_for(made, endpoint, names, lambda: NOW)
    assert "canary" not in str(error)  # no text of a server is repeated
    return error


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504, 520, 522, 599, 418, 204, 206])
@pytest.mark.parametrize("endpoint", ["new", "token"])
def test_transient_failures(status: int, endpoint: str) -> None:
    error = error_of(answer(status), endpoint)
    assert type(error) is RetryableError
    assert error.delay is None


def test_a_transient_failure_may_name_a_delay() -> None:
    error = error_of(answer(503, HTML, retry_after="20"))
    assert isinstance(error, RetryableError)
    assert error.delay == 20


@pytest.mark.parametrize("endpoint", ["new", "token"])
@pytest.mark.parametrize(("header", "delay"), [({}, 60.0), ({"retry_after": "9"}, 9.0), ({"retry_after": "?"}, 60.0)])
def test_too_many_requests(endpoint: str, header: dict[str, str], delay: float) -> None:
    error = error_of(answer(429, **header), endpoint)
    assert isinstance(error, RetryableError)
    assert error.delay == delay


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (answer(403, {"reason": "private"}), "private"),
        (answer(403, {"reason": "quarantined"}), "quarantined"),
        (answer(404, {"reason": "banned"}), "banned"),
        (answer(403, {"reason": "canary"}), "refused"),
        (answer(403), "refused"),
        (answer(404), "missing"),
        (answer(404, HTML), "missing"),
        (answer(302, b"", location="/subreddits/search?q=a"), "missing"),
        (answer(302, b"", location="https://www.reddit.com/subreddits/search.json?q=a"), "missing"),
        (answer(451), "refused"),
        (answer(414), "refused"),
        (answer(431, HTML), "refused"),
        (answer(413), "refused"),
        (answer(400), "refused"),
    ],
)
def test_refused_feeds_have_a_reason(made: requests.Response, reason: str) -> None:
    error = error_of(made)
    assert isinstance(error, FeedRefused)
    assert (error.reason, error.names) == (reason, ("a", "b"))


@pytest.mark.parametrize("status", [400, 403, 404, 451])
def test_without_feeds_a_refusal_is_permanent(status: int) -> None:
    assert type(error_of(answer(status), "info", ())) is PermanentError


def test_a_web_page_with_403_does_not_refuse_the_feed() -> None:
    error = error_of(answer(403, HTML))
    assert type(error) is RetryableError
    assert error.delay == 60


@pytest.mark.parametrize("location", ["https://canary.example/", "/login", "http://[", ""])
def test_other_redirects_do_not_refuse_the_feed(location: str) -> None:
    error = error_of(answer(302, b"", location=location))
    assert type(error) is RetryableError
    assert "reddit_url" in str(error)


@pytest.mark.parametrize(
    "header", [{}, {"www_authenticate": 'Bearer error="invalid_token"'}, {"www_authenticate": "?"}]
)
def test_a_refused_token(header: dict[str, str]) -> None:
    assert type(error_of(answer(401, **header))) is TokenRefused


def test_a_missing_scope_is_permanent() -> None:
    error = error_of(answer(403, www_authenticate='Bearer realm="reddit", error="insufficient_scope"'))
    assert type(error) is PermanentError
    assert "scope" in str(error)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refused_login_says_what_to_do(status: int) -> None:
    error = error_of(answer(status), "token")
    assert type(error) is LoginRefused
    assert error.delay == 60
    for part in (f"({status})", "revoked", "reddit.com/prefs/apps", "client_id"):
        assert part in str(error)


@pytest.mark.parametrize(("given_", "word"), [("invalid_grant", "invalid_grant"), ("canary", "error"), ({}, "error")])
def test_oauth_errors(given_: str, word: str) -> None:
    for error in (
        error_for_library_exception(prawcore.OAuthException(answer(200), given_, "canary")),
        error_in_grant(answer(200, {"error": given_, "error_description": "canary"})),
    ):
        assert type(error) is LoginRefused
        assert f"({word})" in str(error)
        assert "canary" not in str(error)


@pytest.mark.parametrize("body", [{"access_token": "canary"}, {"error": None}, ["error"], b"", b"\xff", HTML])
def test_a_granted_login_and_nonsense_are_not_refusals(body: object) -> None:
    assert error_in_grant(answer(200, body)) is None


@pytest.mark.parametrize("error", [KeyError("canary"), prawcore.BadJSON(answer(200)), RecursionError("canary")])
def test_any_other_exception_of_praw_is_a_transient_failure(error: Exception) -> None:
    made = error_for_library_exception(error)
    assert type(made) is RetryableError
    assert type(error).__name__ in str(made)
    assert "canary" not in str(made)


@given(st.integers(100, 599), st.binary(max_size=60), st.sampled_from(["new", "token", "info"]), st.booleans())
def test_every_response_maps_to_an_error(status: int, body: bytes, endpoint: str, feeds: bool) -> None:
    assert isinstance(error_for(answer(status, body), endpoint, ("a",) if feeds else (), lambda: NOW), OverheardError)
