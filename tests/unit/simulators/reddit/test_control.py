"""The control path: the whole Python API for other processes."""

import pytest
import requests


@pytest.fixture
def ask(simulator):
    with requests.Session() as session:

        def ask(name, method="POST", /, **fields):
            url = f"{simulator.url}_simulator/{name}"
            return session.request(method, url, json=fields if method == "POST" else None, timeout=60)

        yield ask


def test_content(simulator, bare, ask):
    post = ask("posts", subreddit="python", title="Ünïcode", selftext="text", author="ada", created=5).json()[
        "fullname"
    ]
    comment = ask("comments", link=post, body="hi", hold=True).json()["fullname"]
    assert bare.names("r/python/new") == [post]
    assert bare.names("r/python/comments") == []
    assert ask("approve", fullname=comment).json() == {"ok": True}
    assert bare.names("r/python/comments") == [comment]
    ask("edit", fullname=post, text="new")
    ask("hold", fullname=comment)
    ask("delete", fullname=comment, by="moderator")
    shown = [child["data"] for child in bare.get(f"api/info?id={post},{comment}").json()["data"]["children"]]
    assert (shown[0]["title"], shown[0]["selftext"], shown[0]["created_utc"]) == ("Ünïcode", "new", 5.0)
    assert (shown[1]["body"], shown[1]["author"]) == ("[removed]", "[deleted]")


def test_galleries_and_crossposts(bare, ask):
    gallery = ask("posts", subreddit="pics", title="Two", captions=["First"], options=["Yes"]).json()["fullname"]
    ask("posts", subreddit="news", title="Look", crosspost=gallery)
    [shown] = [child["data"] for child in bare.get("r/news/new").json()["data"]["children"]]
    [original] = shown["crosspost_parent_list"]
    assert original["gallery_data"]["items"][0]["caption"] == "First"
    assert original["poll_data"]["options"][0]["text"] == "Yes"
    assert ask("posts", subreddit="pics", title="Two", captions="First").status_code == 400


def test_items_and_accounts_can_be_removed(bare, ask):
    def shown(*names):
        return [child["data"] for child in bare.get(f"api/info?id={','.join(names)}").json()["data"]["children"]]

    post = ask("posts", subreddit="python", title="A title", selftext="text", author="Ada").json()["fullname"]
    comment = ask("comments", link=post, body="hers", author="ada").json()["fullname"]
    other = ask("comments", link=post, body="his", author="bob").json()["fullname"]
    ask("delete-account", author="ADA")
    data = shown(post, comment, other)
    assert [each["author"] for each in data] == ["[deleted]", "[deleted]", "bob"]
    assert [data[0]["selftext"], data[1]["body"]] == ["text", "hers"], "the account is deleted, the text stays"
    assert "author_fullname" not in data[0]
    assert bare.names("r/python/new") == [post]
    ask("delete", fullname=post)
    data = shown(post, other)
    assert (data[0]["title"], data[1]["link_title"]) == ("[deleted by user]", "[deleted by user]")
    ask("vanish", fullname=comment)
    assert shown(comment) == []
    assert bare.names("r/python/comments") == [other]
    assert ask("vanish", fullname=comment).status_code == 404


def test_state_time_tokens_and_counts(simulator, bare, ask):
    ask("subreddits", name="python", state="private")
    assert bare.get("r/python/new").json()["reason"] == "private"
    before = simulator.now()
    ask("advance", seconds=1000)
    assert simulator.now() - before >= 1000
    ask("expire-tokens")
    assert bare.get("r/python/new").status_code == 401
    assert ask("counts", "GET").json()["by_status"] == {"200": 1, "403": 1, "401": 1}
    assert ask("requests", "GET").json()[-1] == "GET /r/python/new"
    ask("counts/reset")
    assert simulator.counts()["total"] == 0


def test_faults(simulator, bare, ask):
    ask("faults", kind="fail", status=429, retry_after="7", path="/r/all")
    assert bare.get("r/all/new").headers["retry-after"] == "7"
    ask("faults", kind="reset", times=3)
    ask("faults/clear")
    assert bare.get("r/all/new").status_code == 200


@pytest.mark.parametrize(
    ("name", "fields", "status", "says"),
    [
        ("posts", {"subreddit": "python"}, 400, "missing: title"),
        ("posts", {"subreddit": "python", "title": 5}, 400, "title must be a text"),
        ("posts", {"subreddit": "a b", "title": "x"}, 400, "cannot be a subreddit's name"),
        ("posts", {"subreddit": "python", "title": "x", "titel": "x"}, 400, "no field 'titel'"),
        ("subreddits", {"name": "python", "state": "closed"}, 400, "is not a state of a subreddit"),
        ("faults", {"kind": "explode"}, 400, "kind is 'explode'"),
        ("faults", {"kind": "fail", "times": True}, 400, "times must be a count"),
        ("delete", {"fullname": "t3_zzz"}, 404, "no post or comment is called t3_zzz"),
        ("delete", {"fullname": "t3_zzz", "by": "me"}, 400, "by is 'me'"),
        ("comments", {"link": "t3_zzz", "body": "x"}, 404, "t3_zzz"),
        ("nothing", {}, 404, "no /_simulator/nothing"),
        ("counts", {}, 405, "takes GET"),
    ],
)
def test_mistakes_are_explained(ask, name, fields, status, says):
    answer = ask(name, **fields)
    assert answer.status_code == status
    assert says in answer.json()["error"]


def test_a_body_that_is_not_an_object_is_refused(simulator):
    for body in (b"{", b"[]", b"\xff"):
        answer = requests.post(f"{simulator.url}_simulator/posts", data=body, timeout=60)
        assert answer.status_code == 400


def test_the_control_path_lists_its_commands_and_is_never_counted(simulator, ask):
    simulator.faults.fail(500, path=".*")
    assert ask("", "GET").json()["POST /_simulator/hold"] == {"fullname": "text*"}
    assert simulator.counts()["total"] == 0
    assert simulator.faults.pending() == 1
