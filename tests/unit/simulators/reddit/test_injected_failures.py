"""Injected failures: each must look to PRAW like the real failure that it simulates."""

import threading
import time

import prawcore
import pytest
import requests


@pytest.fixture
def read(simulator, reddit):
    simulator.add_post("python", "title " * 50)
    return lambda: list(reddit.subreddit("python").new())


def test_failures_happen_in_order_and_run_out(simulator, read):
    simulator.faults.fail(503, times=2)
    simulator.faults.fail(403)
    for expected in (prawcore.ServerError, prawcore.ServerError, prawcore.Forbidden):
        with pytest.raises(expected):
            read()
    assert simulator.faults.pending() == 0
    assert len(read()) == 1
    assert simulator.counts()["by_status"] == {200: 2, 503: 2, 403: 1}


@pytest.mark.parametrize("status", [429, 500, 502, 504, 520, 451])
def test_statuses(simulator, read, status):
    simulator.faults.fail(status)
    with pytest.raises(prawcore.ResponseException) as caught:
        read()
    assert caught.value.response.status_code == status
    assert "x-ratelimit-used" in caught.value.response.headers


def test_retry_after_in_seconds_and_as_a_date(simulator, read):
    simulator.faults.fail(429, retry_after="5")
    simulator.faults.fail(429, retry_after="Fri, 31 Dec 2027 23:59:59 GMT")
    with pytest.raises(prawcore.TooManyRequests) as caught:
        read()
    assert caught.value.retry_after == "5"
    with pytest.raises(ValueError, match="Fri, 31 Dec"):
        read()


def test_only_matching_paths_fail(simulator, read, reddit):
    simulator.faults.fail(500, path=r"/r/python/comments")
    assert len(read()) == 1
    with pytest.raises(prawcore.ServerError):
        list(reddit.subreddit("python").comments())


def test_token_requests_fail_only_when_named(simulator, make_reddit):
    simulator.set_subreddit("python")
    simulator.faults.fail(500)
    reddit = make_reddit(simulator)
    with pytest.raises(prawcore.ServerError):
        list(reddit.subreddit("python").new())
    assert simulator.counts()["by_endpoint"] == {"token": 1, "new": 1}
    simulator.faults.fail(503, path="access_token")
    with pytest.raises(prawcore.ResponseException) as caught:
        list(make_reddit(simulator).subreddit("python").new())
    assert caught.value.response.status_code == 503


def test_a_body_cut_short_breaks_the_connection(simulator, read):
    simulator.faults.truncate()
    with pytest.raises(prawcore.RequestException) as caught:
        read()
    assert isinstance(caught.value.original_exception, requests.exceptions.ChunkedEncodingError)


def test_a_cut_body_that_looks_complete_is_bad_json(simulator, read):
    simulator.faults.truncate(whole_length=False)
    with pytest.raises(prawcore.BadJSON):
        read()


def test_html_pages(simulator, read):
    simulator.faults.html(200)
    simulator.faults.html(503)
    with pytest.raises(prawcore.BadJSON) as caught:
        read()
    assert caught.value.response.headers["content-type"].startswith("text/html")
    with pytest.raises(prawcore.ServerError):
        read()


def test_reset_connections(simulator, read):
    simulator.faults.reset()
    with pytest.raises(prawcore.RequestException) as caught:
        read()
    assert isinstance(caught.value.original_exception, requests.exceptions.ConnectionError)
    assert "reset by peer" in str(caught.value.original_exception)
    assert simulator.counts()["by_status"][0] == 1


def test_timeouts(simulator, bare):
    simulator.faults.timeout(60)
    with pytest.raises(requests.exceptions.ReadTimeout):
        bare.session.get(bare.url + "r/all/new", timeout=0.05)


def test_stop_releases_hanging_requests(simulator, bare):
    simulator.faults.timeout(600)
    outcome = []

    def ask():
        try:
            bare.get("r/all/new")
        except requests.exceptions.ConnectionError as error:
            outcome.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    assert simulator.wait_for_requests(2)
    simulator.stop()
    asking.join(timeout=60)
    assert len(outcome) == 1
    for thread in threading.enumerate():
        if "process_request" in thread.name:
            thread.join(timeout=60)
            assert not thread.is_alive()


def test_slow_answers_are_correct(simulator, read):
    read()
    simulator.faults.slow(0.2)
    begun = time.monotonic()
    assert len(read()) == 1
    assert time.monotonic() - begun >= 0.2


def test_a_dripping_answer_is_correct_and_slow(simulator, bare):
    simulator.faults.drip(0.001)
    begun = time.monotonic()
    answer = bare.get("r/all/new")
    assert answer.json()["kind"] == "Listing"
    assert time.monotonic() - begun >= 0.001 * len(answer.content)


@pytest.mark.parametrize("seconds", [0.0, 0.001])
def test_raw_bytes_are_sent_as_they_are(simulator, bare, seconds):
    simulator.faults.raw(b"HTTP/1.1 200 Fine\r\nX-Odd: \xff\r\n\r\n{", seconds=seconds)
    answer = bare.get("r/all/new")
    assert (answer.status_code, answer.reason, answer.headers["x-odd"], answer.content) == (200, "Fine", "\xff", b"{")


def test_odd_and_missing_ratelimit_headers(simulator, bare):
    simulator.faults.ratelimit({"x-ratelimit-used": "1.0"})
    simulator.faults.ratelimit()
    odd, none, usual = (bare.get("r/all/new").headers for _ in range(3))
    assert {name: value for name, value in odd.items() if "ratelimit" in name} == {"x-ratelimit-used": "1.0"}
    assert not [name for name in none if "ratelimit" in name]
    assert len([name for name in usual if "ratelimit" in name]) == 3


def test_impossible_failures_are_refused(simulator):
    with pytest.raises(ValueError, match="times is 0"):
        simulator.faults.fail(500, times=0)
    with pytest.raises(ValueError, match="status is 42"):
        simulator.faults.fail(42)
    with pytest.raises(ValueError, match="not a regular expression"):
        simulator.faults.fail(500, path="(")
    assert simulator.faults.pending() == 0
