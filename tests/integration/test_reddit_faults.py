"""Reddit's failures, with real PRAW over real HTTP against the simulator.

In every case each HTTP request, as counted by the simulator, takes one token of the budget, and only our own errors are
raised.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

import pytest
import structlog.testing

from overheard.errors import BudgetExhausted, FeedRefused, LoginRefused, PermanentError, RetryableError
from overheard.simulators.reddit import INSTALLED_ID, RedditSimulator
from overheard.sources import Page, ReadRequest
from overheard.sources.reddit.source import RedditSource
from tests.unit.sources.reddit_world import (
    EMPTY,
    TOKEN,
    RawServer,
    RecordingBudget,
    drips,
    http,
    new_metrics,
    requests_counted,
    sends,
    source_at,
    source_of,
)

Spoil = Callable[[RedditSimulator], None]
MakeSource = Callable[..., RedditSource]


@pytest.fixture
def simulator() -> Iterator[RedditSimulator]:
    with RedditSimulator(requests_per_minute=100) as made:
        post = made.add_post("python", "Hello", "world")
        made.add_comment(post, "indeed")
        yield made


@pytest.fixture
def make_source() -> Iterator[MakeSource]:
    made: list[RedditSource] = []

    def make(simulator: RedditSimulator | str, *args: object, **settings: object) -> RedditSource:
        build = source_at if isinstance(simulator, str) else source_of
        made.append(build(simulator, *args, **settings))  # type: ignore[operator]
        return made[-1]

    yield make
    for source in made:
        source.close()


@pytest.fixture
def source(simulator: RedditSimulator, make_source: MakeSource) -> RedditSource:
    return make_source(simulator)


@pytest.fixture
def budget(simulator: RedditSimulator) -> Iterator[RecordingBudget]:
    """A budget; at the end of each test, the tokens taken must equal the requests made."""
    made = RecordingBudget()
    yield made
    assert made.taken == simulator.counts()["total"]


def read(source: RedditSource, budget: RecordingBudget, *names: str) -> Page:
    return source.read(ReadRequest(kind="posts", places=tuple(names or ("python",))), budget)


def tokens(simulator: RedditSimulator) -> int:
    return simulator.counts()["by_endpoint"].get("token", 0)


def data(simulator: RedditSimulator) -> int:
    return simulator.counts()["total"] - tokens(simulator)


# Successful requests


def test_a_read_is_one_request_plus_a_login_the_first_time(
    simulator: RedditSimulator, source: RedditSource, budget: RecordingBudget
) -> None:
    for _ in range(5):
        assert [item.title for item in read(source, budget).items] == ["Hello"]
    assert source.read(ReadRequest(kind="comments", places=("python",)), budget).items[0].body == "indeed"
    assert (tokens(simulator), data(simulator)) == (1, 6)


def test_nothing_sleeps_when_reddits_window_is_used_up(simulator: RedditSimulator, make_source: MakeSource) -> None:
    budget = RecordingBudget()
    source = make_source(simulator)
    simulator.faults.ratelimit(
        {"x-ratelimit-remaining": "0.0", "x-ratelimit-used": "1000", "x-ratelimit-reset": "600"}, times=3
    )
    begun = time.monotonic()
    for _ in range(3):
        read(source, budget)
    assert time.monotonic() - begun < 5  # prawcore's limiter would sleep for 600 s
    assert budget.observed == [(0.0, 600.0)] * 3


def test_the_budget_observes_reddits_own_count(simulator: RedditSimulator, make_source: MakeSource) -> None:
    metrics, budget = new_metrics(), RecordingBudget()
    source = make_source(simulator, metrics)
    read(source, budget)
    read(source, budget)
    assert [remaining for remaining, _ in budget.observed] == [999.0, 998.0]
    assert metrics.registry.get_sample_value("overheard_reddit_budget_remaining") is None, "it belongs to all processes"
    assert requests_counted(metrics) == {("token", "200"): 1, ("new", "200"): 2}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-ratelimit-remaining": "99.0"},
        {"x-ratelimit-remaining": "99.0", "x-ratelimit-used": "?", "x-ratelimit-reset": "?"},
        {"x-ratelimit-remaining": "nan", "x-ratelimit-used": "1", "x-ratelimit-reset": "1"},
        {"x-ratelimit-remaining": "-3", "x-ratelimit-used": "-1", "x-ratelimit-reset": "-1"},
        {"x-ratelimit-remaining": "", "x-ratelimit-used": "", "x-ratelimit-reset": ""},
    ],
)
def test_odd_ratelimit_headers_are_ignored(
    simulator: RedditSimulator, source: RedditSource, budget: RecordingBudget, headers: dict[str, str]
) -> None:
    simulator.faults.ratelimit(headers)
    assert read(source, budget).items
    assert budget.observed == []


def test_fractional_ratelimit_headers_are_read(
    simulator: RedditSimulator, source: RedditSource, budget: RecordingBudget
) -> None:
    simulator.faults.ratelimit(
        {"x-ratelimit-remaining": "99", "x-ratelimit-used": "1.0", "x-ratelimit-reset": "5.5"}, times=2
    )
    assert read(source, budget).items
    assert read(source, budget).items
    assert budget.observed == [(99.0, 5.5)] * 2


def test_rate_limit_headers_of_a_login_are_ignored(make_source: MakeSource) -> None:
    told = "x-ratelimit-remaining: {0}\r\nx-ratelimit-reset: {0}\r\nx-ratelimit-used: 1\r\n"
    token = sends(http(TOKEN, headers=told.format(5)))
    with RawServer(sends(http(EMPTY, headers=told.format(7))), token=token) as server:
        budget = RecordingBudget()
        read(make_source(server.url), budget)
    assert budget.observed == [(7.0, 7.0)]


def test_every_thread_logs_in_once(simulator: RedditSimulator, source: RedditSource) -> None:
    barrier = threading.Barrier(4)
    budgets = [RecordingBudget() for _ in range(4)]

    def work(budget: RecordingBudget) -> int:
        barrier.wait(60)
        return sum(len(read(source, budget).items) for _ in range(10))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, budgets)) == [10] * 4
    assert [budget.taken for budget in budgets] == [11] * 4  # each thread used its own budget
    assert (tokens(simulator), data(simulator)) == (4, 40)


# 429


@pytest.mark.parametrize(
    ("retry_after", "delay"),
    [
        (None, 60.0),
        ("7", 7.0),
        ("2.5", 2.5),
        ("0", 1.0),
        ("-1", 1.0),
        ("99999", 3600.0),
        ("soon", 60.0),
        ("nan", 60.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 1.0),
    ],
)
@pytest.mark.parametrize("path", [None, "access_token"])
def test_too_many_requests(
    simulator: RedditSimulator,
    source: RedditSource,
    budget: RecordingBudget,
    retry_after: str | None,
    delay: float,
    path: str | None,
) -> None:
    simulator.faults.fail(429, retry_after=retry_after, path=path)
    with pytest.raises(RetryableError) as caught:
        read(source, budget)
    assert caught.value.delay == delay
    assert budget.blocked == [delay]
    assert (tokens(simulator), data(simulator)) == (1, 0 if path else 1)
    assert read(source, budget).items


def test_too_many_requests_until_a_date(
    simulator: RedditSimulator, source: RedditSource, budget: RecordingBudget
) -> None:
    simulator.faults.fail(429, retry_after=formatdate(time.time() + 120, usegmt=True))
    with pytest.raises(RetryableError) as caught:
        read(source, budget)
    assert caught.value.delay == pytest.approx(120, abs=3)


def test_reddits_own_limit_is_a_429_too(make_source: MakeSource) -> None:
    with RedditSimulator(requests_per_minute=1, window_seconds=60) as simulator:
        budget = RecordingBudget()
        source = make_source(simulator)
        simulator.set_subreddit("python")
        read(source, budget)
        with pytest.raises(RetryableError) as caught:
            read(source, budget)
        assert caught.value.delay == 60.0
        assert budget.taken == simulator.counts()["total"] == 3


# Transient failures


FAULTS: dict[str, Spoil] = {
    **{str(status): lambda s, status=status: s.faults.fail(status) for status in (408, 500, 502, 503, 504, 520, 522)},
    **{f"html {status}": lambda s, status=status: s.faults.html(status) for status in (200, 403, 500, 503)},
    "reset": lambda s: s.faults.reset(),
    "truncated": lambda s: s.faults.truncate(),
    "truncated in secret": lambda s: s.faults.truncate(whole_length=False),
    "empty": lambda s: s.faults.fail(204),
    "JSON of another kind": lambda s: s.faults.fail(200),
    "redirect": lambda s: s.faults.fail(302, headers={"location": "https://www.reddit.com/login"}),
    "redirect to nowhere": lambda s: s.faults.fail(301),
    "teapot": lambda s: s.faults.fail(418),
}


@pytest.mark.parametrize("spoil", FAULTS.values(), ids=FAULTS.keys())
def test_transient_failures_are_retried_by_the_caller_only(
    simulator: RedditSimulator, source: RedditSource, budget: RecordingBudget, spoil: Spoil
) -> None:
    read(source, budget)
    spoil(simulator)
    with pytest.raises(RetryableError) as caught:
        read(source, budget)
    assert caught.value.delay in (None, 60.0)
    assert (tokens(simulator), data(simulator)) == (1, 2)
    assert read(source, budget).items
    assert (tokens(simulator), data(simulator)) == (1, 3)


TOKEN_FAULTS: dict[str, Spoil] = {
    **{str(status): lambda s, status=status: s.faults.fail(status, path="access_token") for status in (500, 503, 302)},
    **{f"html {status}": lambda s, status=status: s.faults.html(status, path="access_token") for status in (200, 403)},
    "reset": lambda s: s.faults.reset(path="access_token"),
    "truncated": lambda s: s.faults.truncate(path="access_token"),
    "truncated in secret": lambda s: s.faults.truncate(path="access_token", whole_length=False),
    "not a token": lambda s: s.faults.fail(202, path="access_token"),
}


@pytest.mark.parametrize("spoil", TOKEN_FAULTS.values(), ids=TOKEN_FAULTS.keys())
def test_a_login_that_fails_transiently(
    simulator: RedditSimulator, source: RedditSource, budget: RecordingBudget, spoil: Spoil
) -> None:
    spoil(simulator)
    with pytest.raises(RetryableError):
        read(source, budget)
    assert (tokens(simulator), data(simulator)) == (1, 0)
    assert read(source, budget).items


@pytest.mark.parametrize("path", ["new", "access_token"])
def test_a_hang_ends_with_the_timeout(simulator: RedditSimulator, make_source: MakeSource, path: str) -> None:
    metrics, budget = new_metrics(), RecordingBudget()
    source = make_source(simulator, metrics, timeout=0.3)
    simulator.faults.timeout(60, path=path)
    begun = time.monotonic()
    with pytest.raises(RetryableError, match="Timeout"):
        read(source, budget)
    assert time.monotonic() - begun < 5
    assert budget.taken == simulator.counts()["total"]
    endpoint = "token" if path == "access_token" else "new"
    assert requests_counted(metrics)[endpoint, "error"] == 1


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nx: ", b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n"])
@pytest.mark.parametrize("login", [True, False])
def test_a_drip_ends_with_the_timeout(make_source: MakeSource, head: bytes, login: bool) -> None:
    budget = RecordingBudget()
    with RawServer(drips(head, b"x"), token=drips(head, b"x") if login else None) as server:
        source = make_source(server.url, timeout=0.3)
        begun = time.monotonic()
        with pytest.raises(RetryableError, match="no answer"):
            read(source, budget)
        assert time.monotonic() - begun < 5
        assert budget.taken == len(server.heads) == (1 if login else 2)


def test_an_unreachable_server_is_a_transient_failure(make_source: MakeSource) -> None:
    with RawServer(sends(b"")) as server:
        url = server.url
    with pytest.raises(RetryableError, match=r"NewConnectionError|ConnectionRefusedError"):
        read(make_source(url), RecordingBudget())


@pytest.mark.parametrize("head", ["HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"])
def test_an_answer_that_is_too_large_is_refused(make_source: MakeSource, head: str) -> None:
    with RawServer(drips(head.encode(), b" " * 1_000_000, every=0)) as server:
        source = make_source(server.url)
        with pytest.raises(RetryableError, match="16,777,216 bytes"):
            read(source, RecordingBudget())


NONSENSE = [
    b"",
    b"\r\n\r\n",
    b"SSH-2.0-OpenSSH\r\n",
    b"HTTP/1.1 999 ?\r\n\r\n",
    http("[" * 100_000),
    http('{"data":' * 100_000),
    http("null"),
    http('"\\ud800"'),
    http(b"\xff\xfe\xfd"),
    http(EMPTY, headers="content-encoding: gzip\r\n"),
    http(EMPTY, headers="content-length: 5\r\n"),
    http("{}", headers="transfer-encoding: chunked\r\n"),
    http(EMPTY, headers="x: " + "y" * 70_000 + "\r\n"),
    http(EMPTY, headers="x: y\r\n" * 200),
    http(EMPTY, 401, "www-authenticate: Bearer\r\n"),
    http(EMPTY, 204),
    http("1" * 10_000),
]


@pytest.mark.parametrize("answer", NONSENSE, ids=range(len(NONSENSE)))
@pytest.mark.parametrize("login", [True, False])
def test_nonsense_is_a_transient_failure(make_source: MakeSource, answer: bytes, login: bool) -> None:
    def script(out: object, stop: object) -> None:
        out.write(answer)  # type: ignore[attr-defined]
        raise ConnectionError  # closes the connection

    with RawServer(script, token=script if login else None) as server:
        source, budget = make_source(server.url), RecordingBudget()
        with pytest.raises((RetryableError, PermanentError)) as caught:
            read(source, budget)
        assert not isinstance(caught.value, FeedRefused)
        assert isinstance(caught.value, RetryableError) or b" 401 " in answer
        assert budget.taken == len(server.heads)


# The token


def test_an_expired_token_is_renewed_once(
    simulator: RedditSimulator, source: RedditSource, budget: RecordingBudget
) -> None:
    read(source, budget)
    simulator.expire_tokens()
    assert read(source, budget).items
    assert (tokens(simulator), data(simulator)) == (2, 3)
    assert read(source, budget).items
    assert (tokens(simulator), data(simulator)) == (2, 4)


@pytest.mark.parametrize("header", [None, 'Bearer realm="reddit", error="invalid_token"', "Bearer", 'error="odd"'])
def test_a_token_that_is_never_accepted_causes_no_loop(
    simulator: RedditSimulator, source: RedditSource, budget: RecordingBudget, header: str | None
) -> None:
    simulator.faults.fail(401, times=2, headers={"www-authenticate": header} if header else None)
    with pytest.raises(RetryableError, match="token"):
        read(source, budget)
    assert (tokens(simulator), data(simulator)) == (2, 2)
    assert read(source, budget).items
    assert (tokens(simulator), data(simulator)) == (3, 3)


@pytest.mark.parametrize(
    "settings",
    [
        {"client_secret": "canary"},
        {"client_id": "canary", "client_secret": ""},
        {"username": "standin", "password": "canary"},
        {"client_id": "\u65e5\u672c"},
    ],
)
def test_wrong_credentials_are_reported_to_the_operator(
    simulator: RedditSimulator, make_source: MakeSource, settings: dict[str, str | None]
) -> None:
    budget = RecordingBudget()
    unsendable = not (settings.get("client_id") or "").isascii()
    with pytest.raises(PermanentError if unsendable else LoginRefused, match=r"\[sources.reddit\]") as caught:
        read(make_source(simulator, **settings), budget)
    assert "canary" not in str(caught.value)
    assert data(simulator) == 0


@pytest.mark.parametrize("url", ["http://", "http://[", "nonsense", "ftp://localhost", "http://\x7f.example"])
def test_wrong_addresses_are_reported_to_the_operator(make_source: MakeSource, url: str) -> None:
    source = make_source("http://localhost")
    # Bypass the configuration, which refuses some of them.
    (client,) = source._clients.by_name.values()
    client.settings = client.settings.model_copy(update={"reddit_url": url, "oauth_url": url})
    with pytest.raises((PermanentError, RetryableError)):
        read(source, RecordingBudget())


@pytest.mark.parametrize(
    "settings",
    [
        {"username": "standin", "password": "standin-password"},
        {"username": "standin", "password": ""},
        {"username": "", "password": ""},
        {"client_id": INSTALLED_ID, "client_secret": ""},
        {"user_agent": "linux:overheard.tests:1.0 (by /u/simulator)\n"},
    ],
)
def test_every_kind_of_app_can_log_in(
    simulator: RedditSimulator, make_source: MakeSource, settings: dict[str, str | None]
) -> None:
    source = make_source(simulator, **settings)
    assert "newest post: t3_" in source.check_login(*source.client_names(), RecordingBudget())


# The budget


def test_without_a_token_no_request_is_made(simulator: RedditSimulator, source: RedditSource) -> None:
    with pytest.raises(BudgetExhausted) as caught:
        read(source, RecordingBudget(tokens=0))
    assert (caught.value.delay, caught.value.slot) == (30.0, 1.0)
    assert simulator.counts()["total"] == 0


def test_a_login_is_kept_when_the_budget_runs_out(simulator: RedditSimulator, source: RedditSource) -> None:
    with pytest.raises(BudgetExhausted):
        read(source, RecordingBudget(tokens=1))
    assert (tokens(simulator), data(simulator)) == (1, 0)
    assert read(source, RecordingBudget(tokens=1)).items  # the same thread needs no second login
    simulator.expire_tokens()
    for held in (1, 1):  # the refused request, then the login
        with pytest.raises(BudgetExhausted):
            read(source, RecordingBudget(tokens=held))
    assert read(source, RecordingBudget(tokens=1)).items
    assert (tokens(simulator), data(simulator)) == (2, 3)


# Feeds


@pytest.mark.parametrize(
    ("state", "alone", "together"),
    [
        ("private", "private", "refused"),
        ("quarantined", "quarantined", "refused"),
        ("banned", "banned", "missing"),
        ("missing", "missing", "missing"),
    ],
)
@pytest.mark.parametrize("kind", ["posts", "comments"])
def test_refused_feeds(
    simulator: RedditSimulator,
    source: RedditSource,
    budget: RecordingBudget,
    state: str,
    alone: str,
    together: str,
    kind: str,
) -> None:
    simulator.set_subreddit("closed", state)  # type: ignore[arg-type]
    for names, reason in ((("closed",), alone), (("python", "closed"), together)):
        with pytest.raises(FeedRefused) as caught:
            source.read(ReadRequest(kind=kind, places=tuple(names)), budget)  # type: ignore[arg-type]
        assert (caught.value.reason, caught.value.names) == (reason, names)
    assert (tokens(simulator), data(simulator)) == (1, 2)


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        (451, {}, "refused"),
        (414, {}, "refused"),
        (400, {}, "refused"),
        (410, {}, "refused"),
        (403, {"www-authenticate": "Bearer"}, "refused"),
        (403, {"www-authenticate": 'Bearer error="odd"'}, "refused"),
    ],
)
def test_odd_refusals_of_feeds(
    simulator: RedditSimulator,
    source: RedditSource,
    budget: RecordingBudget,
    status: int,
    headers: dict[str, str],
    reason: str,
) -> None:
    simulator.faults.fail(status, headers=headers)
    with pytest.raises(FeedRefused) as caught:
        read(source, budget, "python", "linux")
    assert caught.value.reason == reason


def test_a_group_too_long_for_a_url_is_refused_and_its_halves_are_not(
    simulator: RedditSimulator, source: RedditSource, budget: RecordingBudget
) -> None:
    names = [f"subreddit_number_{number}" for number in range(600)]
    for name in names:
        simulator.set_subreddit(name)
    with pytest.raises(FeedRefused) as caught:
        read(source, budget, *names)
    assert caught.value.names == tuple(names)
    assert read(source, budget, *names[:300]).items == ()


def test_a_missing_scope_is_reported_to_the_operator(
    simulator: RedditSimulator, source: RedditSource, budget: RecordingBudget
) -> None:
    simulator.faults.fail(403, headers={"www-authenticate": 'Bearer realm="reddit", error="insufficient_scope"'})
    with pytest.raises(PermanentError, match="scope"):
        read(source, budget)


@pytest.mark.parametrize("name", ["../api/v1/me", "a/b", "a?x=1", "a#b", "", "a+b", "python\n", "pythön", "-x", "."])
def test_an_invalid_feed_name_is_refused_without_a_request(
    simulator: RedditSimulator, source: RedditSource, budget: RecordingBudget, name: str
) -> None:
    with pytest.raises(FeedRefused) as caught:
        read(source, budget, "python", name)
    assert caught.value.names == (name,)
    assert simulator.counts()["total"] == 0


# Items


def test_an_unknown_child_is_skipped_and_logged_without_its_text(make_source: MakeSource) -> None:
    good = {"name": "t3_1", "subreddit": "a", "title": "x", "permalink": "/r/a/1/", "created_utc": 1e9}
    children = [{"kind": "t3", "data": each} for each in (good, {"title": "canary"}, good | {"name": "canary"})]
    answer = http(json.dumps({"data": {"children": children, "after": "t3_1"}}))
    with RawServer(sends(answer)) as server, structlog.testing.capture_logs() as logs:
        page = read(make_source(server.url), RecordingBudget())
    assert ([item.id for item in page.items], page.complete, page.position is None) == (["t3_1"], False, False)
    [line] = logs
    assert (line["count"], line["kind"], line["log_level"]) == (2, "post", "warning")
    assert "name" in line["first"]
    assert "canary" not in str(line)


# Looking up


def test_a_look_up_reports_what_is_gone(
    simulator: RedditSimulator, source: RedditSource, budget: RecordingBudget
) -> None:
    post = simulator.add_post("python", "to be deleted", "text")
    link = simulator.add_post("python", "a link", url="https://example.org/")
    comment = simulator.add_comment(link, "to be removed")
    kept = simulator.add_comment(link, "kept")
    simulator.delete(post)
    simulator.delete(comment, "moderator")
    checked = source.look_up([post, link, comment, kept, "t3_1"], budget)
    assert [item.id for item in checked.items] == [link, kept]
    assert checked.gone == (post, comment)
    assert checked.absent == ("t3_1",)
    assert data(simulator) == 1


def test_a_look_up_tells_a_deleted_account_from_a_deleted_text(
    simulator: RedditSimulator, source: RedditSource, budget: RecordingBudget
) -> None:
    post = simulator.add_post("python", "of an account that goes", "its text", author="Ada")
    comment = simulator.add_comment(post, "hers too", author="ada")
    simulator.delete_account("ADA")
    checked = source.look_up([post, comment], budget)
    assert [(item.author, item.body) for item in checked.items] == [(None, "its text"), (None, "hers too")]
    assert (checked.gone, checked.absent) == ((), ())


def test_an_item_that_is_not_public_is_absent_not_gone(
    simulator: RedditSimulator, source: RedditSource, budget: RecordingBudget
) -> None:
    hidden = simulator.add_post("secret", "text")
    vanished = simulator.add_post("python", "text")
    simulator.set_subreddit("secret", "private")
    simulator.vanish(vanished)
    checked = source.look_up([hidden, vanished], budget)
    assert (checked.items, checked.gone, checked.absent) == ((), (), (hidden, vanished))


def test_an_emptied_text_is_gone_even_with_an_author(
    simulator: RedditSimulator, source: RedditSource, budget: RecordingBudget
) -> None:
    post = simulator.add_post("python", "title", "text")
    comment = simulator.add_comment(post, "text")
    simulator.edit(post, "[ Removed by Reddit on account of violating the content policy. ]")
    simulator.edit(comment, "[removed]")
    assert source.look_up([post, comment], budget).gone == (post, comment)


def test_a_look_up_accepts_a_hundred_names(
    simulator: RedditSimulator, source: RedditSource, budget: RecordingBudget
) -> None:
    names = [simulator.add_post("python", "x") for _ in range(101)]
    assert len(source.look_up(names[:100], budget).items) == 100
    with pytest.raises(ValueError, match="100"):
        source.look_up(names, budget)
    assert data(simulator) == 1


def test_an_unreadable_answer_makes_nothing_gone_or_absent(make_source: MakeSource) -> None:
    body = '{"data": {"children": [{"kind": "t3", "data": {"name": 5}}]}}'
    with RawServer(sends(http(body))) as server:
        checked = make_source(server.url).look_up(["t3_1", "t3_2"], RecordingBudget())
    assert (checked.items, checked.gone, checked.absent) == ((), (), ())


@pytest.mark.parametrize("status", [403, 404, 451])
def test_a_refused_look_up_names_no_feeds(
    simulator: RedditSimulator, source: RedditSource, budget: RecordingBudget, status: int
) -> None:
    simulator.faults.fail(status)
    with pytest.raises(PermanentError) as caught:
        source.look_up(["t3_1"], budget)
    assert not isinstance(caught.value, FeedRefused)
