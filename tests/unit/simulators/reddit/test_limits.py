"""The rate limit: headers, refusals, counts."""

import math

from overheard.simulators.reddit.limits import SimulatedRateLimit


def test_the_budget_is_exact_to_the_request(make_simulator, make_bare):
    now = [1_000_000.0]
    simulator = make_simulator(requests_per_minute=5, window_seconds=60, clock=lambda: now[0])
    simulator.add_post("python", "title")
    bare = make_bare(simulator)
    assert [bare.get("r/python/new").status_code for _ in range(6)] == [200] * 5 + [429]
    counts = simulator.counts()
    assert (counts["violations"], counts["max_in_window"], counts["budget"]) == (1, 6, 5)
    assert counts["by_status"] == {200: 6, 429: 1}  # the token request costs nothing
    now[0] += 60
    assert bare.get("r/python/new").status_code == 200


def test_headers_have_reddits_types(make_simulator, make_bare):
    now = [1_000_000.0]
    simulator = make_simulator(requests_per_minute=100, window_seconds=600, clock=lambda: now[0])
    simulator.add_post("python", "title")
    bare = make_bare(simulator)
    bare.get("r/python/new")
    now[0] += 100.5
    headers = bare.get("r/nowhere/new").headers
    names = ("x-ratelimit-used", "x-ratelimit-remaining", "x-ratelimit-reset")
    assert [headers[name] for name in names] == ["2", "998.0", "500"]


def test_retry_after_only_when_asked_for(make_simulator, make_bare):
    for wanted in (False, True):
        bare = make_bare(make_simulator(requests_per_minute=1, window_seconds=60, retry_after=wanted))
        bare.get("r/all/new")
        answer = bare.get("r/all/new")
        assert answer.status_code == 429
        assert answer.headers.get("retry-after") == (answer.headers["x-ratelimit-reset"] if wanted else None)


def test_every_client_has_its_own_budget(make_simulator, make_bare):
    clients = {"standin": "standin-secret", "other": "other-secret"}
    simulator = make_simulator(requests_per_minute=1, window_seconds=60, clients=clients)
    first = make_bare(simulator)
    form = {"grant_type": "client_credentials"}
    token = first.post("api/v1/access_token", data=form, auth=("other", "other-secret")).json()["access_token"]
    first.get("r/all/new")
    assert first.get("r/all/new").status_code == 429
    assert first.get("r/all/new", headers={"Authorization": f"bearer {token}"}).status_code == 200


def test_two_tokens_of_a_client_share_its_budget(make_simulator, make_bare):
    simulator = make_simulator(requests_per_minute=1, window_seconds=60)
    one, other = make_bare(simulator), make_bare(simulator)
    assert [one.get("r/all/new").status_code, other.get("r/all/new").status_code] == [200, 429]


def test_a_burst_over_the_windows_edge_shows_in_the_sliding_count():
    limit = SimulatedRateLimit(requests_per_minute=60, window_seconds=10)
    limit.take("client", 0.0)
    for second in (9.0, 11.0):
        for _ in range(9):
            assert not limit.take("client", second).over
    assert limit.max_in_window == 18


def test_windows_follow_each_other_from_the_first_request():
    limit = SimulatedRateLimit(requests_per_minute=60, window_seconds=10)
    assert limit.take("client", 5.0).reset == 10
    usage = limit.take("client", 27.5)
    assert (usage.used, usage.remaining, usage.reset) == (1, 9, math.ceil(35 - 27.5))


def test_counts_by_endpoint_and_wait(simulator, bare):
    simulator.set_subreddit("python")
    for path in ("r/python/new", "r/all/comments", "r/python/about", "api/info", "search?q=x", "r/python/hot"):
        bare.get(path)
    expected = {"token": 1, "new": 1, "comments": 1, "about": 1, "info": 1, "search": 1, "unknown": 1}
    assert simulator.counts()["by_endpoint"] == expected
    assert simulator.recent_requests()[1] == "GET /r/python/new"
    assert simulator.wait_for_requests(7)
    assert not simulator.wait_for_requests(2, endpoint="about", timeout=0)
    simulator.reset_counts()
    assert simulator.counts()["total"] == 0
