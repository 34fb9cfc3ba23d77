"""PRAW is isolated: it reads only our configuration, and leaks no secret."""

from __future__ import annotations

import base64
import configparser
import io
import logging
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import praw
import prawcore
import pytest
import structlog
from praw.config import Config

from overheard.config import RedditSettings
from overheard.errors import FeedRefused, OverheardError, RetryableError
from overheard.observability.log import NOISY_LIBRARIES, configure
from overheard.simulators.reddit import CLIENT_ID, CLIENT_SECRET, RedditSimulator
from overheard.sources import ReadRequest
from overheard.sources.reddit.source import RedditSource
from tests.unit.sources.reddit_world import (
    AGENT,
    EMPTY,
    TOKEN,
    RawServer,
    RecordingBudget,
    Script,
    drips,
    http,
    new_metrics,
    requests_counted,
    sends,
    source_at,
)

HOSTILE_INI = """
[DEFAULT]
oauth_url=http://127.0.0.1:9/
reddit_url=http://127.0.0.1:9/
client_id=wrong
username=wrong
password=wrong
refresh_token=wrong
check_for_updates=True
check_for_async=True
comment_kind=t9
submission_kind=t9
window_size=soon
timeout=never
[elsewhere]
client_id=wrong
"""


@pytest.fixture
def simulator() -> Iterator[RedditSimulator]:
    with RedditSimulator() as made:
        made.add_post("python", "Hello")
        yield made


@pytest.fixture(autouse=True)
def _fresh_praw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Config, "CONFIG", None)


def read(source: RedditSource) -> int:
    try:
        return len(source.read(ReadRequest(kind="posts", places=("python",)), RecordingBudget()).items)
    finally:
        source.close()


@pytest.mark.parametrize("ini", [HOSTILE_INI, "no ini at all", "[DEFAULT]\nclient_id=%(x", "\0", None])
def test_praws_own_configuration_changes_nothing(
    simulator: RedditSimulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ini: str | None
) -> None:
    home = tmp_path / "home"
    (home / ".config").mkdir(parents=True)
    for place in (tmp_path, home / ".config"):
        if ini is not None:
            (place / "praw.ini").write_text(ini)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    for name in ("client_id", "client_secret", "username", "password", "refresh_token", "redirect_uri", "user_agent"):
        monkeypatch.setenv(f"praw_{name}", "wrong")
    monkeypatch.setenv("praw_site", "elsewhere")
    monkeypatch.setenv("praw_check_for_updates", "True")
    monkeypatch.setattr(praw.Reddit, "update_checked", False)
    assert read(source_at(simulator.url)) == 1
    assert not praw.Reddit.update_checked  # otherwise it requests PyPI
    assert simulator.counts()["total"] == 2


def test_the_hostile_configuration_would_change_praw(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "praw.ini").write_text("no ini at all")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(configparser.Error):
        praw.Reddit(client_id="x", client_secret="x", user_agent=AGENT)


@pytest.mark.parametrize("text", ["machine localhost login canary password canary", "default login canary password x"])
def test_netrc_does_not_replace_the_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    (tmp_path / "netrc").write_text(text)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with RawServer(sends(http(EMPTY))) as server:
        read(source_at(server.url))
    login, data = server.heads
    assert "\r\nAuthorization: bearer bearer-canary\r\n" in data
    assert f"\r\nAuthorization: Basic {_basic(CLIENT_ID, CLIENT_SECRET)}\r\n" in login


def test_a_proxy_from_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(sends(http(EMPTY))) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        read(source_at("http://reddit.invalid"))
    assert [head.split()[1] for head in proxy.heads] == [
        "http://reddit.invalid/api/v1/access_token",
        "http://reddit.invalid/r/python/new?limit=100&raw_json=1",
    ]


@pytest.mark.parametrize("ending", ["", "/", "//", "/prefix", "/prefix/"])
def test_addresses_with_and_without_a_path(ending: str) -> None:
    with RawServer(sends(http(EMPTY))) as server:
        read(source_at(server.url + ending))
    prefix = ending.rstrip("/")
    assert [head.split()[1] for head in server.heads] == [
        f"{prefix}/api/v1/access_token",
        f"{prefix}/r/python/new?limit=100&raw_json=1",
    ]


def test_reddits_own_addresses_are_the_defaults() -> None:
    settings = RedditSettings()
    assert (settings.reddit_url, settings.oauth_url) == ("https://www.reddit.com", "https://oauth.reddit.com")


def test_closing_ends_the_connections_of_all_threads_and_reading_still_works() -> None:
    with RawServer(sends(http(EMPTY))) as server:
        source = source_at(server.url)

        def once() -> None:
            source.read(ReadRequest(kind="posts", places=("python",)), RecordingBudget())

        for _ in range(2):
            thread = threading.Thread(target=once)
            thread.start()
            thread.join()
        assert len(server.heads) == 4  # no thread used the other's login
        opened = server.connections
        source.close()
        assert all(server.ended.acquire(timeout=60) for _ in range(opened))
        assert read(source) == 0


def test_a_redirected_login_keeps_its_password() -> None:
    with RawServer(sends(http(EMPTY))) as thief:
        away = sends(http("", 307, f"location: {thief.url}/api/v1/access_token\r\n"))
        with RawServer(sends(http(EMPTY)), token=away) as server, pytest.raises(OverheardError):
            read(source_at(server.url))
        assert thief.heads == []


def test_a_redirected_read_keeps_its_token() -> None:
    with RawServer(sends(http(EMPTY))) as thief:
        away = sends(http("", 302, f"location: {thief.url}/r/python/new\r\n"))
        with RawServer(away) as server, pytest.raises(OverheardError):
            read(source_at(server.url))
        assert thief.heads == []


# Secrets

SECRETS = ("secret-canary", "password-canary", "bearer-canary")


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


ECHO = " ".join((*SECRETS, _basic("id", "secret-canary")))
BAD_ANSWERS = [
    *(http(ECHO, status) for status in (200, 204, 302, 400, 401, 403, 404, 408, 414, 418, 429, 451, 500, 503)),
    *(http(f'{{"error": "{ECHO}", "reason": "{ECHO}"}}', status) for status in (400, 401, 403, 404)),
    http(ECHO, 302, f"location: /{ECHO}\r\n"),
    http(ECHO, 401, f'www-authenticate: Bearer error="{ECHO}"\r\n'),
    http(ECHO, 403, f"www-authenticate: {ECHO}\r\n"),
    http(ECHO, 429, f"retry-after: {ECHO}\r\nx-ratelimit-reset: {ECHO}\r\n"),
    http(EMPTY, headers=f"content-encoding: gzip\r\nx: {ECHO}\r\n"),
    f"HTTP/1.1 {ECHO}\r\n\r\n".encode(),
    f"HTTP/1.1 200 OK\r\n{ECHO}\r\n\r\n".encode(),
    b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n" + ECHO.encode(),
    http(f'{{"data": {{"children": ["{ECHO}", {{"kind": "t3", "data": {{"name": "{ECHO}"}}}}]}}}}'),
]

BAD_LOGINS = [
    http(f'{{"error": "{ECHO}", "error_description": "{ECHO}"}}'),
    http(f'{{"error": "invalid_grant", "error_description": "{ECHO}"}}'),
    http(f'{{"access_token": "bearer-canary", "scope": "{ECHO}"}}'),
    http(f'{{"access_token": "bearer-canary", "expires_in": "{ECHO}", "scope": 5}}'),
    http(f'["{ECHO}"]'),
]


def everything_about(error: BaseException) -> str:
    """Return all that a logger could print: text, causes, and the locals of every frame except this file's."""
    texts = [repr(error), str(vars(error))]
    while error.__traceback__ is not None and error.__traceback__.tb_frame.f_code.co_filename == __file__:
        error = error.with_traceback(error.__traceback__.tb_next)
    texts += traceback.TracebackException.from_exception(error, capture_locals=True).format()
    for other in (error.__cause__, error.__context__):
        if other is not None:
            texts.append(everything_about(other))
    return "\n".join(texts)


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """Everything that any library logs, at the lowest level."""
    root = logging.getLogger()
    loggers = [root, *map(logging.getLogger, NOISY_LIBRARIES)]
    handlers, levels = root.handlers[:], [logger.level for logger in loggers]
    stream = io.StringIO()
    configure("DEBUG", style="text", stream=stream)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.mark.parametrize(
    ("answer", "login"),
    [(answer, True) for answer in BAD_ANSWERS + BAD_LOGINS] + [(answer, False) for answer in BAD_ANSWERS],
    ids=lambda value: {True: "login", False: "read"}.get(value, "") if isinstance(value, bool) else "",
)
def test_no_secret_leaks(answer: bytes, login: bool, logs: io.StringIO) -> None:
    def script(out: io.BufferedWriter, stop: object) -> None:
        out.write(answer)
        raise ConnectionError  # closes the connection

    assert_no_secret_leaks(script, script if login else sends(http(TOKEN)), logs)  # type: ignore[arg-type]


@pytest.mark.parametrize("login", [True, False], ids=["login", "read"])
def test_a_timeout_leaks_no_secret(login: bool, logs: io.StringIO) -> None:
    drip = drips(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n")
    assert_no_secret_leaks(drip, drip if login else sends(http(TOKEN)), logs)


def assert_no_secret_leaks(script: Script, token: Script, logs: io.StringIO) -> None:
    metrics = new_metrics()
    with RawServer(script, token=token) as server:
        source = source_at(
            server.url,
            metrics,
            client_id="id",
            client_secret=SECRETS[0],
            username="me",
            password=SECRETS[1],
            timeout=0.3,
        )
        output = repr(source) + repr(source._clients) + repr(vars(source))
        try:
            source.read(ReadRequest(kind="posts", places=("python",)), RecordingBudget())
        except OverheardError as error:
            output += everything_about(error)
            logging.getLogger("test").error("it failed", exc_info=error.with_traceback(error.__traceback__.tb_next))  # type: ignore[union-attr]
            assert "it failed" in logs.getvalue()
        source.close()
    output += logs.getvalue() + str(requests_counted(metrics))
    assert "canary" not in output
    assert _basic("id", SECRETS[0]) not in output
    assert any("password-canary" in head or _basic("id", SECRETS[0]) in head for head in server.heads)


def test_the_check_would_find_a_secret() -> None:
    def raiser() -> None:
        hidden = SECRETS[0]
        raise ValueError(len(hidden))

    with pytest.raises(ValueError) as caught:  # noqa: PT011 - any
        raiser()
    assert everything_about(caught.value).count("canary") == 0  # its frames are of this file
    with RawServer(sends(b""), token=sends(http("", 400))) as server:
        leaky = praw.Reddit(
            client_id="id",
            client_secret=SECRETS[0],
            username="me",
            password=SECRETS[1],
            user_agent=AGENT,
            reddit_url=server.url,
            check_for_updates=False,
        )
        with pytest.raises(prawcore.ResponseException) as leak:
            leaky.request(method="GET", path="x")
        leaky._core.close()
    assert "password-canary" in everything_about(leak.value)


@pytest.mark.parametrize(
    ("body", "status"), [("<html>whoa there, pardner!</html>", "blocked"), ('{"reason": "private"}', "403")]
)
def test_a_blocked_machine_is_not_counted_as_a_private_subreddit(body: str, status: str) -> None:
    metrics = new_metrics()
    with RawServer(sends(http(body, 403))) as server:
        source = source_at(server.url, metrics)
        with pytest.raises(RetryableError if status == "blocked" else FeedRefused):
            source.read(ReadRequest(kind="posts", places=("python",)), RecordingBudget())
        source.close()
    assert requests_counted(metrics) == {("token", "200"): 1, ("new", status): 1}


def test_series_of_usual_statuses_start_at_0() -> None:
    metrics = new_metrics()
    source_at("http://127.0.0.1:9", metrics=metrics)
    for endpoint in ("token", "new", "comments", "info", "search"):
        for status in ("200", "429", "blocked", "error"):
            labels = {"endpoint": endpoint, "status": status}
            assert metrics.registry.get_sample_value("overheard_reddit_requests_total", labels) == 0
