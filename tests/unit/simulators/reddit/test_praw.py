"""Real PRAW 8 understands the simulator's responses."""

import praw
import prawcore
import pytest


def test_posts_and_comments_arrive_with_their_fields(simulator, reddit):
    post = simulator.add_post("Python", "Tips & <tricks>", "a < b && c", author="ada", created=1_700_000_000.7)
    comment = simulator.add_comment(post, "Thanks & bye", author="bob")
    answer = simulator.add_comment(post, "welcome", parent=comment)

    (found,) = reddit.subreddit("python").new(limit=10)
    assert (found.name, found.title, found.selftext) == (post, "Tips & <tricks>", "a < b && c")
    assert found.author == "ada"
    assert found.created_utc == 1_700_000_000.0
    assert found.num_comments == 2
    assert found.permalink == f"/r/Python/comments/{post[3:]}/tips_tricks/"

    second, first = reddit.subreddit("python").comments(limit=10)
    assert [first.name, second.name] == [comment, answer]
    assert (first.body, first.link_id, first.parent_id, second.parent_id) == ("Thanks & bye", post, post, comment)
    assert (first.link_title, first.subreddit.display_name) == ("Tips & <tricks>", "Python")


def test_listings_need_no_second_request(simulator, reddit):
    # PRAW fetches a missing field with a request of its own, so all fields must be there.
    simulator.add_comment(simulator.add_post("python", "title"), "body")
    for thing in [*reddit.subreddit("python").new(), *reddit.subreddit("python").comments()]:
        assert thing.created_utc
        assert thing.subreddit_id.startswith("t5_")
        assert thing.author_fullname.startswith("t2_")
        assert thing.over_18 is False
        assert thing.stickied is False
        assert thing.edited is False
    assert simulator.counts()["by_endpoint"] == {"token": 1, "new": 1, "comments": 1}


def test_all_of_reddit_newest_first(simulator, reddit):
    names = [simulator.add_post(f"sub{number % 3}", "title") for number in range(9)]
    assert [post.name for post in reddit.subreddit("all").new()] == names[::-1]


def test_praw_pages_to_the_end(simulator, reddit):
    names = [simulator.add_post("python", f"title {number}") for number in range(250)]
    assert [post.name for post in reddit.subreddit("python").new(limit=None)] == names[::-1]


def test_info_keeps_the_order_and_skips_what_is_unknown(simulator, reddit):
    post = simulator.add_post("python", "one")
    comment = simulator.add_comment(post, "two")
    assert [thing.fullname for thing in reddit.info(fullnames=[comment, "t3_zzz", post])] == [comment, post]


def test_info_in_hundreds(simulator, reddit):
    names = [simulator.add_post("python", "title") for _ in range(250)]
    assert len(list(reddit.info(fullnames=names))) == 250
    assert simulator.counts()["by_endpoint"]["info"] == 3


def test_deleted_items_lose_author_and_text(simulator, reddit):
    post = simulator.add_post("python", "title", "secret", author="ada")
    comment = simulator.add_comment(post, "secret", author="ada")
    simulator.delete(comment, by="moderator")
    simulator.delete(post)

    assert list(reddit.subreddit("python").new()) == []
    assert list(reddit.subreddit("python").comments()) == []
    shown_post, shown_comment = reddit.info(fullnames=[post, comment])
    assert (shown_post.author, shown_post.selftext, shown_post.removed_by_category) == (None, "[deleted]", "deleted")
    assert (shown_comment.author, shown_comment.body) == (None, "[removed]")
    assert "author_fullname" not in vars(shown_post)
    assert "author_fullname" not in vars(shown_comment)


def test_edits_show(simulator, reddit):
    post = simulator.add_post("python", "title", "before")
    simulator.edit(post, "after")
    (found,) = reddit.subreddit("python").new()
    assert found.selftext == "after"
    assert found.edited >= found.created_utc


def test_link_posts(simulator, reddit):
    simulator.add_post("python", "look", url="https://example.com/page?a=1&b=2", over_18=True)
    (found,) = reddit.subreddit("python").new()
    assert (found.is_self, found.url, found.over_18) == (False, "https://example.com/page?a=1&b=2", True)


def test_search(simulator, reddit):
    hit = simulator.add_post("python", "Acme DB", "is quick")
    simulator.add_post("python", "acme only")
    elsewhere = simulator.add_post("linux", "quick acme")
    assert [post.name for post in reddit.subreddit("python").search("quick acme")] == [hit]
    assert [post.name for post in reddit.subreddit("all").search("quick ACME")] == [elsewhere, hit]


@pytest.mark.parametrize(
    ("state", "error", "reason"),
    [
        ("private", prawcore.Forbidden, "private"),
        ("quarantined", prawcore.Forbidden, "quarantined"),
        ("banned", prawcore.NotFound, "banned"),
    ],
)
@pytest.mark.parametrize("listing", ["new", "comments"])
def test_closed_subreddits_name_their_reason(simulator, reddit, state, error, reason, listing):
    simulator.add_comment(simulator.add_post("hidden", "title"), "body")
    simulator.set_subreddit("hidden", state)
    with pytest.raises(error) as caught:
        list(getattr(reddit.subreddit("hidden"), listing)())
    assert caught.value.response.json()["reason"] == reason
    assert list(getattr(reddit.subreddit("all"), listing)()) == []


def test_missing_subreddits_redirect_to_the_search(simulator, reddit):
    with pytest.raises(prawcore.Redirect) as caught:
        list(reddit.subreddit("nowhere").new())
    assert caught.value.path == "/subreddits/search"


def test_about(simulator, reddit):
    simulator.set_subreddit("SelfHosted")
    about = reddit.subreddit("selfhosted")
    assert about.subscribers > 0
    assert about.display_name_prefixed == "r/SelfHosted"


def test_password_grant(simulator, make_reddit):
    reddit = make_reddit(simulator, username="standin", password="standin-password")
    assert reddit.user.me().name == "standin"


def test_wrong_password(simulator, make_reddit):
    reddit = make_reddit(simulator, username="standin", password="wrong")
    with pytest.raises(prawcore.OAuthException) as caught:
        reddit.user.me()
    assert caught.value.error == "invalid_grant"


def test_installed_app(simulator, make_reddit):
    simulator.add_post("python", "title")
    reddit = make_reddit(simulator, client_id="standin-installed", client_secret=None)
    assert len(list(reddit.subreddit("python").new())) == 1


def test_wrong_secret(simulator, make_reddit):
    reddit = make_reddit(simulator, client_secret="wrong")
    with pytest.raises(prawcore.ResponseException) as caught:
        list(reddit.subreddit("python").new())
    assert caught.value.response.status_code == 401


def test_a_confidential_client_cannot_pass_for_an_installed_app(simulator, make_reddit):
    reddit = make_reddit(simulator, client_secret=None)
    with pytest.raises(prawcore.ResponseException) as caught:
        list(reddit.subreddit("python").new())
    assert caught.value.response.status_code == 401


def test_expired_tokens_are_invalid_and_a_new_one_works(simulator, reddit):
    simulator.add_post("python", "title")
    list(reddit.subreddit("python").new())
    simulator.expire_tokens()
    with pytest.raises(prawcore.InvalidToken):
        list(reddit.subreddit("python").new())
    assert len(list(reddit.subreddit("python").new())) == 1


def test_url_without_its_slash_works_too(simulator, make_reddit):
    simulator.add_post("python", "title")
    bare_url = simulator.url.rstrip("/")
    reddit = make_reddit(simulator, reddit_url=bare_url, oauth_url=bare_url)
    assert isinstance(next(reddit.subreddit("python").new()), praw.models.Submission)


def test_galleries_polls_and_crossposts(simulator, reddit):
    simulator.add_post("pics", "Two", captions=["First", ""])
    simulator.add_post("polls", "Which?", options=["Acme", "Bolt"])
    original = simulator.add_post("linux", "Acme is out", "text", author="ada")
    simulator.add_post("news", "Look", crosspost=original)
    [gallery], [poll], [crosspost] = (list(reddit.subreddit(name).new()) for name in ("pics", "polls", "news"))
    assert gallery.is_gallery
    assert gallery.url == f"https://www.reddit.com/gallery/{gallery.id}"
    captions = {each["media_id"]: each["caption"] for each in gallery.gallery_data["items"]}
    assert list(captions.values()) == ["First", ""]
    assert gallery.media_metadata.keys() == captions.keys()
    assert [str(option) for option in poll.poll_data.options] == ["Acme", "Bolt"]
    assert crosspost.crosspost_parent == original
    assert crosspost.crosspost_parent_list[0]["title"] == "Acme is out"
    assert crosspost.url == crosspost.crosspost_parent_list[0]["permalink"]
    simulator.delete(original)
    [crosspost] = reddit.subreddit("news").new()
    assert crosspost.crosspost_parent_list[0]["removed_by_category"] == "deleted"
    with pytest.raises(KeyError):
        simulator.add_post("news", "Look", crosspost=simulator.add_comment(poll.fullname, "x"))
