"""Paging: Reddit's rules, and their surprising cases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overheard.simulators.reddit import listings


def data(bare, path):
    return bare.get(path).json()["data"]


def test_limit_is_clamped(simulator, bare):
    for _ in range(120):
        simulator.add_post("python", "title")
    dist = {limit: data(bare, f"r/python/new?limit={limit}")["dist"] for limit in ("0", "7", "100", "500", "x")}
    assert dist == {"0": 1, "7": 7, "100": 100, "500": 100, "x": 25}
    assert data(bare, "r/python/new")["dist"] == 25


def test_a_full_last_page_still_names_a_next_one_that_is_empty(simulator, bare):
    names = [simulator.add_post("python", "title") for _ in range(4)]
    first = data(bare, "r/python/new?limit=4")
    assert first["after"] == names[0]
    last = data(bare, f"r/python/new?limit=4&after={first['after']}")
    assert (last["children"], last["after"]) == ([], None)


def test_a_short_page_names_no_next_one(simulator, bare):
    simulator.add_post("python", "title")
    assert data(bare, "r/python/new?limit=4")["after"] is None


def test_a_listing_is_1000_items_deep_and_not_more(make_simulator, make_bare):
    simulator = make_simulator()
    bare = make_bare(simulator)
    names = [simulator.add_post(f"sub{number % 7}", "title") for number in range(1050)]
    read, after = [], ""
    while True:
        page = data(bare, f"r/all/new?limit=100&after={after}")
        if not page["children"]:
            break
        read += [child["data"]["name"] for child in page["children"]]
        after = page["after"]
    assert read == names[:-1001:-1]
    assert bare.names(f"r/all/new?after={names[49]}") == []


def test_depth_counts_over_all_subreddits_of_a_multi(make_simulator, make_bare):
    simulator = make_simulator(depth=10)
    names = [simulator.add_post(f"sub{number % 3}", "title") for number in range(30)]
    bare = make_bare(simulator)
    assert bare.names(f"r/sub0+sub1+sub2/new?after={names[22]}") == names[21:19:-1]


@pytest.mark.parametrize("direction", ["after", "before"])
def test_a_deleted_anchor_gives_an_empty_page(simulator, bare, direction):
    _, anchor, _ = (simulator.add_post("python", "title") for _ in range(3))
    assert len(bare.names(f"r/python/new?{direction}={anchor}")) == 1
    simulator.delete(anchor)
    assert bare.names(f"r/python/new?{direction}={anchor}") == []


def test_an_anchor_of_the_other_kind_gives_an_empty_page(simulator, bare):
    _, anchor = (simulator.add_post("python", "title") for _ in range(2))
    assert bare.names(f"r/python/new?after=t1_{anchor[3:]}") == []


@pytest.mark.parametrize("anchor", ["t3_zzzzzz", "t1_1", "t5_1"])
def test_an_unknown_anchor_gives_an_empty_page(simulator, bare, anchor):
    simulator.add_post("python", "title")
    assert bare.names(f"r/python/new?after={anchor}") == []


def test_before_returns_the_items_next_to_the_anchor(simulator, bare):
    names = [simulator.add_post("python", "title") for _ in range(6)]
    page = data(bare, f"r/python/new?limit=2&before={names[1]}")
    assert [child["data"]["name"] for child in page["children"]] == [names[3], names[2]]
    assert page["before"] == names[3]


def test_count_brings_before(simulator, bare):
    names = [simulator.add_post("python", "title") for _ in range(6)]
    page = data(bare, f"r/python/new?limit=2&count=2&after={names[4]}")
    assert (page["before"], page["after"]) == (names[3], names[2])


def test_a_post_that_a_filter_held_is_released_to_the_top(simulator, bare):
    first = simulator.add_post("python", "one")
    late, later = (simulator.add_post("python", "held", hold=True) for _ in range(2))
    last = simulator.add_post("linux", "three")
    assert bare.names("r/python+linux/new") == [last, first]
    simulator.approve(later)
    simulator.approve(late)
    assert bare.names("r/python+linux/new") == bare.names("r/all/new") == [late, later, last, first]
    assert (
        bare.names(f"r/all/new?before={last}") == bare.names(f"r/all/new?before={first}&limit=3")[:2] == [late, later]
    )
    assert bare.names(f"r/all/new?after={later}") == [last, first]
    newest = simulator.add_post("python", "four")
    assert bare.names("r/python/new") == [newest, late, later, first]
    assert "created_utc" in bare.get("r/python/new").json()["data"]["children"][1]["data"]


def test_an_item_that_a_moderator_restores_returns_to_its_own_place(simulator, bare):
    late = simulator.add_post("python", "held", hold=True)
    names = [simulator.add_post("python", "title") for _ in range(3)]
    simulator.approve(late)
    for name in (names[1], late):
        before = bare.names("r/python/new")
        simulator.delete(name, by="moderator")
        assert name not in bare.names("r/python/new")
        simulator.approve(name)
        assert bare.names("r/python/new") == before


def test_a_comment_that_was_held_appears_at_its_own_place(simulator, bare):
    post = simulator.add_post("python", "title")
    late = simulator.add_comment(post, "held", hold=True)
    newer = simulator.add_comment(post, "text")
    simulator.approve(late)
    assert bare.names("r/python/comments") == [newer, late]


def test_a_late_approval_can_be_listed_below_newer_items(make_simulator, make_bare):
    simulator = make_simulator(release="place")
    bare = make_bare(simulator)
    first = simulator.add_post("python", "one")
    late = simulator.add_post("python", "held", hold=True)
    last = simulator.add_post("linux", "three")
    assert bare.names("r/python+linux/new") == [last, first]
    simulator.approve(late)
    assert bare.names("r/python+linux/new") == bare.names("r/all/new") == [last, late, first]
    assert bare.names(f"r/all/new?before={first}") == [last, late]


def test_pages_after_a_late_approval_are_in_order(make_simulator, make_bare):
    simulator = make_simulator(release="place")
    bare = make_bare(simulator)
    late = simulator.add_post("python", "held", hold=True)
    newer = [simulator.add_post("python", "title") for _ in range(3)]
    simulator.approve(late)
    assert bare.names("r/python/new?limit=1") == [newer[2]]
    assert bare.names(f"r/python/new?after={newer[0]}") == bare.names(f"r/all/new?after={newer[0]}") == [late]


def test_holding_hides_until_approval(simulator, bare):
    name = simulator.add_comment(simulator.add_post("python", "one"), "two")
    simulator.hold(name)
    assert bare.names("r/python/comments") == []
    assert bare.get(f"api/info?id={name}").json()["data"]["children"][0]["data"]["body"] == "[removed]"
    simulator.approve(name)
    assert bare.names("r/python/comments") == [name]


def test_an_item_deleted_by_its_author_cannot_be_approved(simulator):
    name = simulator.add_post("python", "one")
    simulator.delete(name)
    with pytest.raises(ValueError, match="deleted by its author"):
        simulator.approve(name)


def test_a_subreddit_is_read_once_however_often_it_is_named(simulator, bare):
    name = simulator.add_post("python", "one")
    assert bare.names("r/python+PYTHON/new") == [name]


def test_posts_and_comments_count_separately_and_rise(simulator):
    posts = [simulator.add_post("python", "title") for _ in range(3)]
    comments = [simulator.add_comment(posts[0], "body") for _ in range(3)]
    for names in (posts, comments):
        numbers = [int(name[3:], 36) for name in names]
        assert numbers == list(range(numbers[0], numbers[0] + 3))


def test_a_closed_subreddit_that_opens_again_is_back_in_all(simulator, bare):
    one, two = simulator.add_post("one", "title"), simulator.add_post("two", "title")
    simulator.set_subreddit("one", "private")
    inside = simulator.add_post("one", "unseen")
    assert bare.names("r/all/new") == [two]
    assert bare.names(f"api/info?id={one}") == []
    simulator.set_subreddit("one", "public")
    assert bare.names("r/all/new") == [inside, two, one]


def test_keep_discards_the_oldest(make_simulator, make_bare):
    simulator = make_simulator(keep=3)
    names = [simulator.add_post("python", "title") for _ in range(5)]
    bare = make_bare(simulator)
    assert bare.names("r/python/new") == bare.names("r/all/new") == names[:1:-1]
    assert bare.names(f"api/info?id={','.join(names)}") == names[2:]
    assert len(simulator.store.all["t3"]) == len(simulator.store.subreddits["python"].listed["t3"]) == 3


columns = st.lists(st.integers(0, 60), unique=True, max_size=50).flatmap(
    lambda numbers: st.lists(st.integers(0, 3), min_size=len(numbers), max_size=len(numbers)).map(
        lambda homes: [sorted(n for n, h in zip(numbers, homes, strict=True) if h == home) for home in range(4)]
    )
)


@given(columns, st.integers(0, 60), st.integers(1, 20), st.integers(1, 30))
def test_pages_are_slices_of_the_whole(columns, anchor, limit, depth):
    whole = sorted((number for column in columns for number in column), reverse=True)[:depth]
    assert listings.newest(columns, limit, depth).places == whole[:limit]
    if anchor in whole:
        place = whole.index(anchor)
        assert listings.after(columns, anchor, limit, depth).places == whole[place + 1 :][:limit]
        assert listings.before(columns, anchor, limit, depth).places == whole[:place][-limit:]
    else:
        assert listings.after(columns, anchor, limit, depth).places == []
        assert listings.before(columns, anchor, limit, depth).places == []
