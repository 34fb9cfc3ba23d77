"""The simulator refuses what Reddit refuses."""

import http.client
from urllib.parse import urlsplit

import pytest


@pytest.mark.parametrize("agent", ["", "python-requests/2.32", "curl/8.5", "Python-urllib/3.11", "python-httpx/0.28"])
def test_default_user_agents_are_throttled(simulator, bare, agent):
    simulator.add_post("python", "title")
    assert bare.get("r/python/new", headers={"User-Agent": agent}).status_code == 429
    assert bare.get("r/python/new", headers={"User-Agent": "python:my.app:1.0 (by /u/me)"}).status_code == 200


@pytest.mark.parametrize("authorization", ["", "bearer", "bearer wrong", "basic wrong"])
def test_a_bad_token_is_401_in_the_words_prawcore_reads(bare, authorization):
    answer = bare.get("r/python/new", headers={"Authorization": authorization})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="reddit", error="invalid_token"'


def test_tokens_expire(make_simulator, make_bare):
    simulator = make_simulator(token_seconds=60)
    simulator.add_post("python", "title")
    bare = make_bare(simulator)
    simulator.advance(59)
    assert bare.get("r/python/new").status_code == 200
    simulator.advance(2)
    assert bare.get("r/python/new").status_code == 401
    bare.sign_in()
    assert bare.get("r/python/new").status_code == 200


def test_token_requests(simulator, bare):
    def ask(auth, **form):
        answer = bare.post("api/v1/access_token", data=form, auth=auth)
        return answer.status_code, answer.json().get("error")

    good = ("standin", "standin-secret")
    assert ask(("standin", "wrong"), grant_type="client_credentials")[0] == 401
    assert ask(("nobody", "standin-secret"), grant_type="client_credentials")[0] == 401
    assert ask(good, grant_type="magic") == (400, "unsupported_grant_type")
    assert ask(good) == (400, "unsupported_grant_type")
    assert ask(("standin-installed", ""), grant_type="client_credentials") == (200, "unauthorized_client")
    installed = "https://oauth.reddit.com/grants/installed_client"
    assert ask(("standin-installed", ""), grant_type=installed, device_id="short") == (200, "invalid_request")


def test_unknown_paths_and_wrong_methods(simulator, bare):
    simulator.add_post("python", "title")
    assert bare.get("r/python/hot2").status_code == 404
    assert bare.get("r/python/hot2").json() == {"message": "Not Found", "error": 404}
    assert bare.post("r/python/new").status_code == 405
    assert bare.get("api/v1/access_token").status_code == 405
    assert bare.session.delete(bare.url + "api/info?id=t3_1", timeout=60).status_code == 405


def test_long_urls(bare):
    assert bare.get(f"r/{'a' * 8200}/new").status_code == 414
    assert bare.get("r/" + "+".join(["python"] * 1000) + "/new").status_code == 302


def test_more_than_100_ids(simulator, bare):
    names = [simulator.add_post("python", "title") for _ in range(101)]
    assert bare.get(f"api/info?id={','.join(names[:100])}").status_code == 200
    assert bare.get(f"api/info?id={','.join(names)}").status_code == 400


def test_without_raw_json_markup_is_escaped(simulator, bare):
    simulator.add_post("python", "a & b", '<i>"q"</i>')
    old = bare.get("r/python/new").json()["data"]["children"][0]["data"]
    new = bare.get("r/python/new?raw_json=1").json()["data"]["children"][0]["data"]
    assert (old["title"], old["selftext"]) == ("a &amp; b", '&lt;i&gt;"q"&lt;/i&gt;')
    assert (new["title"], new["selftext"]) == ("a & b", '<i>"q"</i>')


@pytest.mark.parametrize(
    ("bad", "state", "refused"),
    [("bad", "private", 403), ("bad", "quarantined", 403), ("bad", "banned", 404), ("nowhere", "banned", 404)],
)
def test_multis_with_one_that_cannot_be_read(make_simulator, make_bare, bad, state, refused):
    for multi, expected in (("refuse", refused), ("drop", 200)):
        simulator = make_simulator(multi=multi)
        simulator.add_post("bad", "hidden")
        simulator.set_subreddit("bad", state)
        shown = [simulator.add_post(name, "title") for name in ("one", "two")]
        bare = make_bare(simulator)
        answer = bare.get(f"r/one+{bad}+two/new")
        assert answer.status_code == expected
        if multi == "drop":
            assert bare.names(f"r/one+{bad}+two/new") == shown[::-1]
        else:
            assert "reason" not in answer.json()


def test_a_multi_without_readable_subreddits_is_404_even_when_dropping(make_simulator, make_bare):
    assert make_bare(make_simulator(multi="drop")).get("r/nowhere+neither/new").status_code == 404


def test_keep_alive_survives_refusals(simulator):
    # A server that leaves a request's body unread breaks the next request on the same connection.
    address = urlsplit(simulator.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    connection.connect()
    socket = connection.sock
    try:
        for method, path in [("POST", "/r/python/new"), ("PUT", "/nowhere"), ("HEAD", "/x"), ("GET", "/")]:
            connection.request(method, path, body=b"x" * 5000, headers={"User-Agent": "linux:tests:1 (by /u/me)"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 401
            assert connection.sock is socket
    finally:
        connection.close()
